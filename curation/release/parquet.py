"""A release's Parquet files: which rows go into which, and how they are written.

Rows keep the order of their post ids. A file is written under a temporary name and gets the digest of its
bytes into its own: the loader's cache goes by names, not by contents.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affectory.core.errors import StoreError
from collectors.store import media_path
from curation.release import columns

#: No file holds more; about what the Hub's viewer likes.
MAX_ROWS, MAX_BYTES = 250_000, 400_000_000

#: Rows of a row group: few where they hold images, so that one can be shown without reading a hundred MB.
GROUP_WITH_IMAGES, GROUP_TEXT_ONLY = 100, 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """One file to write: rows of a split, as (shard, row) pairs in their order."""

    stem: str  # "train-00000-of-00002"
    split: str
    shards: np.ndarray  # int32[n]
    rows: np.ndarray  # int32[n]
    added: pa.Table  # columns that the shards lack (duplicate_group, labelled_30, …) or have otherwise
    ids: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A file of a release."""

    path: str
    split: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Writing:
    """What all files of a release have in common."""

    scratch: Path  # where the shards stand
    out: Path
    store: Path
    classes: Sequence[str]
    with_images: bool
    with_text: bool
    multilabel: Sequence[str] = ()
    labelled: Sequence[str] = ()  # columns of `Part.added`

    def schema(self, *, ids: bool) -> pa.Schema:
        """Return the schema of the release's files."""
        return columns.schema(self.classes, self.multilabel, self.labelled, ids=ids)


def cut(sizes: np.ndarray) -> list[tuple[int, int]]:
    """Cut rows of these sizes (bytes) into files: the first row of each, and the one behind its last."""
    by_bytes = np.concatenate([[0], np.cumsum(sizes)[:-1]]) // MAX_BYTES
    number = by_bytes * (len(sizes) // MAX_ROWS + 1) + np.arange(len(sizes)) // MAX_ROWS
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(sizes)]
    return list(itertools.pairwise(edges))


def write(part: Part, writing: Writing) -> Written:
    """Write one file and name it by its digest."""
    temporary = writing.out / f"{part.stem}.tmp"
    schema = writing.schema(ids=part.ids)
    pictures = writing.with_images and not part.ids
    group = GROUP_WITH_IMAGES if pictures else GROUP_TEXT_ONLY
    with writer(temporary, schema, pictures=pictures) as file:
        for batch in _batches(part, writing, schema, group):
            file.write_table(batch, row_group_size=group)
    return name_by_digest(temporary, part.stem, part.split, len(part.rows))


def writer(path: Path, schema: pa.Schema, *, pictures: bool) -> pq.ParquetWriter:
    """Open a file of a release for writing: pictures as they are, all else compressed."""
    compression = dict.fromkeys(_leaves(schema), "zstd")
    if "image" in schema.names:
        compression["image.bytes"] = "none"
    # The size of a page is looked at after so many values, and pictures are large ones.
    values = 8 if pictures else 1024
    return pq.ParquetWriter(
        path, schema, compression=compression, use_dictionary=_REPEATED, write_batch_size=values
    )


def write_table(table: pa.Table, path: Path) -> None:
    """Write published rows anew, as `write` would."""
    pictures = "image" in table.column_names and table["image"].null_count < len(table)
    with writer(path, table.schema, pictures=pictures) as file:
        file.write_table(table, row_group_size=GROUP_WITH_IMAGES if pictures else GROUP_TEXT_ONLY)


_REPEATED = ["label", "language", "source", "community", "licence", "votes", "has_image", "has_text"]


def _leaves(schema: pa.Schema) -> list[str]:
    plain = [_leaf(field) for field in schema if field.name != "image"]
    return [*plain, "image.path"] if "image" in schema.names else plain


def _leaf(field: pa.Field) -> str:
    return f"{field.name}.list.element" if pa.types.is_list(field.type) else str(field.name)


def name_by_digest(temporary: Path, stem: str, split: str, rows: int) -> Written:
    """Give a finished file its name, which ends in the first digits of its sha256."""
    with temporary.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    path = temporary.with_name(f"{stem}-{digest[:12]}.parquet")
    size = temporary.stat().st_size
    temporary.rename(path)
    return Written(path.name, split, rows, size, digest)


