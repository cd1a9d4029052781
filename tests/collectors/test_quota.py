"""A quota of calls, under a simulated clock: never more in any span, whoever asks and whatever dies."""

import asyncio
import itertools
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.flickr import SimulatedClock, most_in_any
from collectors.http.hosts import Host
from collectors.http.quota import Quota
from collectors.http.rates import Budget


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 40), max_size=60), st.integers(1, 6))
def test_no_span_ever_holds_more_calls_than_the_quota(tmp_path_factory, pauses, calls):
    path = tmp_path_factory.mktemp("quota") / "calls"
    now, made = 1_700_000_000.0, []
    for pause in pauses:
        now += pause
        quota = Quota(path, calls, 60.0, now=[now].pop)  # a new one, as after a kill
        wait = quota.take()
        if wait == 0:
            made.append(now)
        else:
            assert len([moment for moment in made if now - moment < 60]) == calls
            assert 0 < wait <= 60
    assert most_in_any(made, 60.0) <= calls


def test_two_processes_share_a_quota(tmp_path):
    taken = [Quota(tmp_path / "calls", 3, 60.0, now=lambda: 1e9).take() for _ in range(2)]
    child = os.fork()
    if child == 0:
        waits = [Quota(tmp_path / "calls", 3, 60.0, now=lambda: 1e9).take() for _ in range(2)]
        os._exit(0 if waits == [0.0, 60.0] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert taken == [0.0, 0.0]
    assert Quota(tmp_path / "calls", 3, 60.0, now=lambda: 1e9 + 59).take() == 1.0


def test_a_clock_that_was_set_back_costs_one_span_at_most(tmp_path):
    assert Quota(tmp_path / "calls", 1, 60.0, now=lambda: 2e9).take() == 0.0
    assert Quota(tmp_path / "calls", 1, 60.0, now=lambda: 1e9).take() == 60.0


def test_a_host_waits_for_its_quota(tmp_path):
    clock, times = SimulatedClock(), []

    async def ask(host):
        async with host.turn() as began:
            times.append(began)
            host.answered({})

    async def go():
        for serial in itertools.count():  # each round a process of its own
            host = Host("api.flickr.com", Budget(rate=50, max_rate=50, at_once=4), clock)
            host.quota = Quota(tmp_path / "calls", 100, 3600.0, now=clock.now)
            await asyncio.gather(*(ask(host) for _ in range(37)))
            if serial == 9:
                return

    asyncio.run(go())
    assert len(times) == 370
    assert most_in_any(times, 3600.0) == 100
    assert 3 * 3600 <= times[-1] - times[0] < 3 * 3600 + 60
