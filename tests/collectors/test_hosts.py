"""How often a host is asked, run under a simulated clock: an hour takes a moment."""

import asyncio
import email.utils
import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.http.answers import retry_after
from collectors.http.hosts import SystemClock
from collectors.http.rates import Budget
from tests.collectors.simulated import ask, crowd, simulate


def test_a_host_is_asked_at_its_rate_after_a_burst_of_three():
    async def work(host, clock):
        await clock.sleep(10)
        return await asyncio.gather(*crowd(host, clock, 8))

    began = simulate(work, Budget(rate=2, max_rate=2, at_once=100))
    assert began == [10.0, 10.0, 10.0, 10.5, 11.0, 11.5, 12.0, 12.5]


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize("skew", [-3600, 0, 3600])
def test_dates_of_an_answer_are_compared_with_its_own_clock(skew):
    there = time.time() + skew
    date, due = (email.utils.formatdate(moment, usegmt=True) for moment in (there, there + 60))
    assert retry_after({"date": date, "retry-after": due}) == 60
    assert retry_after({"date": date, "age": "20", "retry-after": due}) == 40  # from a cache

    async def work(host, clock):
        host.answered({"date": date, "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(there) + 60)})
        return host.paused_for

    assert simulate(work) == 60


@pytest.mark.slow
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
