"""A dataset on disk as a crawl: its tables are the source of posts, and its images are read from the folder.

Posts come first, then their images. A rerun reads the tables again, writes what has changed, and examines
only the images that the store lacks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from collectors.crawl.crawl import MakeSource
from collectors.crawl.decode import ImagePolicy
from collectors.crawl.source import Failure, Page, Source, Work
from collectors.crawl.workers import HELD, Workers
from collectors.http.client import Client
from collectors.local.images import look
from collectors.local.posts import Tables
from collectors.store import Store, Task
from collectors.store.layout import explained
from collectors.store.record import Post, Rejection

#: Posts in a page, and images claimed at once.
POSTS, IMAGES = 1000, 500

#: Rejected rows of each reason that the summary lists.
REJECTED_SHOWN = 5


@dataclass(frozen=True, slots=True)
class TableSource:
    """The posts of a dataset's tables."""

    tables: Tables
    store: Store

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Yield the rows in the tables' order."""
        name, found = self.tables.name, 0
        yield Page(name, None, notes=self.tables.notes, doing="reading tables")
        for rows in _batches(self.tables, POSTS):
            posts = [row for row in rows if isinstance(row, Post)]
            rejected = [row for row in rows if isinstance(row, Rejection)]
            found += len(posts)
            yield Page(name, None, posts, rejected, doing="reading tables")
        notes = self.tables.empty() + self.tables.unmatched()
        if left := self.store.post_count([name]) - found:
            notes.append(
                f"{left:,} posts of an earlier run are no longer in the tables, and stay: a new --store has "
                "none"
            )
        yield Page(name, None, notes=notes, doing="reading tables")


def make_source(tables: Tables) -> MakeSource:
    """Return the function that builds the source once the store is open."""

    async def make(store: Store, client: Client, stack: AsyncExitStack) -> Source:
        return TableSource(tables, store)

    return make


@dataclass(frozen=True, slots=True)
class FolderImages:
    """The image stage: examine the images of the dataset `name` in `folder`, in worker processes."""

    name: str
    folder: Path
    processes: int

    async def __call__(self, work: Work) -> None:
        """Examine every pending image once all posts are collected."""
        await work.collected.wait()
        waiting = work.store.pending_hosts([self.name])
        work.progress.doing, work.progress.waiting = "images", waiting
        if not waiting:
            return
        examine = partial(look, root=self.folder.resolve())
        store, claimed = work.store.folder, deque[Task]()
        with Workers(self.processes, store, work.run.run_id, ImagePolicy(), examine) as workers:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.processes * HELD):
                    group.create_task(self._examine(work, workers, claimed, waiting))

    async def _examine(
        self, work: Work, workers: Workers, claimed: deque[Task], waiting: dict[str, int]
    ) -> None:
        """Examine images one after the other until none is pending."""
        while True:
            if not claimed:
                claimed.extend(work.store.claim(work.run, [self.name], host=self.name, n=IMAGES))
            if not claimed:
                return
            task = claimed.popleft()
            with explained(work.store.folder):
                outcome = await workers.keep(b"", task.url)
            if outcome.status != "stored":
                outcome = replace(outcome, retry=True)  # the file may be replaced before a rerun
            work.store.settle(task.url, outcome)
            work.progress.image(outcome)
            waiting[self.name] -= 1


def _batches(rows: Iterable[Post | Rejection], size: int) -> Iterator[list[Post | Rejection]]:
    left = iter(rows)
    while batch := list(islice(left, size)):
        yield batch
