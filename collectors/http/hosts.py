"""Rate limits per host: a request budget, the host's own limits, a circuit breaker.

- A **budget** (requests per second, requests at once) starts low and grows by a tenth of its start each
  second up to a maximum; more slowly above the rate at which the host last sent a 429. A 429 lowers it by
  3/10.
- The host's own limits: `Retry-After`, of a 429 or a failure; `x-ratelimit-remaining` with
  `x-ratelimit-reset`.
- A **quota** (calls per hour), if an API has one: see quota.py.
- A **circuit breaker** opens after five different addresses in a row have failed: no request for 5 s, then
  one request as a probe; if it fails, a pause of 10 s, 20 s, …. A host that stays down is given up for this
  run. The address with the fewest tries goes first, so that probes aren't wasted on a broken address.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from collectors.http.answers import number_in, retry_after, sent_at
from collectors.http.quota import Quota
from collectors.http.rates import Budget


class Clock(Protocol):
    """The limiter's clock; a test replaces it, so that an hour passes in no time."""

    def now(self) -> float:
        """Return the seconds of a monotonic clock."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Return the monotonic clock's seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""
        await asyncio.sleep(seconds)


#: Addresses that fail in a row and open the breaker; its first pause in seconds; how often it may open in
#: a run before the host is given up (5 + 10 + 20 + 40 s).
FAILURES_TO_OPEN, FIRST_PAUSE, OPENINGS = 5, 5.0, 4


class HostDown(Exception):
    """The host has been given up for this run: `reason` is `host_down` or `rate_limited`."""

    def __init__(self, reason: str, host: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.reason, self.host = reason, host


class Host:
    """One host's budget, limits and breaker."""

    def __init__(self, name: str, budget: Budget, clock: Clock) -> None:
        self.name, self.budget, self._clock = name, budget, clock
        self.rate = budget.rate
        self.quota: Quota | None = None  # of its API's key
        self._refused_at = budget.max_rate  # the rate at which the host last sent a 429
        self._slots = asyncio.Semaphore(budget.at_once)
        self._queue = asyncio.Lock()
        self._waiting: Counter[int] = Counter()  # requests, by the number of earlier tries
        self._next_at = 0.0
        self._paused_until, self._paused_as = 0.0, "rate_limited"
        self._raised_at = clock.now()
        self._slowed_at = -1.0
        self._opened_at = -1.0
        self._failed: set[str] = set()  # addresses
        self._in_a_row = 0
        self._openings = 0

    @contextlib.asynccontextmanager
    async def turn(self, tried: int = 0) -> AsyncIterator[float]:
        """Wait until a request is allowed; yield the time. Raises `HostDown` for a host given up.

        `tried` is how often the address was requested before: the lowest goes first.
        """
        async with self._slots, contextlib.AsyncExitStack() as queue:
            self._waiting[tried] += 1
            try:
                await self._come_first(tried, queue)
            finally:
                self._waiting[tried] -= 1
            began = self._clock.now()
            # After a timer that woke late, at most two requests are made up for.
            self._next_at = max(self._next_at, began - 2 / self.rate) + 1 / self.rate
            if self._openings == 0:
                await queue.aclose()  # otherwise it is a probe: the others wait until it has ended
            yield began

    async def _come_first(self, tried: int, queue: contextlib.AsyncExitStack) -> None:
        """Wait until a request is allowed and none with fewer tries waits; then hold the queue."""
        await queue.enter_async_context(self._queue)
        while True:
            if (wait := self._wait()) > 0:
                await self._clock.sleep(wait)
            elif any(n and less < tried for less, n in self._waiting.items()):
                await queue.aclose()
                await asyncio.sleep(0)  # lets cancelled requests leave the queue
                await queue.enter_async_context(self._queue)
            elif (wait := self._use_quota()) > 0:
                await self._clock.sleep(wait)
            else:
                return

    @property
    def given_up(self) -> str | None:
        """Why the host gets no more requests in this run: `host_down`, `rate_limited` or None."""
        if self._openings > OPENINGS:
            return "host_down"
        return self._paused_as if self.paused_for > self.budget.patience else None

    def _wait(self) -> float:
        if (reason := self.given_up) is not None:
            raise HostDown(reason, self.name)
        return max(self._next_at - self._clock.now(), self.paused_for)

    def _use_quota(self) -> float:
        """Take a call from the quota, if the host has one; return the seconds until one is allowed."""
        return self.quota.take() if self.quota is not None else 0.0

    def answered(self, headers: Mapping[str, str]) -> None:
        """Record a success: close the breaker, raise the rate, apply the limits in the headers."""
        self._in_a_row = self._openings = 0
        now = self._clock.now()
        if self._paused_until <= now and now - self._raised_at >= 1:
            # Fast up to the rate at which the host last sent a 429, slowly above it: a 429 may have other
            # reasons than the rate, which mustn't stay low for ever.
            step = self.budget.rate / 10
            near = self.rate >= 0.9 * self._refused_at
            self.rate = min(self.rate + (step / 5 if near else step), self.budget.max_rate)
            self._raised_at = now
        self._heed(headers, now)

    def _heed(self, headers: Mapping[str, str], now: float) -> None:
        """Spread the calls of `x-ratelimit-remaining: 595.0` over `x-ratelimit-reset: 359` (seconds)."""
        remaining = number_in(headers, "x-ratelimit-remaining")
        reset = number_in(headers, "x-ratelimit-reset")
        if remaining is None or reset is None:
            return
        if reset > 1e6:  # some hosts send a Unix time instead
            reset -= sent_at(headers)
        if remaining < 1:
            self._pause(now + max(reset, 0))
        elif reset > 0:
            self.rate = min(self.rate, max(remaining / reset, 0.01))

    def limited(self, headers: Mapping[str, str], began: float, wait: float) -> None:
        """Record a 429: pause for as long as the host asks (else `wait` s), then go on at 7/10 of the rate.

        Requests that began before the last reduction don't reduce the rate again.
        """
        now = self._clock.now()
        asked = retry_after(headers)
        self._pause(now + (asked if asked is not None else wait))
        if began > self._slowed_at:
            self._refused_at = self.rate
            self.rate = max(self.rate * 0.7, self.budget.rate / 20)
            self._slowed_at = self._raised_at = now

    def failed(self, url: str, began: float, headers: Mapping[str, str] | None = None) -> None:
        """Record a failure of the host itself (no connection, 5xx, a deadline); five open the breaker.

        If the answer has a `Retry-After`, as a 503 may, the host gets no request until then.
        An address counts once: when it fails again, the address itself may be broken, and towards the end of
        a crawl most requests are such second tries. Requests that began before the breaker opened don't
        count.
        """
        asked = retry_after(headers or {})
        if asked is not None:
            self._pause(self._clock.now() + asked, "host_down")
        if began <= self._opened_at:
            return
        self._in_a_row += url not in self._failed
        self._failed.add(url)
        if self._in_a_row >= FAILURES_TO_OPEN or self._openings > 0:  # a failed probe opens it again
            self._opened_at = self._clock.now()
            self._pause(self._opened_at + FIRST_PAUSE * 2**self._openings, "host_down")
            self._openings += 1

    @property
    def state(self) -> str:
        """Return what the live view shows: `ok`, `slowed`, `paused` or `down`."""
        if self._openings > OPENINGS:
            return "down"
        if self.paused_for > 0:
            return "paused"
        return "slowed" if self.rate < self.budget.rate else "ok"

    def _pause(self, until: float, reason: str = "rate_limited") -> None:
        if until > self._paused_until:
            self._paused_until, self._paused_as = until, reason

    @property
    def paused_for(self) -> float:
        """Seconds until the host may be asked again."""
        return max(0.0, self._paused_until - self._clock.now())
