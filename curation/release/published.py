"""Published rows: how they are made from the working rows of the shards, and divided into parts."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from affectory.core.errors import StoreError
from affectory.core.image_files import without_large_metadata
from collectors.store import media_path
from curation.manifest.manifest import FORMAT
from curation.release import columns
from curation.rows.attribution import without_title

#: The most rows and bytes of a part: about what the Hub's viewer supports.
MAX_ROWS, MAX_BYTES = 250_000, 400_000_000

#: How the name of an image ends that lacks a text or a colour profile of its file, which is too large for
#: Pillow. Its bytes aren't those of `image_sha256`.
REDUCED = "-reduced.png"


@dataclass(frozen=True, slots=True)
class Writing:
    """What all parts of a release have in common. `labelled` names columns of `ShardPart.added`."""

    scratch: Path  # the folder of the shards
    store: Path
    classes: Sequence[str]
    with_images: bool
    with_text: bool
    multilabel: Sequence[str] = ()
    labelled: Sequence[str] = ()
    source_label: bool = False
    ocr: bool = False
    format: int = FORMAT

    def schema(self, *, ids: bool) -> pa.Schema:
        """Return the schema of published rows."""
        return columns.schema(
            self.classes,
            self.multilabel,
            self.labelled,
            source_label=self.source_label,
            ocr=self.ocr,
            ids=ids,
            format=self.format,
        )


@dataclass(frozen=True, slots=True)
class ShardPart:
    """Rows of one split that are read from the shards: a `curation.release.exporters.exporter.Part`."""

    stem: str
    split: str
    shards: np.ndarray  # int32[n], the shard of each row
    rows: np.ndarray  # int32[n], its place in the shard
    added: pa.Table  # columns that the shards lack (duplicate_group, labelled_30, …) or have otherwise
    writing: Writing
    ids: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def pictures(self) -> bool:
        """Whether the rows hold the bytes of images."""
        return self.writing.with_images and not self.ids

    @property
    def schema(self) -> pa.Schema:
        """The columns of the rows."""
        return self.writing.schema(ids=self.ids)

    def batches(self, size: int) -> Iterator[pa.Table]:
        """Yield the rows as published, `size` at a time."""
        waiting: list[pa.Table] = []
        held = 0
        for number in np.unique(self.shards):
            waiting.append(self._working_rows(number))
            held += len(waiting[-1])
            if held >= size:
                joined = pa.concat_tables(waiting)
                full = held // size * size
                for start in range(0, full, size):
                    yield published(joined.slice(start, size), self.writing, self.schema)
                waiting, held = [joined.slice(full)], held - full
        if held:
            yield published(pa.concat_tables(waiting), self.writing, self.schema)

    def _working_rows(self, number: int) -> pa.Table:
        """Return the part's rows of one shard, with the added columns."""
        here = np.flatnonzero(self.shards == number)
        path = self.writing.scratch / f"kept-{number:06}.arrow"
        rows = pa.ipc.open_file(pa.memory_map(str(path))).read_all().take(pa.array(self.rows[here]))
        added = self.added.take(pa.array(here))
        for name in added.column_names:
            place = rows.schema.get_field_index(name)
            if place < 0:
                rows = rows.append_column(added.field(name), added[name])
            else:
                rows = rows.set_column(place, added.field(name), added[name])
        return rows


def cut(sizes: np.ndarray) -> list[tuple[int, int]]:
    """Divide rows of these sizes (bytes) into files; return the first row of each, and one past its last."""
    by_bytes = np.concatenate([[0], np.cumsum(sizes)[:-1]]) // MAX_BYTES
    number = by_bytes * (len(sizes) // MAX_ROWS + 1) + np.arange(len(sizes)) // MAX_ROWS
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(sizes)]
    return list(itertools.pairwise(edges))


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
        made["permalink"] = [without_title(link) for link in rows["permalink"].to_pylist()]
    if "labels" in schema.names:
        made["labels"] = _numbered(rows["labels"].to_pylist(), writing.multilabel)
    if "image" in schema.names:
        made["image"] = _images(rows, writing) if writing.with_images else [None] * len(rows)
        for name, values in zip(("text", "title", "body"), texts, strict=True):
            made[name] = values if writing.with_text else [None] * len(rows)
        if not writing.with_text:
            made["ocr_text"] = [None] * len(rows)
    arrays = [
        pa.array(made[field.name], field.type)
        if field.name in made
        else rows[field.name].combine_chunks().cast(field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _numbered(labels: Sequence[list[str] | None], names: Sequence[str]) -> list[list[int] | None]:
    """Return each row's labels as numbers, in order; None if the post wasn't annotated."""
    return [
        None if holds is None else [number for number, name in enumerate(names) if name in holds]
        for holds in labels
    ]


def _images(rows: pa.Table, writing: Writing) -> list[dict[str, object] | None]:
    """Return each row's image: the bytes encoded for it, or those of the store's file, which Pillow opens."""
    found: list[dict[str, object] | None] = []
    names = ("post_id", "image_index", "image_sha256", "image_mime", "image_bytes")
    for post_id, index, digest, mime, encoded in zip(*(rows[n].to_pylist() for n in names), strict=True):
        if digest is None:
            found.append(None)
            continue
        path = media_path(writing.store, digest, mime)
        data, suffix = encoded, ".jpg"
        if data is None:
            whole = _checked(path, digest)
            data = without_large_metadata(whole)
            suffix = path.suffix if data is whole else REDUCED
        found.append({"bytes": data, "path": f"{re.sub('[:/]', '-', post_id)}-{index}{suffix}"})
    return found


def _checked(path: Path, digest: str) -> bytes:
    """Return an image's bytes, which were checked once; raise `StoreError` if they changed since."""
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != digest:
        raise StoreError(f"{str(path)!r} was changed or removed during the build: run the command again")
    return data
