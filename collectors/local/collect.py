"""From a folder on disk to a crawl store: posts first, then their images.

A rerun reads the tables again, writes what has changed, and examines only the images that the store lacks.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from affectory.core.errors import AffectoryError
from affectory.core.progress import Display
from collectors.crawl.images import ImagePolicy
from collectors.crawl.progress import Progress
from collectors.crawl.summary import Summary
from collectors.crawl.workers import HELD, Workers
from collectors.local.images import look
from collectors.local.posts import Tables
from collectors.local.source import Local
from collectors.store import Store, Task
from collectors.store.layout import explained
from collectors.store.record import Post, Rejection
from collectors.store.runs import Run

#: Posts written, and images claimed, at once.
POSTS, IMAGES = 1000, 500

#: Rows of a reason that the closing summary shows.
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What to collect, and where to."""

    name: str
    folder: Path
    source: Local
    store: Path
    command: str
    processes: int


async def collect(plan: Plan) -> Summary:
    """Make a store of a folder; return the summary, of a run cut short too. Raises `AffectoryError`."""
    progress, rejected, began = Progress(doing="reading tables"), list[Rejection](), time.monotonic()
    interrupted, trouble = False, None
    tables = Tables.open(plan.name, plan.folder, plan.source)
    with Store.open(plan.store) as store, store.run(plan.command) as run:
        try:
            with Display(progress.line, progress.view):
                await _posts(tables, store, progress, rejected)
                await _images(plan, store, run, progress)
        except asyncio.CancelledError:
            interrupted = True
        except AffectoryError as error:
            if not progress.asked:
                raise
            trouble = error
        summary = Summary(
            asked=progress.asked,
            posts=progress.posts,
            by_community={},
            media=store.media_counts([plan.name]),
            fetched=progress.images,
            failures=(),
            trouble=trouble,
            folder=plan.store,
            seconds=time.monotonic() - began,
            interrupted=interrupted,
            notes=[
                *_details(rejected),
                *tables.notes,
                *([] if interrupted else _left(plan, store, progress)),
            ],
        )
        with suppress(AffectoryError):  # a full disk has been reported already
            store.end(run, str(summary))
    return summary


async def _posts(tables: Tables, store: Store, progress: Progress, rejected: list[Rejection]) -> None:
    """Write the tables' posts, and count every row."""
    for rows in _batches(tables, POSTS):
        posts = [row for row in rows if isinstance(row, Post)]
        refused = [row for row in rows if isinstance(row, Rejection)]
        progress.posts += store.add(posts) + Counter(row.reason for row in refused)
        progress.asked += len(rows)
        rejected += refused
        await asyncio.sleep(0)


async def _images(plan: Plan, store: Store, run: Run, progress: Progress) -> None:
    """Examine every pending image, as many at once as the worker processes hold.

    A rerun examines again whatever wasn't stored, for the file may have been replaced.
    """
    store.requeue([plan.name])
    waiting = store.pending_hosts([plan.name])
    progress.doing, progress.waiting = "images", waiting
    claimed: deque[Task] = deque()

    async def work(workers: Workers) -> None:
        while True:
            if not claimed:
                claimed.extend(store.claim(run, [plan.name], host=plan.name, n=IMAGES))
            if not claimed:
                return
            task = claimed.popleft()
            with explained(plan.store):
                outcome = await workers.keep(b"", task.url)
            if outcome.status != "stored":
                outcome = replace(outcome, retry=True)
            store.settle(task.url, outcome)
            progress.image(outcome)
            waiting[plan.name] -= 1

    if waiting:
        examine = partial(look, root=plan.folder.resolve())
        with Workers(plan.processes, plan.store, run.run_id, ImagePolicy(), examine) as workers:
            tasks = [asyncio.create_task(work(workers)) for _ in range(plan.processes * HELD)]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


def _batches(rows: Iterable[Post | Rejection], size: int) -> Iterator[list[Post | Rejection]]:
    left = iter(rows)
    while batch := list(islice(left, size)):
        yield batch


def _details(rejected: Iterable[Rejection]) -> list[str]:
    """Return the first rows of each reason, with the value that caused it."""
    by_reason: dict[str, list[str]] = {}
    for row in rejected:
        by_reason.setdefault(row.reason, []).append(row.detail)
    lines = []
    for reason, details in by_reason.items():
        lines += [f"{reason.replace('_', ' ')}: {detail}" for detail in details[:SHOWN]]
        if len(details) > SHOWN:
            lines.append(f"{reason.replace('_', ' ')}: {len(details) - SHOWN:,} rows more")
    return lines


def _left(plan: Plan, store: Store, progress: Progress) -> list[str]:
    """Say so where the store holds posts that the tables no longer do."""
    left = store.post_count([plan.name]) - sum(progress.posts[kind] for kind in ("new", "updated", "known"))
    if not left:
        return []
    return [f"{left:,} posts of an earlier run are no longer in the tables, and stay: a new --store has none"]
