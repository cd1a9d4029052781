"""The per-row stages of a build, run over the shards of a store by several processes.

A shard's kept and dropped rows are written as Arrow files in the build's folder; what comes after
reads of them only the columns it needs.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

import pyarrow as pa

from curation.filter_options import Language
from curation.read import Shard, open_readonly, read
from curation.recipe import Recipe
from curation.stage import DROPPED, with_column

T = TypeVar("T")


class Engine:
    """The processes of a build. With one worker everything runs in this process."""

    def __init__(self, workers: int) -> None:
        self._pool: ProcessPoolExecutor | None = None
        if workers > 1:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["curation.shards", "curation.parquet"])
            self._pool = ProcessPoolExecutor(workers, mp_context=context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def map(self, work: Callable[..., T], items: Iterable[Any], *common: object) -> Iterator[T]:
        """Yield `work(item, *common)` for each item, in order."""
        if self._pool is None:
            yield from (work(item, *common) for item in items)
            return
        for job in [self._pool.submit(work, item, *common) for item in items]:
            yield job.result()


def process(shard: Shard, folder: Path, recipe: Recipe, out: Path) -> Shard:
    """Read a shard, run the recipe's filters over it in their order, and write what is kept and dropped."""
    from curation.filters import FILTERS
    from curation.pixels import look, without_images

    db = open_readonly(folder)
    try:
        table = read(db, shard, recipe)
    finally:
        db.close()
    table = described(table, recipe)
    dropped = []
    for options in recipe.filters:
        table, lost = FILTERS[options.use](table, options)
        dropped.append(lost)
    if recipe.images.which == "none":
        table = without_images(table)
    else:
        table, lost = look(table, folder, recipe.images)
        dropped.append(lost)
    write(table, out / f"kept-{shard.number:06}.arrow")
    write(pa.concat_tables([DROPPED.empty_table(), *dropped]), out / f"dropped-{shard.number:06}.arrow")
    return shard


def described(table: pa.Table, recipe: Recipe) -> pa.Table:
    """Fill in each row's language and number of words, whether a filter asks for them or not."""
    from curation.language import identify
    from curation.words import count_words

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
