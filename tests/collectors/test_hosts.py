"""How often a host is asked, run under a simulated clock: an hour takes a moment."""

import asyncio
import email.utils
import heapq
import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.hosts import Budget, Host, HostDown, SystemClock, retry_after

SERIAL = itertools.count()
FAST = Budget(rate=1000, max_rate=1000, at_once=1000)


class SimulatedClock:
    """Time that passes when everybody sleeps."""

    def __init__(self):
        self.time = 0.0
        self._sleepers = []
        self._order = itertools.count()

    def now(self):
        return self.time

    async def sleep(self, seconds):
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, next(self._order), woken))
        await woken

    async def run(self, *works):
        """Run coroutines to their end; returns their results, errors among them."""
        tasks = [asyncio.create_task(work) for work in works]
        while not all(task.done() for task in tasks):
            for _ in range(12):  # until nobody has anything to do but sleep
                await asyncio.sleep(0)
            if self._sleepers and not all(task.done() for task in tasks):
                moment, _, woken = heapq.heappop(self._sleepers)
                if not woken.done():
                    self.time = max(self.time, moment)
                    woken.set_result(None)
        return await asyncio.gather(*tasks, return_exceptions=True)


def simulate(work, budget=FAST):
    """Run `await work(host, clock)` on one host; returns what it returns."""

    async def go():
        clock = SimulatedClock()
        (result,) = await clock.run(work(Host("i.redd.it", budget, clock), clock))
        if isinstance(result, BaseException):
            raise result
        return result

    return asyncio.run(go())


async def ask(host, clock, takes=0.0, says="ok", headers=None, url=None):
    """Make one request that takes a while; `says` is what the host answers. Returns when it began."""
    async with host.turn() as began:
        await clock.sleep(takes)
        if says == "ok":
            host.answered(headers or {})
        elif says == "429":
            host.limited(headers or {}, began, wait=1.0)
        else:
            host.failed(url or f"https://i.redd.it/{next(SERIAL)}.jpg", began)
    return began


def crowd(host, clock, n, **how):
    return [asyncio.create_task(ask(host, clock, **how)) for _ in range(n)]


def test_a_host_is_asked_at_its_rate_after_a_burst_of_three():
    async def work(host, clock):
        await clock.sleep(10)
        return await asyncio.gather(*crowd(host, clock, 8))

    began = simulate(work, Budget(rate=2, max_rate=2, at_once=100))
    assert began == [10.0, 10.0, 10.0, 10.5, 11.0, 11.5, 12.0, 12.5]


@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from([0.5, 1, 3, 10, 30]),
    at_once=st.integers(1, 6),
    requests=st.lists(
        st.tuples(st.sampled_from([0, 0.01, 0.2, 5, 60]), st.sampled_from([0, 0.03, 0.4, 3])), max_size=40
    ),
)
def test_no_window_of_time_holds_more_than_its_share(rate, at_once, requests):
    async def work(host, clock):
        async def later(when, takes):
            await clock.sleep(when)
            return await ask(host, clock, takes=takes)

        return await asyncio.gather(*(later(*request) for request in requests))

    began = sorted(simulate(work, Budget(rate=rate, max_rate=rate, at_once=at_once)))
    assert len(began) == len(requests)
    for first, last in itertools.combinations(range(len(began)), 2):
        assert last - first + 1 <= rate * (began[last] - began[first]) + 3 + 1e-6


@settings(max_examples=30, deadline=None)
@given(at_once=st.integers(1, 5), takes=st.lists(st.sampled_from([0, 0.5, 2.0]), max_size=30))
def test_no_more_requests_than_allowed_are_under_way_at_once(at_once, takes):
    async def work(host, clock):
        under_way, most = 0, 0

        async def one(seconds):
            nonlocal under_way, most
            async with host.turn():
                under_way += 1
                most = max(most, under_way)
                await clock.sleep(seconds)
                under_way -= 1

        await asyncio.gather(*map(one, takes))
        return most

    assert simulate(work, Budget(rate=100, max_rate=100, at_once=at_once)) <= at_once


def test_the_rate_grows_by_a_tenth_each_quiet_second_to_its_maximum():
    async def work(host, clock):
        seen = []
        for _ in range(12):
            await clock.sleep(0.5)
            host.answered({})
            seen.append(host.rate)
        return seen

    # From 36 on, nine tenths of the maximum, by a fiftieth.
    found = simulate(work, Budget(rate=30, max_rate=38))
    assert found == pytest.approx([30, 33, 33, 36, 36, 36.6, 36.6, 37.2, 37.2, 37.8, 37.8, 38])


