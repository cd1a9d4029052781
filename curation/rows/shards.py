"""The per-row stages of a build, run over the shards of a store by several processes.

A shard's kept and dropped rows are written as Arrow files in the build's folder. Later stages read only the
columns that they need.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from affectory.core.engine.choice import LOCAL, EngineChoice
from affectory.core.engine.engine import Engine
from collectors.store import snapshot
from curation.duplicates import near_texts
from curation.filters.language import Language
from curation.filters.removed import Removed
from curation.filters.stage import DROPPED, with_column
from curation.manifest.manifest import tools
from curation.recipe.recipe import Recipe
from curation.rows.read import Shard, read

#: With fewer shards than this, of texts alone or with images, one process builds faster than several: their
#: start takes longer than what they save (`python -m benchmarks.scale --parts texts images`).
TEXTS_WORTHWHILE, IMAGES_WORTHWHILE = 8, 4


def engine(
    workers: int, *folders: Path, chosen: EngineChoice = LOCAL, recipe: Recipe | None = None
) -> Engine:
    """Return an engine for the stages of a build, which read and write these folders."""
    # pyarrow imports pandas when it converts the first list: once in the server instead of in each process.
    preload = ["pandas", "curation.rows.shards", "curation.release.exporters.parquet"]
    return chosen.start(
        workers, preload=preload, folders=folders, packages=tools(recipe.plain() if recipe else None)
    )


def worthwhile(workers: int, number: int, *, images: bool) -> int:
    """Return how many of `workers` processes a build of this number of shards, with images or not, uses."""
    least = IMAGES_WORTHWHILE if images else TEXTS_WORTHWHILE
    return min(workers, number) if number >= least else 1


def process(shard: Shard, folder: Path, recipe: Recipe, scratch: Path, every_medium: bool = False) -> Shard:
    """Run the recipe's filters over a shard in their order; write what is kept and dropped to `scratch`.

    `scratch` holds the snapshot with the rows, `folder` is the store with the images. With `every_medium`
    each medium of a post is a row.
    """
    from curation.filters import FILTERS
    from curation.rows.image_text import filled, with_image_text
    from curation.rows.pixels import look, without_images

    with snapshot.opened(scratch) as copied:
        table = read(copied, shard, folder, recipe, every_medium=every_medium)
    table = described(filled(table, folder, recipe.text), recipe)
    # Whether the recipe asks for it or not: a removed post has no content and is never published.
    table, lost = FILTERS["removed"].apply(table, Removed(use="removed"))
    dropped = [lost]
    for options in recipe.filters:
        table, lost = FILTERS[options.use].apply(table, options)
        dropped.append(lost)
    fingerprints = recipe.duplicates.fingerprints
    if recipe.images.which == "none":
        table = without_images(table, fingerprints)
    else:
        table, lost = look(table, folder, recipe.images, fingerprints)
        dropped.append(lost)
        table = with_image_text(table, folder, recipe.text)
    if near_texts.TEXT_HASH in recipe.duplicates.columns:
        for name, hashes in zip(near_texts.HASHES, near_texts.hashed(table["text"].to_pylist()), strict=True):
            if name in recipe.duplicates.columns:
                table = with_column(table, name, hashes)
    write(table, scratch / f"kept-{shard.number:06}.arrow")
    write(pa.concat_tables([DROPPED.empty_table(), *dropped]), scratch / f"dropped-{shard.number:06}.arrow")
    return shard


def described(table: pa.Table, recipe: Recipe) -> pa.Table:
    """Add each row's language and number of words, whether a filter uses them or not."""
    from curation.measure.language import identify
    from curation.measure.words import count_words

    asked = next((f for f in recipe.filters if isinstance(f, Language)), Language(use="language"))
    texts = table["text"].to_pylist()
    codes, scores = identify(texts, asked.engine, wanted=asked.wanted)
    table = with_column(table, "language", codes)
    table = with_column(table, "language_score", scores)
    return with_column(table, "n_words", count_words(texts))


def write(table: pa.Table, path: Path) -> None:
    """Write a table as an Arrow file, which appears whole: on a cluster, a shard may be processed twice."""
    temporary = path.with_name(f"{path.name}.{uuid4().hex}")
    with pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    temporary.replace(path)


def load(paths: Sequence[Path], columns: Sequence[str]) -> pa.Table:
    """Read some columns of Arrow files, memory-mapped."""
    tables = [pa.ipc.open_file(pa.memory_map(str(path))).read_all().select(columns) for path in paths]
    return pa.concat_tables(tables)
