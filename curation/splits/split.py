"""From a recipe's `[split]` to the split of every row, with notes for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.splits import RULES
from curation.splits.errors import SmallClass, SplitError
from curation.splits.leaks import twins
from curation.splits.rule import Split
from curation.splits.units import MIN_POSTS, SPLITS, TEST, VALIDATION

#: Split names in the order of their numbers.
NAMES = SPLITS


@dataclass(frozen=True, slots=True)
class Assigned:
    """The split of each row, how many held-out posts have a duplicate in training, and notes."""

    splits: NDArray[np.int8]
    twins: Mapping[str, int]
    notes: tuple[str, ...]


def assign(rows: pa.Table, groups: NDArray[np.int64], options: Split, classes: Sequence[str]) -> Assigned:
    """Split the rows by the recipe's rule. Raises `SplitError`; `SmallClass` for a class of too few posts."""
    rule = RULES[options.rule]
    _check(rows, classes, any_size=rule.unlabelled)
    result = rule.assign(rows, groups, options)
    found = twins(result.splits, rows["post_id"], groups)
    notes = (*result.notes, *_without_classes(result.splits, rows["label"]))
    return Assigned(result.splits, {"test": found.test, "validation": found.validation}, notes)


def _check(rows: pa.Table, classes: Sequence[str], *, any_size: bool) -> None:
    """Raise `SplitError` where there is nothing to split: no post at all, or too few of a class."""
    if any_size:
        if not len(rows):
            raise SplitError("no post is left to release: collect more, or relax the filters")
        return
    posts = rows.select(["post_id", "label"]).group_by(["post_id", "label"]).aggregate([])
    counted = Counter(posts["label"].to_pylist())
    counts = {name: counted[name] for name in sorted(classes)}
    if min(counts.values()) < MIN_POSTS:
        raise SmallClass(counts, MIN_POSTS)


def _without_classes(assigned: NDArray[np.int8], labels: pa.ChunkedArray) -> list[str]:
    """Return a note on each held-out split that has posts, but none of some class."""
    every = set(labels.drop_null().to_pylist())
    notes = []
    for number in (TEST, VALIDATION):
        held = set(labels.filter(pa.array(assigned == number)).drop_null().to_pylist())
        if held and (missing := sorted(every - held)):
            notes.append(f"{NAMES[number]} holds no post of {', '.join(map(repr, missing))}")
    return notes
