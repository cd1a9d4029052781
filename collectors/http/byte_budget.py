"""A budget of bytes: how much of the bodies being fetched may be in memory at once, over all hosts.

    budget = ByteBudget(256 * 2**20)
    with budget.share() as share:
        await share.reserve(8_000_000)      # waits until there is room
        ...                                 # read the body, and let a worker decode it

Requests are granted in order, so that small bodies can't starve large ones. A body that is larger than the
whole budget waits until nothing else is in flight.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Self


class ByteBudget:
    """At most `limit` bytes in flight. Belongs to one event loop."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def share(self) -> Share:
        """Return an empty share."""
        return Share(self)

    async def take(self, size: int) -> None:
        """Wait until `size` bytes fit, and take them. When cancelled, nothing is taken."""
        if not self._waiting and self._fits(size):
            self.used += size
            return
        granted = asyncio.get_running_loop().create_future()
        self._waiting.append((size, granted))
        try:
            await granted
        except asyncio.CancelledError:
            # Cancelled while waiting: the next may fit. Cancelled just after the grant: return the bytes.
            self.give(0 if granted.cancelled() else size)
            raise

    def give(self, size: int) -> None:
        """Return bytes, and grant the waiting requests that fit now."""
        self.used -= size
        while self._waiting:
            size, granted = self._waiting[0]
            if not granted.done():
                if not self._fits(size):
                    return
                self.used += size
                granted.set_result(None)
            self._waiting.popleft()

    def _fits(self, size: int) -> bool:
        return self.used == 0 or self.used + size <= self.limit


class Share:
    """The bytes that one body takes of a budget; a context manager, which returns them at the end."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.size = 0

    async def reserve(self, size: int) -> None:
        """Wait until `size` bytes in total fit, and take them."""
        await self._budget.take(size - self.size)
        self.size = size

    def shrink(self, size: int) -> None:
        """Return all but `size` bytes."""
        if size < self.size:
            surplus, self.size = self.size - size, size
            self._budget.give(surplus)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shrink(0)