def _batches(part: Part, writing: Writing, schema: pa.Schema, group: int) -> Iterator[pa.Table]:
    """Yield the part's rows as published, a row group at a time."""
    waiting: list[pa.Table] = []
    held = 0
    for number in np.unique(part.shards):
        here = np.flatnonzero(part.shards == number)
        shard = pa.ipc.open_file(pa.memory_map(str(writing.scratch / f"kept-{number:06}.arrow"))).read_all()
        rows = shard.take(pa.array(part.rows[here]))
        added = part.added.take(pa.array(here))
        for name in added.column_names:
            place = rows.schema.get_field_index(name)
            if place < 0:
                rows = rows.append_column(added.field(name), added[name])
            else:
                rows = rows.set_column(place, added.field(name), added[name])
        waiting.append(rows)
        held += len(rows)
        if held >= group:
            whole = pa.concat_tables(waiting)
            full = held // group * group
            for start in range(0, full, group):
                yield published(whole.slice(start, group), writing, schema)
            waiting, held = [whole.slice(full)], held - full
    if held:
        yield published(pa.concat_tables(waiting), writing, schema)


def published(rows: pa.Table, writing: Writing, schema: pa.Schema) -> pa.Table:
    """Return working rows as rows of the release."""
    has_image = [digest is not None for digest in rows["image_sha256"].to_pylist()]
    n_words = rows["n_words"].to_pylist()
    texts = (rows[name].to_pylist() for name in ("text", "title", "body"))
    number = {name: i for i, name in enumerate(writing.classes)}
    made = {
        "label": [None if label is None else number[label] for label in rows["label"].to_pylist()],
        "image_hash": [None if h is None else f"{h:016x}" for h in rows["image_hash"].to_pylist()],
        "has_image": has_image,
        "has_text": [n > 0 for n in n_words],
    }
    if "image" not in schema.names or not writing.with_text:
        made["permalink"] = [_without_title(link) for link in rows["permalink"].to_pylist()]
    if "labels" in schema.names:
        made["labels"] = _numbered(rows["labels"].to_pylist(), writing.multilabel)
    if "image" in schema.names:
        made["image"] = _images(rows, writing) if writing.with_images else [None] * len(rows)
        for name, values in zip(("text", "title", "body"), texts, strict=True):
            made[name] = values if writing.with_text else [None] * len(rows)
    arrays = [
        pa.array(made[field.name], field.type)
        if field.name in made
        else rows[field.name].combine_chunks().cast(field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _without_title(link: str | None) -> str | None:
    """Return a link as short as it leads to the post: Reddit's …/comments/1abcd/what_the_title_says/."""
    return link and re.sub(r"(reddit\.com/)(?:r/\w+/)?(comments/\w+/).*", r"\1\2", link)


def _numbered(labels: Sequence[list[str] | None], names: Sequence[str]) -> list[list[int] | None]:
    """Return each row's labels by number, in their order; None where it wasn't annotated."""
    return [
        None if holds is None else [number for number, name in enumerate(names) if name in holds]
        for holds in labels
    ]


def _images(rows: pa.Table, writing: Writing) -> list[dict[str, object] | None]:
    """Return each row's image: the bytes encoded for it, or those of the store's file."""
    found: list[dict[str, object] | None] = []
    names = ("post_id", "image_index", "image_sha256", "image_mime", "image_bytes")
    for post_id, index, digest, mime, encoded in zip(*(rows[n].to_pylist() for n in names), strict=True):
        if digest is None:
            found.append(None)
            continue
        path = media_path(writing.store, digest, mime)
        suffix = ".jpg" if encoded is not None else path.suffix
        name = f"{re.sub('[:/]', '-', post_id)}-{index}{suffix}"
        found.append({"bytes": _checked(path, digest) if encoded is None else encoded, "path": name})
    return found


def _checked(path: Path, digest: str) -> bytes:
    """Return an image's bytes, which were checked once; raise `StoreError` if they changed since."""
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != digest:
        raise StoreError(f"{str(path)!r} was changed or removed during the build: run the command again")
    return data
