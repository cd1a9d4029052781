"""Parquet files, from which `datasets.load_dataset` loads a release.

The final name of a file contains the digest of its bytes, because the cache of the loader compares names, not
contents.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from affectory.core.progress import Steps
from curation.manifest.manifest import Written
from curation.release.exporters.exporter import Part, Release

#: Rows per row group: few if they have images, so that one can be shown without reading a hundred MB.
GROUP_WITH_IMAGES, GROUP_TEXT_ONLY = 100, 10_000

#: The most bytes of images in a row group; a larger image has one of its own.
GROUP_BYTES = 64_000_000

#: Of pyarrow from version 21 on.
_CHUNKING: dict[str, Any] = (
    {"use_content_defined_chunking": True} if int(pa.__version__.partition(".")[0]) >= 21 else {}
)

#: Columns with few distinct values, which are dictionary-encoded.
_REPEATED = ["label", "language", "source", "community", "licence", "votes", "has_image", "has_text"]


def write(release: Release) -> Sequence[Written]:
    """Write one file per part."""
    written = []
    with Steps("files", sum(map(len, release.parts)), "rows") as steps:
        for file in release.engine.map(_write, release.parts, release.out):
            written.append(file)
            steps.advance(file.rows)
    for leftover in release.out.glob("*.parquet.tmp"):  # of work that was run again after its node died
        leftover.unlink(missing_ok=True)
    return written


def _write(part: Part, out: Path) -> Written:
    temporary = out / f"{part.stem}-{uuid4().hex}.parquet.tmp"  # on a cluster, a part may be written twice
    group = GROUP_WITH_IMAGES if part.pictures else GROUP_TEXT_ONLY
    with _writer(temporary, part.schema, pictures=part.pictures) as file:
        for batch in part.batches(group):
            for start, end in groups(batch):
                file.write_table(batch.slice(start, end - start), row_group_size=group)
    return name_by_digest(temporary, part.stem, part.split, len(part))


def groups(batch: pa.Table, most: int = GROUP_BYTES) -> list[tuple[int, int]]:
    """Return the first row, and one past the last, of row groups with at most so many bytes of images."""
    if "image" not in batch.column_names:
        return [(0, len(batch))]
    sizes = pc.fill_null(pc.binary_length(pc.struct_field(batch["image"], "bytes")), 0).to_pylist()
    starts, held = [0], 0
    for row, size in enumerate(sizes):
        if held + size > most and row > starts[-1]:
            starts.append(row)
            held = 0
        held += size
    return list(itertools.pairwise([*starts, len(sizes)])) if sizes else []


def _writer(path: Path, schema: pa.Schema, *, pictures: bool) -> pq.ParquetWriter:
    """Open a file for writing. All columns are compressed, except the bytes of images.

    Its metadata says that rows are in the order of post and image, and has an index of pages, by which a
    reader finds a row without reading its group. Pages are cut by content, so that a storage that keeps equal
    chunks once, such as the Hub's, keeps little of a version that differs little from the one before.
    """
    compression = dict.fromkeys(_leaves(schema), "zstd")
    if "image" in schema.names:
        compression["image.bytes"] = "none"
    # The writer checks the size of a page after this many values, and images are large.
    values = 8 if pictures else 1024
    order = [("post_id", "ascending"), ("image_index", "ascending")]
    return pq.ParquetWriter(
        path,
        schema,
        compression=compression,
        use_dictionary=_REPEATED,
        write_batch_size=values,
        write_page_index=True,
        sorting_columns=pq.SortingColumn.from_ordering(schema, order),
        **_CHUNKING,
    )


def _leaves(schema: pa.Schema) -> list[str]:
    plain = [_leaf(field) for field in schema if field.name != "image"]
    return [*plain, "image.path"] if "image" in schema.names else plain


def _leaf(field: pa.Field) -> str:
    return f"{field.name}.list.element" if pa.types.is_list(field.type) else str(field.name)


def name_by_digest(temporary: Path, stem: str, split: str, rows: int) -> Written:
    """Rename a finished file: its name ends with the first digits of its sha256."""
    with temporary.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    path = temporary.with_name(f"{stem}-{digest[:12]}.parquet")
    size = temporary.stat().st_size
    temporary.rename(path)
    return Written(path.name, split, rows, size, digest)
