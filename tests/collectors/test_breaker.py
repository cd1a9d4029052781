"""When a host is left alone: the breaker, its probes, and those who wait, under a simulated clock."""

import asyncio

import pytest

from collectors.http.hosts import HostDown
from collectors.http.rates import Budget
from tests.collectors.simulated import ask, crowd, simulate


def test_a_host_that_asks_for_more_patience_than_there_is_is_left_to_a_rerun():
    async def work(host, clock):
        await ask(host, clock, says="429", headers={"retry-after": "3600"})
        with pytest.raises(HostDown) as caught:
            await ask(host, clock)
        return caught.value.reason, str(caught.value), clock.now()

    assert simulate(work) == ("rate_limited", "i.redd.it: rate_limited", 0.0)


def test_a_host_that_says_when_it_is_back_is_left_alone_until_then():
    async def work(host, clock):
        await ask(host, clock, says="failure", headers={"retry-after": "20"})
        began = await ask(host, clock)
        await ask(host, clock, says="failure", headers={"retry-after": "3600"})
        with pytest.raises(HostDown) as caught:
            await ask(host, clock)
        return began, caught.value.reason

    assert simulate(work) == (20.0, "host_down")


def test_the_breaker_pauses_5_10_20_40_seconds_then_gives_the_host_up():
    async def work(host, clock):
        began = []
        for _ in range(5):
            await ask(host, clock, says="failure")
        assert host.state == "paused"
        for _ in range(4):
            began.append(round(await ask(host, clock, says="failure"), 2))
        assert host.state == "down"
        for _ in range(2):
            with pytest.raises(HostDown, match=r"i\.redd\.it: host_down"):
                await ask(host, clock)
        return began, host.state

    assert simulate(work) == ([5.0, 15.0, 35.0, 75.0], "down")


def test_four_failures_in_a_row_open_nothing():
    async def work(host, clock):
        for _ in range(20):
            for _ in range(4):
                await ask(host, clock, says="failure")
            await ask(host, clock)
        return host.paused_for, host.state, clock.now() < 1

    assert simulate(work) == (0, "ok", True)


def test_one_address_that_fails_again_and_again_opens_nothing():
    async def work(host, clock):
        for _ in range(25):
            for url in "abcd":
                await ask(host, clock, says="failure", url=f"https://i.redd.it/{url}.jpg")
        seen = host.state
        await ask(host, clock, says="failure", url="https://i.redd.it/e.jpg")
        return seen, host.state

    assert simulate(work) == ("ok", "paused")


def test_the_second_tries_at_a_crawls_end_open_nothing():
    async def work(host, clock):
        for k in range(40):  # one in four fails, and the host is well
            await ask(host, clock, says="failure" if k % 4 == 0 else "ok", url=f"https://i.redd.it/{k}.jpg")
        for k in [*range(0, 40, 4)] * 3:
            await ask(host, clock, says="failure", url=f"https://i.redd.it/{k}.jpg")
        return host.state

    assert simulate(work) == "ok"


def test_one_good_answer_closes_the_breaker():
    async def work(host, clock):
        for _ in range(6):
            await ask(host, clock, says="failure")
        assert (host.paused_for, host.state) == (10, "paused")
        await ask(host, clock)
        assert host.state == "ok"
        for _ in range(5):
            await ask(host, clock, says="failure")
        return host.paused_for

    assert simulate(work) == pytest.approx(5)  # it starts from the first pause again


def test_after_the_pause_a_single_probe_goes_out_and_the_others_see_how_it_ends():
    async def work(host, clock):
        for _ in range(5):
            await ask(host, clock, says="failure")
        opened = clock.now()
        probe = asyncio.create_task(ask(host, clock, takes=30, says="failure"))
        await asyncio.sleep(0)
        others = crowd(host, clock, 10, takes=0.1)
        began = await asyncio.gather(probe, *others)
        return [round(moment - opened) for moment in sorted(began)]

    # 5 s of pause, 30 s of the probe, 10 s of pause, then one that is answered and the rest
    assert simulate(work) == [5] + [45] * 10


