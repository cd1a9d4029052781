"""Which rows are duplicates of each other, and what the recipe makes of them.

Equal bytes, near-equal difference hashes and (near-)equal texts link rows; what is linked, over any
number of steps, is one group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.duplicates.components import ALONE, merge
from curation.duplicates.near_images import near_groups
from curation.duplicates.near_texts import equal_groups, near_text_groups
from curation.filters.stage import separate
from curation.recipe.recipe import Duplicates

Labels = NDArray[np.int64]

#: A difference hash of so few ones tells nothing but that the picture is of about one colour: any two such
#: pictures would be twins. Equal bytes still make them duplicates.
PLAIN = 3


def group(table: pa.Table, options: Duplicates) -> Labels:
    """Label each row with the first row of its duplicate group (itself, where it is alone).

    Reads `image_sha256`, `image_hash` and `text`.
    """
    labelings = [np.arange(len(table), dtype=np.int64)]
    if options.images != "off":
        labelings.append(_equal(table["image_sha256"]))
    if options.images == "near":
        labelings.append(_near(table["image_hash"], options.distance))
    if options.texts == "equal":
        labelings.append(equal_groups(table["text"].to_pylist()))
    elif options.texts == "near":
        labelings.append(near_text_groups(table["text"].to_pylist()))
    return merge(*labelings)


def _equal(values: pa.ChunkedArray) -> Labels:
    """Label rows of the same value alike; nulls stand alone."""
    codes = values.combine_chunks().dictionary_encode().indices
    return np.asarray(codes.fill_null(ALONE), dtype=np.int64)


def _near(hashes: pa.ChunkedArray, distance: int) -> Labels:
    """Label rows of near-equal hashes alike; rows without an image, or with a plain one, stand alone."""
    values = np.asarray(hashes.combine_chunks().fill_null(0), dtype=np.uint64)
    rows = np.flatnonzero(np.bitwise_count(values) > PLAIN)
    labels = np.full(len(hashes), ALONE, dtype=np.int64)
    found = near_groups(values[rows], distance)
    labels[rows] = rows[found] if len(rows) else found
    return labels


def resolve(table: pa.Table, groups: Labels, options: Duplicates) -> tuple[NDArray[np.bool_], pa.Table]:
    """Apply the recipe's policy; return which rows stay, and the others as dropped rows.

    `keep-best` keeps of each group the best-scored post (ties by id), with all its rows in the group;
    `drop-conflicts` drops groups that hold several labels.
    """
    keep = np.ones(len(table), dtype=bool)
    reason, details = "", [""] * len(table)
    shared = np.bincount(groups, minlength=len(table))[groups] > 1
    if options.policy == "keep-best":
        reason = "duplicate"
        post_ids, best = table["post_id"].to_pylist(), _best(table, groups)
        for row in np.flatnonzero(shared):
            kept = post_ids[best[groups[row]]]
            if post_ids[row] != kept:
                keep[row], details[row] = False, f"of {kept}"
    elif options.policy == "drop-conflicts":
        reason, conflicts = "conflicting_labels", _conflicts(table, groups, np.flatnonzero(shared))
        for row in np.flatnonzero(shared):
            if told := conflicts.get(groups[row]):
                keep[row], details[row] = False, told
    _, dropped = separate(table, keep, "duplicates", reason, details)
    return keep, dropped


def _conflicts(table: pa.Table, groups: Labels, rows: Iterable[int]) -> dict[int, str]:
    """Return what is said of each group of `rows` whose rows differ in their label or their labels.

    A row that wasn't annotated contradicts none.
    """
    one, several = table["label"].to_pylist(), table["labels"].to_pylist()
    found: dict[int, tuple[set[str], set[str], set[str]]] = {}
    for row in rows:
        labels, sets, told = found.setdefault(groups[row], (set(), set(), set()))
        label, holds = one[row], several[row]
        labels |= set() if label is None else {label}
        sets |= set() if holds is None else {" + ".join(holds)}
        told.add(" + ".join([*([] if label is None else [label]), *(holds or ())]))
    return {
        group: ", ".join(sorted(told - {""}))
        for group, (labels, sets, told) in found.items()
        if len(labels) > 1 or len(sets) > 1
    }


def _best(table: pa.Table, groups: Labels) -> dict[int, int]:
    """Return each group's best row: the highest score, then the smallest post id and image."""
    scores = np.asarray(table["score"].fill_null(np.iinfo(np.int64).min))
    best: dict[int, int] = {}
    for row in np.lexsort((np.arange(len(table)), -scores.astype(np.float64))):
        best.setdefault(int(groups[row]), int(row))
    return best


def names(table: pa.Table, groups: Labels) -> list[str | None]:
    """Return each row's `duplicate_group`: the group's smallest post id, or None for a row alone."""
    counts = np.bincount(groups, minlength=len(table))
    post_ids = table["post_id"].to_pylist()
    return [post_ids[g] if counts[g] > 1 else None for g in groups]


def from_names(found: Sequence[str | None]) -> Labels:
    """Return the groups that `names` has named: each row labelled with the first row of its group."""
    first: dict[str, int] = {}
    return np.array(
        [row if name is None else first.setdefault(name, row) for row, name in enumerate(found)], np.int64
    )


def counts(groups: Labels) -> dict[str, int]:
    """Return how many groups have several rows, how many rows those are, and the largest group's size."""
    _, sizes = np.unique(groups, return_counts=True)
    shared = sizes[sizes > 1]
    return {"groups": len(shared), "rows": int(shared.sum()), "largest": int(shared.max(initial=1))}
