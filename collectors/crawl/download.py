"""The image stage of a crawl that downloads: from URLs that are pending in the store to files.

Each host has its own queue and its own rate, so that a slow host doesn't delay the others. URLs are claimed
from the store a few at a time, and each outcome is written as soon as it is known. A URL that failed for a
temporary reason is retried once no other URL of its host is waiting for its first try.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from collectors.crawl.progress import Progress
from collectors.crawl.workers import Workers
from collectors.http.answers import FetchError
from collectors.http.client import Client
from collectors.http.consent import refusing
from collectors.http.hosts import Clock, Host
from collectors.imgur.albums import ALBUM_KINDS, API_HOST, album_images
from collectors.store import Store, Task
from collectors.store.layout import explained
from collectors.store.record import MediaStatus, Outcome
from collectors.store.runs import Run

#: Why an album isn't opened: a rerun can do so if it has an imgur client id.
NEEDS_CLIENT_ID = "album_needs_client_id"

#: Seconds between two looks for new URLs in the store while failed ones wait for their retry.
LOOK_AGAIN = 1.0

#: The share of a crawl's time that looking for hosts with pending images may take at most. In a store with
#: 100,000 of them a look takes up to 0.4 s, in which nothing else is done.
LOOKING = 0.05

#: Finds another URL of an image whose own is gone. Raises `FetchError`, with `retry` if a rerun may find one.
FindAnother = Callable[[Client, str], Awaitable[str]]


@dataclass(order=True, slots=True)
class Turn:
    """A URL to fetch, no earlier than `not_before`, after `tries` in this run, the last with `failure`."""

    not_before: float
    task: Task = field(compare=False)
    tries: int = field(default=0, compare=False)
    failure: FetchError | None = field(default=None, compare=False)


class Turns:
    """The queue of a host's URLs: first those pending in the store, then those that are to be retried."""

    def __init__(self, claim: Callable[[], list[Task]], host: Host, clock: Clock) -> None:
        self._claim, self._host, self._clock = claim, host, clock
        self._claimed: deque[Task] = deque()
        self._failed: list[Turn] = []  # a heap
        self._lock = asyncio.Lock()  # one task claims from the store at a time

    async def next(self) -> Turn | None:
        """Return the next URL to fetch, once its time has come, or None if none is left."""
        async with self._lock:
            while True:
                if not self._claimed:
                    self._claimed.extend(self._claim())
                if self._claimed:
                    return Turn(0.0, self._claimed.popleft())
                if not self._failed:
                    return None
                pause = self._failed[0].not_before - self._clock.now()
                if pause <= 0 or self._host.given_up:
                    return heapq.heappop(self._failed)
                await self._clock.sleep(min(pause, LOOK_AGAIN))

    def again(self, task: Task, tries: int, failure: FetchError, pause: float) -> None:
        """Retry a URL after `pause` seconds."""
        heapq.heappush(self._failed, Turn(self._clock.now() + pause, task, tries, failure))


