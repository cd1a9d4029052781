"""`dropped-….parquet`: every dropped row with its stage, its reason and the value that caused it.

A small picture stands beside some of them, for the report. Of posts that their source has removed
neither title nor picture is kept.
"""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from collectors.store import media_path
from curation.parquet import Written, name_by_digest
from curation.stage import DROPPED

#: Pictures a reason gets, and their longer side in pixels.
PICTURES, SIDE = 40, 160

REMOVED = "removed_by_source"


def write(dropped: pa.Table, out: Path, store: Path) -> Written:
    """Write the dropped rows, in the order of post id, image and stage."""
    dropped = dropped.sort_by(
        [("post_id", "ascending"), ("image_index", "ascending"), ("stage", "ascending")]
    )
    reasons = dropped["reason"].to_pylist()
    titles = [
        None if reason == REMOVED else title
        for reason, title in zip(reasons, dropped["title"].to_pylist(), strict=True)
    ]
    table = dropped.set_column(DROPPED.get_field_index("title"), "title", pa.array(titles, pa.string()))
    table = table.drop_columns(["image_mime"])
    table = table.append_column("thumbnail", pa.array(_thumbnails(dropped, store), pa.binary()))
    temporary = out / "dropped.tmp"
    pq.write_table(table, temporary, compression="zstd", row_group_size=10_000)
    return name_by_digest(temporary, "dropped", "dropped", len(table))


def _thumbnails(dropped: pa.Table, store: Path) -> list[bytes | None]:
    """Draw up to `PICTURES` of each reason, chosen by a hash of their post ids."""
    candidates: dict[str, list[tuple[str, int]]] = defaultdict(list)
    names = ("post_id", "reason", "image_sha256")
    columns = [dropped[name].to_pylist() for name in names]
    for row, (post_id, reason, digest) in enumerate(zip(*columns, strict=True)):
        if digest is not None and reason != REMOVED:
            candidates[reason].append((hashlib.sha256(post_id.encode()).hexdigest(), row))
    digests, mimes = columns[2], dropped["image_mime"].to_pylist()
    found: list[bytes | None] = [None] * len(dropped)
    for chosen in candidates.values():
        for _, row in sorted(chosen)[:PICTURES]:
            found[row] = _thumbnail(media_path(store, digests[row], mimes[row]))
    return found


def _thumbnail(path: Path) -> bytes | None:
    try:
        with Image.open(path) as image:
            image.draft("RGB", (SIDE, SIDE))
            small = image.convert("RGB")
    except (OSError, SyntaxError, ValueError):  # dropped for being no image, perhaps
        return None
    small.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=80, comment=b"")
    return out.getvalue()
