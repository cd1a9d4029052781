"""The image stage of a crawl: from addresses that wait in the store to files, host by host.

Each host has its own queue and its own pace, so that a slow one holds up no other. Addresses are
claimed from the store a few at a time; an outcome is written as soon as it is known.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from collectors.answers import FetchError
from collectors.fetch import Client
from collectors.imgur import ALBUM_KINDS, album_images
from collectors.layout import explained
from collectors.progress import Progress
from collectors.record import MediaStatus, Outcome
from collectors.runs import Run
from collectors.store import Store, Task
from collectors.workers import Workers

#: What a rerun can't mend without an imgur client id.
NEEDS_CLIENT_ID = "album_needs_client_id"

#: Finds another address of a picture whose own is gone. Raises `FetchError`: with `retry` where a rerun may
#: know more.
FindAnother = Callable[[Client, str], Awaitable[str]]


@dataclass(slots=True)
class Downloads:
    """Fetch what waits in `store` for `communities`, until `collected` is set and nothing waits."""

    store: Store
    run: Run
    client: Client
    workers: Workers
    communities: Sequence[str]
    progress: Progress
    imgur_client_id: str | None = None
    find_another: Mapping[str, FindAnother] = field(default_factory=dict)  # by kind
    collected: asyncio.Event = field(default_factory=asyncio.Event)
    _hosts: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def run_all(self) -> None:
        """Keep one task for each host that has addresses waiting. Cancelling it cancels them all."""
        try:
            while True:
                last_look = self.collected.is_set()
                waiting = self.store.pending_hosts(self.communities)
                self.progress.waiting = waiting
                for host in waiting.keys() - self._hosts.keys():
                    self._hosts[host] = asyncio.create_task(self._drain(host))
                if not self._hosts and last_look:
                    return
                await self._look_again()
        finally:
            for task in self._hosts.values():
                task.cancel()
            await asyncio.gather(*self._hosts.values(), return_exceptions=True)

    async def _look_again(self) -> None:
        """Wait for a host to be done, or half a second for new posts."""
        tasks = list(self._hosts.values())
        if tasks:
            await asyncio.wait(tasks, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
        else:
            try:
                await asyncio.wait_for(self.collected.wait(), 0.5)
            except TimeoutError:
                pass
        for host in [host for host, task in self._hosts.items() if task.done()]:
            self._hosts.pop(host).result()  # raises what the task raised

    async def _drain(self, host: str) -> None:
        """Fetch a host's addresses, as many at once as its budget allows, until none waits."""
        at_once = self.client.host(f"https://{host}/").budget.at_once
        claimed: deque[Task] = deque()

        async def work() -> None:
            while True:
                if not claimed:
                    claimed.extend(self.store.claim(self.run, self.communities, host=host, n=2 * at_once))
                if not claimed:
                    return
                await self._settle(claimed.popleft())

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())

    async def _settle(self, task: Task) -> None:
        if task.kind in ALBUM_KINDS:
            outcome = await self._open_album(task)
            if outcome is None:
                return
        else:
            outcome = await self._fetch(task)
        self.store.settle(task.url, outcome)
        self.progress.image(outcome)

    async def _open_album(self, task: Task) -> Outcome | None:
        """Put an album's images in its place (None), or say why it can't be opened.

        Without a client id the album stays closed: i.imgur.com/ALBUM.jpg may be an unrelated picture,
        for albums and images are numbered apart. Reddit's preview, where there is one, is its cover.
        """
        if self.imgur_client_id is None:
            missing = Outcome("failed", NEEDS_CLIENT_ID, detail="set IMGUR_CLIENT_ID", retry=True)
            return await self._second(task, missing)
        try:
            images = await album_images(self.client, task.url, task.kind, self.imgur_client_id)
        except FetchError as error:
            return await self._second(task, as_outcome(error))
        self.store.replace_media(task.url, images)
        self.progress.album()
        return None

    async def _fetch(self, task: Task) -> Outcome:
        return await self._second(task, await self._fetch_one(task.url))

    async def _second(self, task: Task, first: Outcome) -> Outcome:
        """Where an address gave no image, try the second one of its picture. A refusal holds for both."""
        if first.status in ("stored", "refused"):
            return first
        url = task.fallback_url
        if first.status == "gone" and url is None and task.kind in self.find_another:
            try:
                url = await self.find_another[task.kind](self.client, task.url)
            except FetchError as error:
                return as_outcome(error) if error.retry else first
        if url is not None:
            second = await self._fetch_one(url)
            if second.status == "stored":
                return second
        return first

    async def _fetch_one(self, url: str) -> Outcome:
        try:
            answer = await self.client.get(url)
        except FetchError as error:
            return as_outcome(error)
        with explained(self.store.folder):
            outcome = await self.workers.keep(answer.body, answer.url)
        return replace(outcome, final_url=answer.url, robots=answer.robots)


def as_outcome(error: FetchError) -> Outcome:
    """Return a failed fetch as the outcome of its address."""
    if error.reason == "noai":
        return Outcome("refused", "noai", detail=error.detail, robots=error.detail)
    status: MediaStatus = "gone" if error.gone else "failed"
    return Outcome(status, error.reason, detail=error.detail, retry=error.retry)
