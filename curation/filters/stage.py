"""Stages: pure functions from a table of rows to the rows kept and the rows dropped.

A row is an image of a post, or a post without images. A dropped row has its stage, a snake_case reason that
names the defect, and the value that caused it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: The working columns, in the order in which they are read and computed.
ROWS = pa.schema(
    [
        ("post_id", pa.string()),
        ("image_index", pa.int16()),
        ("source", pa.string()),
        ("community", pa.string()),
        ("title", pa.string()),
        ("body", pa.string()),
        ("ocr_text", pa.string()),  # the text in the image, and the mean confidence in it, if asked for
        ("ocr_confidence", pa.float32()),
        ("text", pa.string()),
        ("label", pa.string()),
        ("source_label", pa.string()),  # as a table on disk has it
        ("unmapped", pa.string()),  # the source's label or community, where the recipe maps it to none
        ("left_out", pa.string()),  # the same, where the recipe says to leave its posts out
        ("labels", pa.list_(pa.string())),  # those that hold, of a multi-label source
        ("split", pa.string()),  # the published one
        ("score", pa.int64()),
        ("votes", pa.string()),
        ("agreeing", pa.int32()),  # votes for the label
        ("votes_total", pa.int32()),  # all votes
        ("agreement", pa.float32()),  # their share
        ("permalink", pa.string()),
        ("licence", pa.string()),
        ("attribution", pa.string()),
        ("over_18", pa.bool_()),
        ("removed", pa.string()),
        ("created_at", pa.timestamp("s", tz="UTC")),
        ("media_status", pa.string()),  # of the row's image; "none" where the post linked none
        ("media_reason", pa.string()),
        ("image_url", pa.string()),
        ("image_sha256", pa.string()),
        ("image_mime", pa.string()),
        ("image_width", pa.int32()),
        ("image_height", pa.int32()),
        ("image_frames", pa.int32()),
        ("language", pa.string()),
        ("language_score", pa.float32()),
        ("n_words", pa.int32()),
        ("text_lost", pa.string()),  # why the text of an image-only post was left out
        ("text_hash", pa.uint64()),  # and those of its words: `curation.duplicates.near_texts.hashed`
        ("word_hashes", pa.list_(pa.uint64())),
        ("image_hash", pa.uint64()),
        ("image_size", pa.int64()),  # bytes as published
        ("image_bytes", pa.large_binary()),  # if the recipe asks for another encoding
    ]
)

#: What is known of a dropped row; `curation.release.dropped` says what is published of it.
DROPPED = pa.schema(
    [
        ("post_id", pa.string()),
        ("image_index", pa.int16()),
        ("community", pa.string()),
        ("label", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("title", pa.string()),
        ("permalink", pa.string()),
        ("score", pa.int64()),
        ("over_18", pa.bool_()),
        ("image_sha256", pa.string()),
        ("image_mime", pa.string()),
        ("image_url", pa.string()),
        ("created_at", pa.timestamp("s", tz="UTC")),
    ]
)


def separate(
    table: pa.Table,
    keep: Sequence[bool] | np.ndarray,
    stage: str,
    reason: str | Sequence[str],
    detail: Sequence[object],
) -> tuple[pa.Table, pa.Table]:
    """Return the rows to keep, and the others as dropped rows. `reason` and `detail` have a value a row."""
    mask = np.asarray(keep, dtype=bool)
    kept = table if mask.all() else table.filter(pa.array(mask))
    out: list[int] = np.flatnonzero(~mask).tolist()
    lost = table.take(pa.array(out, pa.int64()))
    reasons = [reason] * len(out) if isinstance(reason, str) else [reason[i] for i in out]
    values = {
        "stage": pa.array([stage] * len(out), pa.string()),
        "reason": pa.array(reasons, pa.string()),
        "detail": pa.array([str(detail[i]) for i in out], pa.string()),
    }
    columns = [
        values[name] if name in values else lost.column(name).combine_chunks() for name in DROPPED.names
    ]
    return kept, pa.Table.from_arrays(columns, schema=DROPPED)


def without_text(table: pa.Table, rows: np.ndarray, reasons: Sequence[str]) -> pa.Table:
    """Return the table with these rows (bool[n]) image-only, and the reasons in `text_lost`."""
    empty = {"title": "", "body": "", "text": "", "n_words": 0, "language": "und", "language_score": 0.0}
    for name, nothing in empty.items():
        field = ROWS.field(name)
        values = pc.if_else(pa.array(rows), pa.scalar(nothing, field.type), table[name])
        table = table.set_column(ROWS.get_field_index(name), field, values)
    pairs = zip(rows, reasons, table["text_lost"].to_pylist(), strict=True)
    return with_column(table, "text_lost", [why if lost else before for lost, why, before in pairs])


def with_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    """Return the table with one of the working columns replaced."""
    field = ROWS.field(name)
    column = values if isinstance(values, pa.ChunkedArray) else pa.array(values, field.type)
    return table.set_column(ROWS.get_field_index(name), field, column)