def test_429_slows_down_once_for_a_burst_and_all_wait():
    async def work(host, clock):
        await clock.sleep(1)
        await asyncio.gather(*crowd(host, clock, 3, takes=0.1, says="429", headers={"retry-after": "4"}))
        slowed = (host.rate, host.state)
        return slowed, await ask(host, clock)

    assert simulate(work, Budget(rate=20, max_rate=40)) == ((14, "paused"), pytest.approx(5.1))


def test_a_second_429_after_the_pause_slows_down_again():
    async def work(host, clock):
        await clock.sleep(1)
        await ask(host, clock, says="429")
        await ask(host, clock, says="429")
        return host.rate, clock.now(), host.paused_for

    assert simulate(work, Budget(rate=20, max_rate=40)) == (pytest.approx(9.8), 2.0, 1.0)


def test_refusals_slow_down_to_a_twentieth_and_no_further():
    async def work(host, clock):
        for _ in range(50):
            await ask(host, clock, takes=0.01, says="429")
        return host.rate

    assert simulate(work, Budget(rate=20, max_rate=40)) == 1


def test_the_rate_is_soon_back_where_it_was_refused_and_goes_slowly_past_it():
    async def work(host, clock):
        await ask(host, clock, takes=1, says="429")
        rates = {}
        for second in range(1, 3600):
            await clock.sleep(1)
            host.answered({})
            rates[second] = host.rate
        return rates[1], rates[2], rates[10], rates[60], host.state

    assert simulate(work, Budget(rate=20, max_rate=30)) == (16, 18, pytest.approx(21.2), 30, "ok")


def test_what_is_left_of_a_quota_is_spread_over_its_time():
    async def work(host, clock):
        host.answered({"x-ratelimit-remaining": "60.0", "x-ratelimit-reset": "120"})
        return host.rate

    assert simulate(work) == 0.5


def test_an_empty_quota_is_waited_for():
    async def work(host, clock):
        host.answered({"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "90"})
        return await ask(host, clock)

    assert simulate(work) == 90


def test_a_quota_may_name_the_moment_instead():
    async def work(host, clock):
        host.answered({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(time.time() + 60)})
        return host.paused_for

    assert 55 < simulate(work) <= 60


def test_nonsense_in_the_headers_changes_nothing():
    async def work(host, clock):
        for value in ("nan", "inf", "-inf", "", "soon", "1e999"):
            host.answered({"x-ratelimit-remaining": value, "x-ratelimit-reset": "60"})
            host.answered({"x-ratelimit-remaining": "0", "x-ratelimit-reset": value})
            assert retry_after({"retry-after": value}) is None
        return host.rate, host.paused_for, host.state

    assert simulate(work) == (1000, 0, "ok")


def test_a_host_that_asks_for_more_patience_than_there_is_is_left_to_a_rerun():
    async def work(host, clock):
        await ask(host, clock, says="429", headers={"retry-after": "3600"})
        with pytest.raises(HostDown) as caught:
            await ask(host, clock)
        return caught.value.reason, str(caught.value), clock.now()

    assert simulate(work) == ("rate_limited", "i.redd.it: rate_limited", 0.0)


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


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("4", 4.0), ("0", 0.0), ("1.5", 1.5), ("-3", 0.0), (" 7 ", 7.0), ("soon", None), ("", None)],
)
def test_retry_after_in_seconds(value, seconds):
    assert retry_after({"retry-after": value}) == seconds


def test_retry_after_as_a_date():
    assert 58 < retry_after({"retry-after": email.utils.formatdate(time.time() + 60, usegmt=True)}) <= 60
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00"}) == 0
    assert retry_after({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}) is None
    assert retry_after({}) is None


@given(st.text(), st.text(), st.text())
def test_no_header_raises(wait, remaining, reset):
    async def work(host, clock):
        headers = {"retry-after": wait, "x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset}
        host.answered(headers)
        host.limited(headers, clock.now(), wait=1.0)
        return host.rate > 0 and host.paused_for >= 0

    assert simulate(work)


def test_the_systems_clock_goes_on():
    async def go():
        clock = SystemClock()
        began = clock.now()
        await clock.sleep(0.01)
        return clock.now() - began

    assert asyncio.run(go()) >= 0.009
