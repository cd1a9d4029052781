"""A crawl from end to end: posts from a source into the store, and their images with them.

    summary = await crawl(plan, client, make_source)

Posts are collected and images downloaded at the same time. Cancelling (Ctrl-C) stops both within a second;
what was written stays, and the same crawl resumes from there.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from affectory.core.command import Terminated
from affectory.core.errors import AffectoryError
from affectory.core.numbers import count
from affectory.core.output import say
from affectory.core.progress import Display
from collectors.crawl.decode import ImagePolicy
from collectors.crawl.download import NEEDS_CLIENT_ID, Downloads, FindAnother
from collectors.crawl.progress import Progress
from collectors.crawl.selection import Selection
from collectors.crawl.shard import Shard
from collectors.crawl.source import Failure, ImageStage, Page, Source, Work
from collectors.crawl.summary import Summary, silent_hosts
from collectors.crawl.workers import Workers
from collectors.http.client import Client
from collectors.store import Store, keys
from collectors.store.record import Rejection, as_generated


@dataclass(frozen=True, slots=True)
class Plan:
    """What a crawl does, whatever its source.

    `communities` are those that were asked for; `since` is in Unix seconds. `find_another` finds other
    addresses of images that are gone, by kind of media. A rerun doesn't retry images that failed for one of
    the `hopeless` reasons. `image_stage` replaces the download of images. `shown_as` is how the summary
    shows a community (None: it doesn't), and `rejected_shown` how many rejected rows of each reason it lists.
    `shard` is the part of the posts that is kept. `generated` marks the posts: they come from a sandbox.
    `new_author_key` replaces a lost key.

    A community may be a listing of other communities' posts, such as r/all: the images of those communities
    are fetched, too.
    """

    folder: Path
    command: str
    communities: Sequence[str]
    media: bool = True
    limit: int | None = None
    min_ups: int | None = None
    since: int | None = None
    shard: Shard = field(default_factory=Shard)
    images: ImagePolicy = field(default_factory=ImagePolicy)
    processes: int = 2
    imgur_client_id: str | None = None
    find_another: Mapping[str, FindAnother] = field(default_factory=dict)
    hopeless: Sequence[str] = ()
    image_stage: ImageStage | None = None
    shown_as: str | None = "{}"
    rejected_shown: int = 0
    generated: bool = False
    new_author_key: bool = False


#: How many of the communities that listings show are named in the summary; the others are counted.
COMMUNITIES_NAMED = 10

#: Said before a shard's store gets a key of its own.
SHARE_KEY = (
    "note: author.key is new: copy it into the folder of each other shard's store before its first run, or "
    "affectory merge has to leave out the authors"
)

#: Builds the source of a crawl from its open store, its client, and a stack that closes what it opens.
MakeSource = Callable[[Store, Client, AsyncExitStack], Awaitable[Source]]


@dataclass(slots=True)
class _Report:
    """What the closing summary says besides the counts; `shown` rejected rows of each reason are listed."""

    shown: int
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _rejected: dict[str, list[str]] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)

    def reject(self, rows: Iterable[Rejection]) -> None:
        for row in rows:
            self._counts[row.reason] += 1
            if self._counts[row.reason] <= self.shown:
                self._rejected.setdefault(row.reason, []).append(row.detail)

    def lines(self) -> list[str]:
        """Return the first rejected rows of each reason, then the notes."""
        lines = []
        for reason, details in self._rejected.items():
            name = reason.replace("_", " ")
            lines += [f"{name}: {detail}" for detail in details]
            if more := self._counts[reason] - len(details):
                lines.append(f"{name}: {count(more, 'row')} more")
        return lines + self.notes


async def crawl(plan: Plan, client: Client, make_source: MakeSource) -> Summary:
    """Collect posts and their images; return the summary, also that of an interrupted crawl.

    Raises `AffectoryError` if nothing could be done.
    """
    progress, report, began = Progress(), _Report(plan.rejected_shown), time.monotonic()
    interrupted, trouble = False, None
    with Store.open(plan.folder) as store, store.run(plan.command) as run:
        if plan.new_author_key and store.renew_author_key():
            say("note: author.key is new: the same author has another hash in new posts than in earlier ones")
        if not plan.shard.is_all and not (plan.folder / keys.NAME).exists():
            say(SHARE_KEY)
        communities = [*plan.communities, *store.reached(plan.communities)]
        work = Work(store, run, progress, asyncio.Event(), communities)
        try:
            await _both(plan, work, client, make_source, report)
        except asyncio.CancelledError:
            interrupted = True
        except AffectoryError as error:
            if progress.posts.total() + progress.images.total() == 0:
                raise
            trouble = error
        summary = Summary(
            asked=progress.asked,
            posts=progress.posts,
            by_community=_by_community(plan, work) if plan.shown_as else {},
            media=store.media_counts(communities),
            fetched=progress.images,
            failures=report.failures,
            silent=silent_hosts(progress.by_host),
            refusals=store.refusals(communities),
            robots_unknown=client.robots_unknown,
            trouble=trouble,
            folder=plan.folder,
            seconds=time.monotonic() - began,
            interrupted=interrupted,
            notes=report.lines(),
        )
        with suppress(AffectoryError):  # a full disk has been reported already
            store.end(run, str(summary))
    return summary


def _by_community(plan: Plan, work: Work) -> dict[str, int]:
    """Return the posts of each community that was asked for, then of those that listings show."""
    counts = {name: work.store.post_count([name]) for name in work.communities}
    asked = [name for name in plan.communities if counts[name] or not work.store.reached([name])]
    others = [name for name in counts if name not in plan.communities and counts[name]]
    others.sort(key=lambda name: (-counts[name], name))
    named = [*asked, *others[:COMMUNITIES_NAMED]]
    shown = {(plan.shown_as or "{}").format(name): counts[name] for name in named}
    if rest := others[COMMUNITIES_NAMED:]:
        shown[count(len(rest), "other")] = sum(counts[name] for name in rest)
    return shown


async def _both(plan: Plan, work: Work, client: Client, make_source: MakeSource, report: _Report) -> None:
    """Collect posts and get their images at the same time, and show the progress."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(client)
        stack.enter_context(Display(work.progress.line, work.progress.view))
        source = await make_source(work.store, client, stack)
        work.progress.hosts = client.hosts
        get_images = plan.image_stage or partial(_download, plan, client)
        try:
            async with asyncio.TaskGroup() as group:
                images: asyncio.Task[None] | None = None
                if plan.media:
                    work.store.requeue(
                        work.communities, reasons_kept=_hopeless(plan), refused=not client.honour_robots
                    )
                    images = group.create_task(get_images(work))
                await _collect(plan, work, source, report)
                if images is not None:
                    work.progress.doing = "fetching images"
                    work.collected.set()
                    await images
        except BaseExceptionGroup as several:
            raise _first(several) from None


async def _download(plan: Plan, client: Client, work: Work) -> None:
    """Download the images: the image stage of sites that don't define another one."""
    with Workers(plan.processes, plan.folder, work.run.run_id, plan.images) as workers:
        await Downloads(
            work.store,
            work.run,
            client,
            workers,
            work.communities,
            work.progress,
            plan.imgur_client_id,
            plan.find_another,
            work.collected,
        ).run_all()


async def _collect(plan: Plan, work: Work, source: Source, report: _Report) -> None:
    """Write the source's posts to the store, page by page."""
    selection = Selection(work.store, work.progress, plan.limit, plan.min_ups, plan.since, plan.shard)
    async for page in source.pages():
        if isinstance(page, Failure):
            report.failures.append(page)
        else:
            work.progress.doing = page.doing or (plan.shown_as or "{}").format(page.community)
            if plan.generated:
                page = replace(page, posts=[as_generated(post) for post in page.posts])
            _reach(plan, work, page)
            selection.take(page)
            report.reject(page.rejected)
            report.notes += page.notes
        await asyncio.sleep(0)


def _reach(plan: Plan, work: Work, page: Page) -> None:
    """Add communities that weren't asked for to those whose images are fetched, now and by later runs."""
    found = {post.community for post in page.posts}
    if found - set(plan.communities):
        work.store.reach(page.community, found)
        work.communities.extend(sorted(found - set(work.communities)))


def _hopeless(plan: Plan) -> list[str]:
    """Return the reasons for which a rerun with these options would fail again."""
    imgur = [] if plan.imgur_client_id else [NEEDS_CLIENT_ID]
    return [*plan.hopeless, *imgur]


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return one of the errors that a group of tasks failed with, preferably an `AffectoryError`."""
    leaves: list[BaseException] = []
    for error in several.exceptions:
        leaves.append(_first(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((error for error in leaves if isinstance(error, AffectoryError)), leaves[0])


def run_command(work: Callable[[], Awaitable[Summary]]) -> Summary:
    """Run a crawl as a command, in a new event loop; return its summary.

    Ctrl-C or SIGTERM cancels the crawl, whose summary is returned all the same; a second one ends the program
    at once. Raises `KeyboardInterrupt` or `Terminated` if the first came before the crawl began.
    """
    stopped_by = signal.SIGINT

    async def watched() -> Summary:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()

        def stop(number: signal.Signals) -> None:
            nonlocal stopped_by
            stopped_by = number
            for second in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(second, os._exit, 128 + second)
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
        return await work()

    try:
        return replace(asyncio.run(watched()), stopped_by=stopped_by)
    except asyncio.CancelledError:
        raise (Terminated if stopped_by == signal.SIGTERM else KeyboardInterrupt) from None


def run_in_thread(work: Callable[[], Awaitable[Summary]]) -> Summary:
    """Run a crawl for a program that goes on afterwards, such as a notebook; return its summary.

    The crawl has a thread with an event loop of its own, because the caller's may be running already; signal
    handlers stay the caller's. Ctrl-C cancels the crawl, and its summary is printed before
    `KeyboardInterrupt` goes on to the caller; a second Ctrl-C doesn't wait for that.
    """
    began: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()
    done: Future[Summary] = Future()

    async def watched() -> Summary:
        began.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work()

    def run() -> None:
        try:
            done.set_result(asyncio.run(watched()))
        except BaseException as error:
            done.set_exception(error)

    try:
        threading.Thread(target=run, name="crawl", daemon=True).start()
        while not wait(
            [done], timeout=0.5
        ).done:  # Ctrl-C doesn't end a wait if another thread got the signal
            pass
        return done.result()
    except KeyboardInterrupt:
        loop, task = began.result()
        assert task is not None
        with suppress(RuntimeError):  # the loop is closed: the crawl has just ended by itself
            loop.call_soon_threadsafe(task.cancel)
        with suppress(asyncio.CancelledError):  # before the crawl had a store
            say(str(done.result()))
        raise
