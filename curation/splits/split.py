"""From a recipe's `[split]` to the split of every row, with notes for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from affectory.core.numbers import count
from curation.splits import RULES
from curation.splits.errors import EmptySplit, SmallClass, SplitError
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
    """Split the rows by the recipe's rule. Raises `SplitError`.

    `SmallClass` is for a class of too few posts, `EmptySplit` for a split that is left without a post.
    """
    rule = RULES[options.rule]
    _check(rows, classes, any_size=rule.unlabelled)
    result = rule.assign(rows, groups, options)
    _check_filled(result.splits, groups, options)
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


def _check_filled(assigned: NDArray[np.int8], groups: NDArray[np.int64], options: Split) -> None:
    """Raise `EmptySplit` where a split has no row, unless the recipe gives test or validation no share."""
    wanted = {"train": 1.0, "test": options.test, "validation": options.validation}
    held = np.bincount(assigned, minlength=len(NAMES))
    empty = [name for number, name in enumerate(NAMES) if wanted[name] and not held[number]]
    if not empty:
        return
    largest = int(np.unique(groups, return_counts=True)[1].max())
    counted = ", ".join(f"{name} {held[number]:,}" for number, name in enumerate(NAMES))
    ways = []
    if held_out := [f"{name} = 0" for name in empty if name != "train"]:
        them = "it" if len(held_out) == 1 else "them"
        ways.append(f"{' and '.join(held_out)} under [split] for a release without {them}")
    if options.leakage == "group" and largest > 1:
        ways.insert(
            0,
            f"the largest duplicate group has {largest:,} of {count(len(groups), 'row')} and stays in one "
            'split: compare fewer posts under [duplicates], as with texts = "equal"',
        )
    ways.append("collect more posts")
    raise EmptySplit(f"no post is left for {' and '.join(empty)} ({counted}): {', or '.join(ways)}")


def _without_classes(assigned: NDArray[np.int8], labels: pa.ChunkedArray) -> list[str]:
    """Return a note on each held-out split that has posts, but none of some class."""
    every = set(labels.drop_null().to_pylist())
    notes = []
    for number in (TEST, VALIDATION):
        held = set(labels.filter(pa.array(assigned == number)).drop_null().to_pylist())
        if held and (missing := sorted(every - held)):
            notes.append(f"{NAMES[number]} holds no post of {', '.join(map(repr, missing))}")
    return notes
