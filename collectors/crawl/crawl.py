"""A crawl from end to end: posts from a source into the store, and their images beside them.

    summary = await crawl(plan, make_source)

Collecting and downloading run at once. Cancelling (Ctrl-C) ends both within a moment; what was
written stays, and the same crawl goes on from there.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from affectory.core.errors import AffectoryError
from affectory.core.progress import Display
from collectors.crawl.download import NEEDS_CLIENT_ID, Downloads, FindAnother
from collectors.crawl.images import ImagePolicy
from collectors.crawl.progress import Progress
from collectors.crawl.selection import Selection
from collectors.crawl.source import Failure, Source
from collectors.crawl.summary import Summary, silent_hosts
from collectors.crawl.workers import Workers
from collectors.http.client import Client
from collectors.store import Store
from collectors.store.record import as_generated
from collectors.store.runs import Run


@dataclass(frozen=True, slots=True)
class Plan:
    """What a crawl does, whatever its source. `communities` are those it was asked for."""

    folder: Path
    command: str
    communities: Sequence[str]
    media: bool = True
    limit: int | None = None
    min_ups: int | None = None
    since: int | None = None
    images: ImagePolicy = field(default_factory=ImagePolicy)
    processes: int = 2
    imgur_client_id: str | None = None
    find_another: Mapping[str, FindAnother] = field(default_factory=dict)
    hopeless: Sequence[str] = ()  # reasons for which a rerun under these options would fail again
    shown_as: str = "r/{}"  # how a community is shown
    generated: bool = False  # a sandbox answers: its posts are marked


#: Builds the source of a crawl, once its client, store and resources are there.
MakeSource = Callable[[Store, Client, AsyncExitStack], Awaitable[Source]]


async def crawl(plan: Plan, client: Client, make_source: MakeSource) -> Summary:
    """Collect posts and fetch their images; return the summary, of a crawl cut short too.

    Raises `AffectoryError` where nothing could be done.
    """
    progress, failures, began = Progress(), list[Failure](), time.monotonic()
    interrupted, trouble = False, None
    with Store.open(plan.folder) as store, store.run(plan.command) as run:
        try:
            await _both(plan, store, run, client, make_source, progress, failures)
        except asyncio.CancelledError:
            interrupted = True
        except AffectoryError as error:
            if progress.posts.total() + progress.images.total() == 0:
                raise
            trouble = error
        by_community = {plan.shown_as.format(c): store.post_count([c]) for c in plan.communities}
        summary = Summary(
            asked=progress.asked,
            posts=progress.posts,
            by_community=by_community,
            media=store.media_counts(plan.communities),
            fetched=progress.images,
            failures=failures,
            silent=silent_hosts(progress.by_host),
            trouble=trouble,
            folder=plan.folder,
            seconds=time.monotonic() - began,
            interrupted=interrupted,
        )
        with suppress(AffectoryError):  # a full disk has been reported already
            store.end(run, str(summary))
    return summary


async def _both(
    plan: Plan,
    store: Store,
    run: Run,
    client: Client,
    make_source: MakeSource,
    progress: Progress,
    failures: list[Failure],
) -> None:
    """Collect and download at once, showing the progress."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(client)
        stack.enter_context(Display(progress.line, progress.view))
        source = await make_source(store, client, stack)
        progress.hosts = client.hosts
        processes = ExitStack()
        stack.enter_context(processes)
        try:
            async with asyncio.TaskGroup() as group:
                downloading = None
                if plan.media:
                    store.requeue(plan.communities, reasons_kept=_hopeless(plan, client))
                    workers = processes.enter_context(
                        Workers(plan.processes, plan.folder, run.run_id, plan.images)
                    )
                    downloads = Downloads(
                        store,
                        run,
                        client,
                        workers,
                        plan.communities,
                        progress,
                        plan.imgur_client_id,
                        plan.find_another,
                    )
                    downloading = group.create_task(downloads.run_all())
                await _collect(plan, store, source, progress, failures)
                if downloading is not None:
                    progress.doing = "fetching images"
                    downloads.collected.set()
                    await downloading
        except BaseExceptionGroup as several:
            raise _first(several) from None


async def _collect(
    plan: Plan, store: Store, source: Source, progress: Progress, failures: list[Failure]
) -> None:
    selection = Selection(store, progress, plan.limit, plan.min_ups, plan.since)
    async for page in source.pages():
        if isinstance(page, Failure):
            failures.append(page)
        else:
            progress.doing = page.doing or plan.shown_as.format(page.community)
            if plan.generated:
                page = replace(page, posts=[as_generated(post) for post in page.posts])
            selection.take(page)
        await asyncio.sleep(0)


def _hopeless(plan: Plan, client: Client) -> list[str]:
    """Reasons for which a rerun under these options would fail again."""
    imgur = [] if plan.imgur_client_id else [NEEDS_CLIENT_ID]
    return [*plan.hopeless, *imgur, *(["noai"] if client.honour_noai else [])]


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error that a group of tasks failed with, a user's error before others."""
    leaves: list[BaseException] = []
    for error in several.exceptions:
        leaves.append(_first(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((error for error in leaves if isinstance(error, AffectoryError)), leaves[0])


def run_command(work: Callable[[], Awaitable[Summary]]) -> Summary:
    """Run a crawl as a command, in an event loop of its own; return its summary.

    Ctrl-C or SIGTERM cancels the crawl, whose summary is returned all the same; a second one ends the program
    at once. Raises `KeyboardInterrupt` where the first came before there was a crawl.
    """

    async def watched() -> Summary:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()

        def stop() -> None:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, lambda: os._exit(130))
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        return await work()

    try:
        return asyncio.run(watched())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
