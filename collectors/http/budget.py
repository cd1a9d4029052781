"""A budget of bytes: how much of what is being fetched may be in memory at once, over all hosts.

    budget = ByteBudget(256 * 2**20)
    with budget.share() as share:
        await share.reserve(8_000_000)      # waits until there is room
        ...                                 # read the body, and let a worker decode it

Who comes first is served first, so that large bodies aren't overtaken for ever by small ones. A body that is
larger than the whole budget waits until nothing else is in flight.
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
        """Return a share that holds nothing yet."""
        return Share(self)

    async def take(self, size: int) -> None:
        """Wait until `size` bytes fit, and take them. Cancelling it takes nothing."""
        if not self._waiting and self._fits(size):
            self.used += size
            return
        granted = asyncio.get_running_loop().create_future()
        self._waiting.append((size, granted))
        try:
            await granted
        except asyncio.CancelledError:
            # Cancelled while it waited: the next may fit. Cancelled just after: hand the bytes back.
            self.give(0 if granted.cancelled() else size)
            raise

    def give(self, size: int) -> None:
        """Hand bytes back, and let those go on that fit now."""
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
    """What one body takes of a budget; use as a context manager, which hands it back."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.size = 0

    async def reserve(self, size: int) -> None:
        """Wait until there is room to hold `size` bytes in all, and hold them."""
        await self._budget.take(size - self.size)
        self.size = size

    def shrink(self, size: int) -> None:
        """Hold no more than `size` bytes from now on."""
        if size < self.size:
            surplus, self.size = self.size - size, size
            self._budget.give(surplus)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shrink(0)
