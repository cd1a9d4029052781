"""A dataset on disk as a crawl: its tables are the source of posts, and its images are read from the folder.

Posts come first, then their images. A rerun reads the tables again, writes what has changed, and examines
only the images that the store lacks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

from affectory.core.errors import InputError
from affectory.core.numbers import count
from collectors.crawl.crawl import MakeSource
from collectors.crawl.decode import ImagePolicy
from collectors.crawl.source import NAMED, Failure, Page, Source, Work
from collectors.crawl.workers import HELD, Workers
from collectors.http.client import Client
from collectors.local.images import look
from collectors.local.posts import Tables, image_path
from collectors.store import Store
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
        for rows in _batches(self.tables, POSTS):
            posts = [row for row in rows if isinstance(row, Post)]
            rejected = [row for row in rows if isinstance(row, Rejection)]
            found += len(posts)
            yield Page(name, None, posts, rejected, doing="reading tables")
        notes = [*self.tables.notes, *self.tables.closing_notes()]
        if left := self.store.post_count([name]) - found:
            notes.append(
                f"no longer in the tables, and kept: {count(left, 'post')} of an earlier run; a new --store "
                "has none"
            )
        yield Page(name, None, notes=notes, doing="reading tables")


def make_source(tables: Tables) -> MakeSource:
    """Return the function that builds the source once the store is open."""

    async def make(store: Store, client: Client, stack: AsyncExitStack) -> Source:
        return TableSource(tables, store)

    return make


@dataclass(frozen=True, slots=True)
class FolderImages:
    """The image stage: examine the images of a dataset in worker processes."""

    tables: Tables
    processes: int

    async def __call__(self, work: Work) -> None:
        """Examine every pending image once all posts are collected.

        First those in files, as the store hands them out; then those in tables, in the tables' order.
        """
        await work.collected.wait()
        name = self.tables.name
        waiting = work.store.pending_hosts([name])
        work.progress.doing, work.progress.waiting = "images", waiting
        if not waiting:
            return
        pictures = _Pictures(work, self.tables, waiting)
        examine = partial(look, root=self.tables.folder)
        with Workers(self.processes, work.store.folder, work.run.run_id, ImagePolicy(), examine) as workers:
            for source in (pictures.in_files(), pictures.in_tables()):
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.processes * HELD):
                        group.create_task(pictures.examine(source, workers))
        pictures.check()


@dataclass(slots=True)
class _Pictures:
    """The pending images of a run, and what became of them; `failed` are the first that can't be used."""

    work: Work
    tables: Tables
    waiting: dict[str, int]
    failed: list[str] = field(default_factory=list)
    held: set[str] = field(default_factory=set)

    def in_files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the URLs of images in files; those in tables are put aside, in `held`."""
        name, store = self.tables.name, self.work.store
        while claimed := store.claim(self.work.run, [name], host=name, n=IMAGES):
            for task in claimed:
                if self.tables.holds(task.url):
                    self.held.add(task.url)
                else:
                    yield task.url, b""

    def in_tables(self) -> Iterator[tuple[str, bytes]]:
        """Yield the URLs and bytes of the images in `held`; one that is no longer there has no bytes."""
        for url, data in self.tables.images() if self.held else ():
            if url in self.held:
                self.held.discard(url)
                yield url, data
        yield from ((url, b"") for url in sorted(self.held))

    async def examine(self, images: Iterator[tuple[str, bytes]], workers: Workers) -> None:
        """Examine images one after the other until there are no more; several tasks share them."""
        work = self.work
        for url, data in images:
            with explained(work.store.folder):
                outcome = await workers.keep(data, url)
            if outcome.status != "stored":
                outcome = replace(outcome, retry=True)  # the file may be replaced before a rerun
                if len(self.failed) < NAMED:
                    self.failed.append(f"{image_path(url)} ({(outcome.reason or '').replace('_', ' ')})")
            work.store.settle(url, outcome)
            work.progress.image(outcome)
            self.waiting[self.tables.name] -= 1

    def check(self) -> None:
        """Raise `InputError` if the dataset has images and none can be used."""
        counts = self.work.store.media_counts([self.tables.name])
        if counts and not counts["stored", None]:
            raise InputError(
                f"none of {count(counts.total(), 'image')} can be used: {', '.join(self.failed)}"
                f"{', …' * (counts.total() > len(self.failed))}"
            )


def _batches(rows: Iterable[Post | Rejection], size: int) -> Iterator[list[Post | Rejection]]:
    left = iter(rows)
    while batch := list(islice(left, size)):
        yield batch
