"""Duplicate groups over the columns of a table."""

from __future__ import annotations

import pyarrow as pa

from curation.duplicates.duplicates import Duplicates, group

NEAR_IMAGES = Duplicates(images="near", distance=3, texts="off")


def _table(rows: list[tuple[str | None, int | None]]) -> pa.Table:
    return pa.table(
        {
            "image_sha256": pa.array([digest for digest, _ in rows], pa.string()),
            "image_hash": pa.array([value for _, value in rows], pa.uint64()),
            "text": pa.array([str(number) for number in range(len(rows))]),
        }
    )


def test_near_hashes_and_equal_bytes_make_a_group():
    rows = [("a", 0xFF00), ("b", 0xFF01), ("c", 0xF0F0F0), ("c", 0xF0F0F0), (None, None), (None, None)]
    assert group(_table(rows), NEAR_IMAGES).tolist() == [0, 0, 2, 2, 4, 5]


def test_pictures_of_one_colour_are_no_twins_unless_their_bytes_are_equal():
    rows = [("a", 0), ("b", 0), ("c", 1), ("d", 0b111), ("e", 0b1111), ("f", 0b1110), ("a", 0)]
    assert group(_table(rows), NEAR_IMAGES).tolist() == [0, 1, 2, 3, 4, 5, 0]
