"""The per-row stages of a build, run over the shards of a store by several processes.

A shard's kept and dropped rows are written as Arrow files in the build's folder; what comes after
reads of them only the columns it needs.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Self, TypeVar

import pyarrow as pa

from affectory.core.errors import AffectoryError
from curation.filters.language import Language
from curation.filters.removed import Removed
from curation.filters.stage import DROPPED, with_column
from curation.recipe.recipe import Recipe
from curation.rows import snapshot
from curation.rows.read import Shard, read

T = TypeVar("T")


class Engine:
    """The processes of a build, which end with it. With one worker everything runs in this process."""

    def __init__(self, workers: int) -> None:
        self._pool: ProcessPoolExecutor | None = None
        if workers > 1:
            context = _forkserver()
            self._theirs, self._ours = context.Pipe(duplex=False)
            self._giving = ThreadPoolExecutor(1)
            self._pool = ProcessPoolExecutor(
                workers, mp_context=context, initializer=_obey, initargs=(self._theirs,)
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._pool is None:
            return
        self._giving.shutdown()
        if kind is not None:
            self._ours.close()  # what is in hand is for nothing
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._ours.close()
        self._theirs.close()

    def map(self, work: Callable[..., T], items: Iterable[Any], *common: object) -> Iterator[T]:
        """Yield `work(item, *common)` for each item, in order.

        Raises `AffectoryError` where a process is killed from outside, as by a kernel without memory.
        """
        if self._pool is None:
            yield from (work(item, *common) for item in items)
            return
        # Not in this thread, where Ctrl-C would cut the start of a process in two and lose it.
        given = self._giving.submit(_give, self._pool, work, items, common)
        try:
            for job in given.result():
                yield job.result()
        except BrokenProcessPool:
            raise AffectoryError(
                "a process of this build was killed, most often for want of memory: "
                "close other programs, or take fewer with --workers 1"
            ) from None


def _give(
    pool: ProcessPoolExecutor, work: Callable[..., T], items: Iterable[Any], common: Sequence[object]
) -> list[Future[T]]:
    return [pool.submit(work, item, *common) for item in items]


def _forkserver() -> ForkServerContext:
    """Start the server that forks the workers, with Ctrl-C blocked, which they inherit: it is the build's."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["curation.rows.shards", "curation.release.exporters.parquet"])
    resource_tracker.ensure_running()  # else the server starts it, and it unblocks what was blocked
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


def _obey(build: Connection) -> None:
    """End when the build hangs up, which its death by SIGKILL does too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a server that ran before this build has it unblocked
    threading.Thread(target=_end_with, args=(build,), daemon=True).start()


def _end_with(build: Connection) -> None:
    wait([build])
    os._exit(1)


def process(shard: Shard, folder: Path, recipe: Recipe, scratch: Path, every_medium: bool = False) -> Shard:
    """Run the recipe's filters over a shard in their order; write what is kept and dropped to `scratch`.

    `scratch` holds the snapshot with the rows, `folder` is the store with the images. With `every_medium`
    each medium of a post is a row.
    """
    from curation.filters import FILTERS
    from curation.rows.pixels import look, without_images

    with snapshot.opened(scratch) as db:
        table = read(db, shard, recipe, every_medium=every_medium)
    table = described(table, recipe)
    # Whatever the recipe filters: a removed post has no content, and is never published.
    table, lost = FILTERS["removed"].apply(table, Removed(use="removed"))
    dropped = [lost]
    for options in recipe.filters:
        table, lost = FILTERS[options.use].apply(table, options)
        dropped.append(lost)
    if recipe.images.which == "none":
        table = without_images(table)
    else:
        table, lost = look(table, folder, recipe.images)
        dropped.append(lost)
    write(table, scratch / f"kept-{shard.number:06}.arrow")
    write(pa.concat_tables([DROPPED.empty_table(), *dropped]), scratch / f"dropped-{shard.number:06}.arrow")
    return shard


def described(table: pa.Table, recipe: Recipe) -> pa.Table:
    """Fill in each row's language and number of words, whether a filter asks for them or not."""
    from curation.measure.language import identify
    from curation.measure.words import count_words

    asked = next((f for f in recipe.filters if isinstance(f, Language)), None)
    texts = table["text"].to_pylist()
    codes, scores = identify(texts, engine=asked.engine if asked else "fasttext")
    table = with_column(table, "language", codes)
    table = with_column(table, "language_score", scores)
    return with_column(table, "n_words", count_words(texts))


def write(table: pa.Table, path: Path) -> None:
    """Write a table as an Arrow file."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def load(paths: Sequence[Path], columns: Sequence[str]) -> pa.Table:
    """Read some columns of Arrow files, memory-mapped."""
    tables = [pa.ipc.open_file(pa.memory_map(str(path))).read_all().select(columns) for path in paths]
    return pa.concat_tables(tables)
