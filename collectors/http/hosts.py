"""How fast, and whether at all, a host may be asked: its budget, its own limits, its breaker.

- A **budget** (requests a second, at once) that starts politely, grows by a tenth of that each
  second up to a maximum, more slowly from where the host last refused, and falls by 3/10 at a 429.
- The host's word: `Retry-After`, `x-ratelimit-remaining` with `x-ratelimit-reset`.
- A **quota** (calls in any hour), where an API has one: see quota.py.
- A **circuit breaker**: after five addresses in a row have failed nobody asks for 5 s, then one probe goes
  out alone, then 10 s, 20 s, …; a host that stays down is given up for this run. An address that has been
  tried less goes before the others, so that no probe is spent on a broken one while there is another.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import UTC
from typing import Protocol

from collectors.http.quota import Quota
from collectors.http.rates import Budget


class Clock(Protocol):
    """Time as the limiter sees it, so that a test can run an hour in a moment."""

    def now(self) -> float:
        """Return seconds on a clock that never goes back."""
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
        self.quota: Quota | None = None  # what its API's key may be used for
        self._refused_at = budget.max_rate  # the rate at which the host last said 429
        self._slots = asyncio.Semaphore(budget.at_once)
        self._queue = asyncio.Lock()
        self._waiting: Counter[int] = Counter()  # by how often their addresses were tried
        self._next_at = 0.0
        self._paused_until = 0.0
        self._raised_at = clock.now()
        self._slowed_at = -1.0
        self._opened_at = -1.0
        self._failed: set[str] = set()  # addresses
        self._in_a_row = 0
        self._openings = 0

    @contextlib.asynccontextmanager
    async def turn(self, tried: int = 0) -> AsyncIterator[float]:
        """Wait for a turn to ask; yields when it began. Raises `HostDown` for a host given up.

        `tried` is how often the address was asked for before: the lowest goes first.
        """
        async with self._slots, contextlib.AsyncExitStack() as queue:
            self._waiting[tried] += 1
            try:
                await self._come_first(tried, queue)
            finally:
                self._waiting[tried] -= 1
            began = self._clock.now()
            # A timer that woke late may catch up, by two requests at most.
            self._next_at = max(self._next_at, began - 2 / self.rate) + 1 / self.rate
            if self._openings == 0:
                await queue.aclose()  # else a probe: the others stay in the queue until it has ended
            yield began

    async def _come_first(self, tried: int, queue: contextlib.AsyncExitStack) -> None:
        """Wait until it is time to ask and no address waits that was tried less; then hold the queue."""
        await queue.enter_async_context(self._queue)
        while True:
            if (wait := self._wait()) > 0:
                await self._clock.sleep(wait)
            elif any(n and less < tried for less, n in self._waiting.items()):
                await queue.aclose()
                await asyncio.sleep(0)  # who was cancelled must be able to leave
                await queue.enter_async_context(self._queue)
            elif (wait := self._use_quota()) > 0:
                await self._clock.sleep(wait)
            else:
                return

    @property
    def given_up(self) -> str | None:
        """Why the host isn't asked any more in this run: `host_down`, `rate_limited` or None."""
        if self._openings > OPENINGS:
            return "host_down"
        return "rate_limited" if self.paused_for > self.budget.patience else None

    def _wait(self) -> float:
        if (reason := self.given_up) is not None:
            raise HostDown(reason, self.name)
        return max(self._next_at - self._clock.now(), self.paused_for)

    def _use_quota(self) -> float:
        """Take a call from the quota, if there is one; else return the seconds until it has one."""
        return self.quota.take() if self.quota is not None else 0.0

    def answered(self, headers: Mapping[str, str]) -> None:
        """Note an answer that was no failure: close the breaker, grow the rate, heed the headers."""
        self._in_a_row = self._openings = 0
        now = self._clock.now()
        if self._paused_until <= now and now - self._raised_at >= 1:
            # Quickly up to where the host last refused, slowly past it: a host may refuse for other
            # reasons than our rate, and must not be slowed down for good by that.
            step = self.budget.rate / 10
            near = self.rate >= 0.9 * self._refused_at
            self.rate = min(self.rate + (step / 5 if near else step), self.budget.max_rate)
            self._raised_at = now
        self._heed(headers, now)

    def _heed(self, headers: Mapping[str, str], now: float) -> None:
        """`x-ratelimit-remaining: 595.0`, `x-ratelimit-reset: 359` (seconds): spread what is left."""
        remaining, reset = _number(headers, "x-ratelimit-remaining"), _number(headers, "x-ratelimit-reset")
        if remaining is None or reset is None:
            return
        if reset > 1e6:  # some hosts give the moment instead
            reset -= time.time()
        if remaining < 1:
            self._pause(now + max(reset, 0))
        elif reset > 0:
            self.rate = min(self.rate, max(remaining / reset, 0.01))

    def limited(self, headers: Mapping[str, str], began: float, wait: float) -> None:
        """Note a 429: all wait for what the host asks (else `wait` s), then go on at 7/10 of the rate.

        Answers to requests that began before the last slowing down don't slow down again.
        """
        now = self._clock.now()
        asked = retry_after(headers)
        self._pause(now + (asked if asked is not None else wait))
        if began > self._slowed_at:
            self._refused_at = self.rate
            self.rate = max(self.rate * 0.7, self.budget.rate / 20)
            self._slowed_at = self._raised_at = now

    def failed(self, url: str, began: float) -> None:
        """Note a failure of the host itself (no connection, 5xx, a deadline): open the breaker after five.

        An address counts once: when it fails again, that may well be its own fault. The end of a crawl
        is nothing but such second tries.
        A request that began before the breaker opened tells nothing new, however late it fails.
        """
        if began <= self._opened_at:
            return
        self._in_a_row += url not in self._failed
        self._failed.add(url)
        if self._in_a_row >= FAILURES_TO_OPEN or self._openings > 0:  # one probe that fails opens it again
            self._opened_at = self._clock.now()
            self._pause(self._opened_at + FIRST_PAUSE * 2**self._openings)
            self._openings += 1

    @property
    def state(self) -> str:
        """Return what the live view shows: `ok`, `slowed`, `paused` or `down`."""
        if self._openings > OPENINGS:
            return "down"
        if self.paused_for > 0:
            return "paused"
        return "slowed" if self.rate < self.budget.rate else "ok"

    def _pause(self, until: float) -> None:
        self._paused_until = max(self._paused_until, until)

    @property
    def paused_for(self) -> float:
        """Seconds until the host may be asked again."""
        return max(0.0, self._paused_until - self._clock.now())


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a `Retry-After` header: `4`, or `Wed, 21 Oct 2026 07:28:00 GMT`."""
    value = headers.get("retry-after")
    if value is None:
        return None
    seconds = _number(headers, "retry-after")
    if seconds is not None:
        return max(0.0, seconds)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - time.time())


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(headers[name])
    except (KeyError, ValueError):
        return None
    return value if math.isfinite(value) else None