def test_a_probe_takes_an_address_that_was_tried_less_though_others_wait_longer():
    async def work(host, clock):
        tried = crowd(host, clock, 3, tried=2, says="failure")
        crowd(host, clock, 4, says="failure")
        await clock.sleep(5)
        once = crowd(host, clock, 1, tried=1, says="failure")
        fresh = crowd(host, clock, 2, says="failure")
        found = await asyncio.gather(*fresh, *once, *tried, return_exceptions=True)
        return [round(one) if isinstance(one, float) else str(one) for one in found]

    # The breaker opens after 4 s; a probe goes out after pauses of 5, 10, 20 and 40 s.
    found = simulate(work, Budget(rate=1, max_rate=1, at_once=100))
    assert found == [9, 19, 39, 0, 79, "i.redd.it: host_down"]


def test_a_waiter_that_is_cancelled_holds_back_none_that_was_tried_more():
    class Cancelling:
        """Cancels a waiter just before the one at the head looks at who waits."""

        def __init__(self, clock):
            self.now, self.clock, self.waiter = clock.now, clock, None

        async def sleep(self, seconds):
            await self.clock.sleep(seconds)
            self.waiter.cancel()

    async def work(host, clock):
        host._clock = Cancelling(clock)
        await ask(host, clock)
        tried = asyncio.create_task(ask(host, clock, tried=1))
        await asyncio.sleep(0)
        host._clock.waiter = asyncio.create_task(ask(host, clock))
        return await tried

    assert simulate(work, Budget(rate=1, max_rate=1, at_once=9)) == 1


def test_requests_under_way_when_the_breaker_opens_count_once():
    async def work(host, clock):
        quick = crowd(host, clock, 5, takes=1, says="failure")
        slow = crowd(host, clock, 5, takes=20, says="failure")
        await asyncio.gather(*quick)
        first = host.paused_for
        await asyncio.gather(*slow)
        return first, host.paused_for, host.state

    assert simulate(work) == (5, 0, "ok")


def test_a_dead_host_costs_no_more_than_the_breakers_pauses():
    async def work(host, clock):
        tasks = crowd(host, clock, 200, takes=10, says="failure")
        found = await asyncio.gather(*tasks, return_exceptions=True)
        asked = [moment for moment in found if isinstance(moment, float)]
        reasons = {error.reason for error in found if isinstance(error, HostDown)}
        return len(asked), len(found), reasons, round(clock.now())

    # 8 at once, of which five open the breaker and three are stale; then 4 probes of 10 s each
    asked, of, reasons, seconds = simulate(work, Budget(rate=10, max_rate=30, at_once=8))
    assert (of, reasons) == (200, {"host_down"})
    assert asked <= 8 + 8 + 4
    assert seconds <= 10 + 10 + 75 + 4 * 10 + 1


def test_a_cancelled_waiter_leaves_no_trace():
    async def work(host, clock):
        holder = asyncio.create_task(ask(host, clock, takes=2))
        await asyncio.sleep(0)
        waiting = crowd(host, clock, 5)
        for _ in range(5):
            await asyncio.sleep(0)
        for task in waiting[:4]:  # one of them sleeps in the queue, or waits for a slot
            task.cancel()
        assert await holder == 0
        return await waiting[4], await asyncio.gather(*crowd(host, clock, 3))

    assert simulate(work, Budget(rate=1, max_rate=1, at_once=1)) == (2, [2, 3, 4])
    assert simulate(work, Budget(rate=1, max_rate=1, at_once=6)) == (1, [2, 3, 4])


def test_a_cancelled_probe_lets_the_next_one_go():
    async def work(host, clock):
        for _ in range(5):
            await ask(host, clock, says="failure")
        probe = asyncio.create_task(ask(host, clock, takes=1000))
        await clock.sleep(6)
        other = asyncio.create_task(ask(host, clock))
        await clock.sleep(1)
        assert not other.done()
        probe.cancel()
        return round(await other, 1), round(await ask(host, clock), 1)

    assert simulate(work) == (7.0, 7.0)
