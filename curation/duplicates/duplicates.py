"""Which rows are duplicates of each other, and what the recipe's policy makes of them.

Each detector links rows. Rows linked by any number of links, of any detectors, are one group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from affectory.core.tables import Table, among
from curation.duplicates import IMAGES, TEXTS
from curation.duplicates.components import Labels, merge
from curation.duplicates.detector import Detector
from curation.filters.stage import separate


class Duplicates(Table):
    """The `[duplicates]` of a recipe: which posts count as duplicates, and what is done with them.

    `images`: the same bytes (`exact`), or difference hashes within `distance` bits too (`near`). `texts`:
    equal in their normal form (`equal`), or one word apart too (`near`). `policy`: `keep-all` only groups
    them; `keep-best` keeps the best-scored post of a group; `drop-conflicts` drops groups with several
    labels.
    """

    images: Annotated[str, among(IMAGES)] = "near"
    distance: Annotated[int, Field(ge=0, le=3)] = 3
    texts: Annotated[str, among(TEXTS)] = "near"
    policy: Literal["keep-all", "keep-best", "drop-conflicts"] = "keep-all"

    @property
    def detectors(self) -> tuple[Detector, ...]:
        """The detectors that these options apply."""
        return (*IMAGES[self.images], *TEXTS[self.texts])


def group(table: pa.Table, options: Duplicates) -> Labels:
    """Label each row with the first row of its duplicate group (itself, where it is alone).

    Reads the columns of the detectors.
    """
    labelings = [one.groups(table, options.distance) for one in options.detectors]
    return merge(np.arange(len(table), dtype=np.int64), *labelings)


def resolve(table: pa.Table, groups: Labels, options: Duplicates) -> tuple[NDArray[np.bool_], pa.Table]:
    """Apply the recipe's policy; return which rows stay, and the others as dropped rows.

    `keep-best` keeps of each group the best-scored post (ties by id), with all its rows in the group;
    `drop-conflicts` drops groups with several labels.
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
    """Return the detail for each group of `rows` whose rows differ in their label or their labels.

    A row that wasn't annotated is in no conflict.
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
    """Return the groups from their `names`: each row labelled with the first row of its group."""
    first: dict[str, int] = {}
    return np.array(
        [row if name is None else first.setdefault(name, row) for row, name in enumerate(found)], np.int64
    )


def counts(groups: Labels) -> dict[str, int]:
    """Return the number of groups with several rows, their rows, and the size of the largest group."""
    _, sizes = np.unique(groups, return_counts=True)
    shared = sizes[sizes > 1]
    return {"groups": len(shared), "rows": int(shared.sum()), "largest": int(shared.max(initial=1))}
