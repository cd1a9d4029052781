"""Parquet files, from which `datasets.load_dataset` loads a release.

The final name of a file contains the digest of its bytes, because the cache of the loader compares names, not
contents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from affectory.core.progress import Steps
from curation.manifest.manifest import Written
from curation.release.exporters.exporter import Part, Release

#: Rows per row group: few if they have images, so that one can be shown without reading a hundred MB.
GROUP_WITH_IMAGES, GROUP_TEXT_ONLY = 100, 10_000

#: Columns with few distinct values, which are dictionary-encoded.
_REPEATED = ["label", "language", "source", "community", "licence", "votes", "has_image", "has_text"]


def write(release: Release) -> Sequence[Written]:
    """Write one file per part."""
    written = []
    with Steps("files", sum(map(len, release.parts)), "rows") as steps:
        for file in release.engine.map(_write, release.parts, release.out):
            written.append(file)
            steps.advance(file.rows)
    return written


def _write(part: Part, out: Path) -> Written:
    temporary = out / f"{part.stem}.tmp"
    group = GROUP_WITH_IMAGES if part.pictures else GROUP_TEXT_ONLY
    with _writer(temporary, part.schema, pictures=part.pictures) as file:
        for batch in part.batches(group):
            file.write_table(batch, row_group_size=group)
    return name_by_digest(temporary, part.stem, part.split, len(part))


def _writer(path: Path, schema: pa.Schema, *, pictures: bool) -> pq.ParquetWriter:
    """Open a file for writing. All columns are compressed, except the bytes of images."""
    compression = dict.fromkeys(_leaves(schema), "zstd")
    if "image" in schema.names:
        compression["image.bytes"] = "none"
    # The writer checks the size of a page after this many values, and images are large.
    values = 8 if pictures else 1024
    return pq.ParquetWriter(
        path, schema, compression=compression, use_dictionary=_REPEATED, write_batch_size=values
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
