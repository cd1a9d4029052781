"""A clock that passes when everybody sleeps, and crowds that ask a host under it."""

import asyncio
import heapq
import itertools

from collectors.http.hosts import Host
from collectors.http.rates import Budget

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


async def ask(host, clock, takes=0.0, says="ok", headers=None, url=None, tried=0):
    """Make one request that takes a while; `says` is what the host answers. Returns when it began."""
    async with host.turn(tried) as began:
        await clock.sleep(takes)
        if says == "ok":
            host.answered(headers or {})
        elif says == "429":
            host.limited(headers or {}, began, wait=1.0)
        else:
            host.failed(url or f"https://i.redd.it/{next(SERIAL)}.jpg", began, headers)
    return began


def crowd(host, clock, n, **how):
    return [asyncio.create_task(ask(host, clock, **how)) for _ in range(n)]
