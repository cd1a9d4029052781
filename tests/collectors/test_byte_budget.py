"""The budget of bytes in flight: never over its limit, first come first served, nobody forgotten."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.http.byte_budget import ByteBudget


def test_who_comes_first_is_served_first_though_a_later_one_would_fit():
    async def go():
        budget, order = ByteBudget(10), []

        async def body(name, size):
            with budget.share() as share:
                await share.reserve(size)
                order.append(name)
                await asyncio.sleep(0)

        await asyncio.gather(body("a", 6), body("large", 8), body("small", 4), body("smaller", 1))
        return order, budget.used

    assert asyncio.run(go()) == (["a", "large", "small", "smaller"], 0)


def test_a_body_larger_than_the_budget_goes_alone():
    async def go():
        budget = ByteBudget(10)
        with budget.share() as small, budget.share() as huge, budget.share() as last:
            await small.reserve(1)
            waiting = asyncio.create_task(huge.reserve(25))
            behind = asyncio.create_task(last.reserve(1))
            await asyncio.sleep(0)
            assert not waiting.done()
            small.shrink(0)
            await waiting
            assert (budget.used, behind.done()) == (25, False)
            huge.shrink(0)
            await behind
            return budget.used

    assert asyncio.run(go()) == 1


def test_what_was_reserved_in_excess_lets_the_next_one_go():
    async def go():
        budget = ByteBudget(10)
        with budget.share() as unknown, budget.share() as other:
            await unknown.reserve(10)
            waiting = asyncio.create_task(other.reserve(7))
            await asyncio.sleep(0)
            unknown.shrink(3)
            await waiting
            return budget.used

    assert asyncio.run(go()) == 10


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 5), st.integers(-1, 8))),
)
def test_the_limit_holds_and_nobody_is_forgotten_whoever_is_cancelled(limit, bodies):
    async def go():
        budget, held, done = ByteBudget(limit), {}, set()

        def check():
            # Bytes are taken for a body that is woken a moment later.
            assert budget.used >= sum(held.values())
            alone = budget.used in {size for size, *_ in bodies}
            assert budget.used <= limit or (alone and sum(size > 0 for size in held.values()) <= 1)

        async def body(name, size, kept, steps):
            with budget.share() as share:
                await share.reserve(size)
                held[name] = size
                check()
                try:
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    share.shrink(kept)
                    held[name] = min(size, kept)
                    await asyncio.sleep(0)
                finally:
                    del held[name]
            done.add(name)

        tasks = [
            asyncio.create_task(body(name, size, kept, steps))
            for name, (size, kept, steps, _) in enumerate(bodies)
        ]
        for moment in range(9):
            await asyncio.sleep(0)
            for task, (_, _, _, cancelled_at) in zip(tasks, bodies, strict=True):
                if moment == cancelled_at:
                    task.cancel()
        found = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert budget.used == 0
        assert [r for r in found if r is not None and not isinstance(r, asyncio.CancelledError)] == []
        assert all(name in done for name, (*_, at) in enumerate(bodies) if at < 0)

    asyncio.run(go())
