"""`dropped-….parquet`: every dropped row with its stage, its reason and the value that caused it.

Some have a thumbnail for the report. Of a post that its source has removed only a tombstone is kept: its id,
its community, and the source's word as the detail. The same holds for a post that opted out.
"""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from affectory.core.image_files import open_image
from collectors.store import media_path
from curation.filters.removed import OPTED_OUT
from curation.manifest.manifest import Written
from curation.release.exporters.parquet import name_by_digest
from curation.rows.pixels import excessive_scans

#: Thumbnails for each reason, and their longer side in pixels.
PICTURES, SIDE = 40, 160

REMOVED = "removed_by_source"

#: The reasons of posts of which only a tombstone is kept.
TOMBSTONES = (REMOVED, OPTED_OUT)

#: Columns that aren't written: the manifest counts their values (`curation.manifest.attrition`).
_UNPUBLISHED = ("image_mime", "image_url", "created_at")

#: Columns that a tombstone lacks. Reddit's links include the title.
_OWN = ("label", "title", "permalink", "score", "over_18", "image_sha256", "thumbnail")


def write(dropped: pa.Table, out: Path, store: Path, *, pictures: bool = True, texts: bool = True) -> Written:
    """Write the dropped rows, in the order of post id, image and stage.

    Without `pictures` or `texts`, which the recipe may not publish, their columns are null.
    """
    dropped = dropped.sort_by(
        [("post_id", "ascending"), ("image_index", "ascending"), ("stage", "ascending")]
    )
    table = dropped.drop_columns(list(_UNPUBLISHED))
    thumbnails = _thumbnails(dropped, store) if pictures else [None] * len(dropped)
    table = table.append_column("thumbnail", pa.array(thumbnails, pa.binary()))
    for name in () if texts else ("title", "permalink"):
        field = table.schema.field(name)
        table = table.set_column(table.schema.get_field_index(name), field, pa.nulls(len(table), field.type))
    return write_table(_bare(table, _is_removed(table)), out)


def write_table(table: pa.Table, out: Path) -> Written:
    """Write the file of dropped rows of a release."""
    temporary = out / "dropped.tmp"
    pq.write_table(table, temporary, compression="zstd", row_group_size=10_000)
    return name_by_digest(temporary, "dropped", "dropped", len(table))


def tombstones(table: pa.Table) -> pa.ChunkedArray:
    """Return whether each dropped row is a tombstone, as `_bare` makes it."""
    nothing_else = [table[name].is_null() for name in _OWN]
    return reduce(pc.and_, [_is_removed(table), *nothing_else])


def _is_removed(table: pa.Table) -> pa.ChunkedArray:
    return pc.is_in(table["reason"], pa.array(TOMBSTONES, pa.string()))


def _bare(table: pa.Table, rows: pa.ChunkedArray) -> pa.Table:
    """Return the table with these rows (bool[n]) reduced to tombstones."""
    for name in _OWN:
        field = table.schema.field(name)
        values = pc.if_else(rows, pa.scalar(None, field.type), table[name])
        table = table.set_column(table.schema.get_field_index(name), field, values)
    return table


def _thumbnails(dropped: pa.Table, store: Path) -> list[bytes | None]:
    """Make up to `PICTURES` thumbnails for each reason, of posts chosen by a hash of their ids."""
    candidates: dict[str, list[tuple[str, int]]] = defaultdict(list)
    names = ("post_id", "reason", "image_sha256")
    columns = [dropped[name].to_pylist() for name in names]
    for row, (post_id, reason, digest) in enumerate(zip(*columns, strict=True)):
        if digest is not None and reason not in TOMBSTONES:
            candidates[reason].append((hashlib.sha256(post_id.encode()).hexdigest(), row))
    digests, mimes = columns[2], dropped["image_mime"].to_pylist()
    found: list[bytes | None] = [None] * len(dropped)
    for chosen in candidates.values():
        for _, row in sorted(chosen)[:PICTURES]:
            found[row] = _thumbnail(media_path(store, digests[row], mimes[row]))
    return found


def _thumbnail(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
        with open_image(data) as image:
            if excessive_scans(image, data):
                return None
            image.draft("RGB", (SIDE, SIDE))
            small = image.convert("RGB")
    except (OSError, SyntaxError, ValueError):  # the row may have been dropped because of this image
        return None
    small.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=80, comment=b"")
    return out.getvalue()