@dataclass(slots=True)
class Downloads:
    """Fetch the pending images of `communities`, until `collected` is set and none is pending.

    `find_another` is by kind of media.
    """

    store: Store
    run: Run
    client: Client
    workers: Workers
    communities: Sequence[str]
    progress: Progress
    imgur_client_id: str | None = None
    find_another: Mapping[str, FindAnother] = field(default_factory=dict)
    collected: asyncio.Event = field(default_factory=asyncio.Event)
    _hosts: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def run_all(self) -> None:
        """Run one task for each host with pending URLs. Cancelling it cancels them all."""
        try:
            while True:
                last_look = self.collected.is_set()
                began = time.monotonic()
                waiting = self.store.pending_hosts(self.communities)
                not_before = began + (time.monotonic() - began) / LOOKING
                self.progress.waiting = waiting
                for host in waiting.keys() - self._hosts.keys():
                    self._hosts[host] = asyncio.create_task(self._drain(host))
                if not self._hosts and last_look:
                    return
                await self._look_again()
                while self._hosts and time.monotonic() < not_before:
                    await self._look_again()
        finally:
            for task in self._hosts.values():
                task.cancel()
            await asyncio.gather(*self._hosts.values(), return_exceptions=True)

    async def _look_again(self) -> None:
        """Wait until a host's queue is empty, at most half a second: there may be new posts."""
        tasks = list(self._hosts.values())
        if tasks:
            await asyncio.wait(tasks, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
        else:
            try:
                await asyncio.wait_for(self.collected.wait(), 0.5)
            except TimeoutError:
                pass
        for host in [host for host, task in self._hosts.items() if task.done()]:
            self._hosts.pop(host).result()  # raises the task's error

    async def _drain(self, host: str) -> None:
        """Fetch a host's URLs, as many at once as its budget allows, until none is left."""
        state = self.client.host(f"https://{host}/")
        at_once = state.budget.at_once

        def claim() -> list[Task]:
            return self.store.claim(self.run, self.communities, host=host, n=2 * at_once)

        turns = Turns(claim, state, self.client.clock)

        async def work() -> None:
            while (turn := await turns.next()) is not None:
                await self._take(turn, turns, host)

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())

    async def _take(self, turn: Turn, turns: Turns, host: str) -> None:
        """Fetch a URL and write its outcome, or queue it for a retry."""
        task, tries = turn.task, turn.tries
        is_album = task.kind in ALBUM_KINDS
        try:
            if is_album:
                await self._open_album(task)
                return
            first = await self._fetch_one(task.url, attempts=1, tried=task.attempts + tries)
            tries += 1
        except FetchError as error:
            tries += error.asked
            # Calls of imgur's API are retried by `album_images`.
            if error.again and not is_album and tries < self.client.limits.attempts:
                turns.again(task, tries, error, self.client.limits.pause(tries))
                return
            # If the host has been given up since, the URL's own failure says more.
            first = as_outcome(error if error.asked else turn.failure or error)
        outcome = await self._second(task, first)
        self.store.settle(task.url, outcome, tries=tries)
        self.progress.image(outcome)
        # An image from a second URL counts as an answer of this host; a failure there doesn't concern it.
        own = outcome if outcome.status == "stored" else first
        self.progress.answered(API_HOST if is_album else host, own)

    async def _open_album(self, task: Task) -> None:
        """Replace an album by its images. Raises `FetchError` if it can't be opened.

        That needs a client id: i.imgur.com/ALBUM.jpg may be an unrelated image, because albums and images
        have separate ids. If there is a preview by Reddit, it shows the album's cover.
        """
        if self.imgur_client_id is None:
            raise FetchError(NEEDS_CLIENT_ID, detail="set IMGUR_CLIENT_ID", retry=True, asked=False)
        images = await album_images(self.client, task.url, task.kind, self.imgur_client_id)
        self.store.replace_media(task.url, images)
        self.progress.album()

    async def _second(self, task: Task, first: Outcome) -> Outcome:
        """If a URL gave no image, try the second one of the same image. A refusal applies to both."""
        if first.status in ("stored", "refused"):
            return first
        url = task.fallback_url
        if first.status == "gone" and url is None and task.kind in self.find_another:
            try:
                url = await self.find_another[task.kind](self.client, task.url)
            except FetchError as error:
                return as_outcome(error) if error.retry else first
        if url is not None:
            try:
                second = await self._fetch_one(url)
            except FetchError as error:
                return as_outcome(error) if error.refused_by else first
            if second.status == "stored":
                # A preview is smaller: a rerun asks for the original again if it may succeed then.
                reason, detail = (first.reason, first.detail) if first.retry else (None, None)
                return replace(second, retry=first.retry, reason=reason, detail=detail)
        return first

    async def _fetch_one(self, url: str, *, attempts: int | None = None, tried: int = 0) -> Outcome:
        async with self.client.getting(url, image=True, attempts=attempts, tried=tried) as answer:
            with explained(self.store.folder):
                outcome = await self.workers.keep(answer.body, answer.url)
        refused_by = refusing(answer.signals)
        return replace(outcome, final_url=answer.url, signals=answer.signals, refused_by=refused_by)


def as_outcome(error: FetchError) -> Outcome:
    """Return the outcome of a URL whose fetch failed."""
    status: MediaStatus = "refused" if error.refused_by else "gone" if error.gone else "failed"
    return Outcome(
        status,
        error.reason,
        detail=error.detail,
        retry=error.retry,
        signals=error.signals,
        refused_by=error.refused_by,
    )
