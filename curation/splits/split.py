"""From a recipe's `[split]` to the split of every row, with what the report must say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation import splits
from curation.recipe.recipe import Split

#: Split names in the order of their numbers.
NAMES = splits.SPLITS


@dataclass(frozen=True, slots=True)
class Assigned:
    """The split of each row, how many held-out posts have a twin in training, and notes."""

    splits: NDArray[np.int8]
    twins: Mapping[str, int]
    notes: tuple[str, ...]


def assign(rows: pa.Table, groups: NDArray[np.int64], options: Split, classes: Sequence[str]) -> Assigned:
    """Split the rows by the recipe's rule. Raises `splits.SplitError` for classes too small to split."""
    _check(rows, options, classes)
    ids, labels = rows["post_id"], rows["label"]
    test, validation, leakage = options.test, options.validation, options.leakage
    if options.rule == "top-score":
        voted = rows["agreeing"].null_count < len(rows)
        keys = ("agreeing", "agreement") if voted else ("score",)
        rank = [_floats(rows[key]) for key in keys]
        result = splits.top_score(
            ids, labels, rank, groups, test=test, validation=validation, leakage=leakage
        )
    elif options.rule == "random":
        result = splits.random(
            ids, labels, groups, test=test, validation=validation, seed=options.seed, leakage=leakage
        )
    elif options.rule == "given":
        result = _given(rows, groups, options)
    else:
        with_text = rows["n_words"].to_numpy() > 0
        result = splits.unanimous(
            ids,
            labels,
            _floats(rows["agreeing"]),
            _floats(rows["votes_total"]),
            groups,
            pairs=with_text if with_text.any() else None,
            seed=options.seed,
            leakage=leakage,
        )
    found = splits.twins(result.splits, ids, groups)
    notes = (*result.notes, *_without_classes(result.splits, labels))
    return Assigned(result.splits, {"test": found.test, "validation": found.validation}, notes)


def _check(rows: pa.Table, options: Split, classes: Sequence[str]) -> None:
    """Raise `splits.SplitError` where there is nothing to split: no post at all, or too few of a class.

    The classes of a published split may be of any size.
    """
    if options.rule == "given":
        if not len(rows):
            raise splits.SplitError("no post is left to release: collect more, or relax the filters")
        return
    posts = rows.select(["post_id", "label"]).group_by(["post_id", "label"]).aggregate([])
    counted = Counter(posts["label"].to_pylist())
    counts = {name: counted[name] for name in sorted(classes)}
    if min(counts.values()) < splits.MIN_POSTS:
        raise splits.SmallClass(counts, splits.MIN_POSTS)


def _without_classes(assigned: NDArray[np.int8], labels: pa.ChunkedArray) -> list[str]:
    """Return a note on each held-out split that holds posts, but none of some class."""
    every = set(labels.drop_null().to_pylist())
    notes = []
    for number in (splits.TEST, splits.VALIDATION):
        held = set(labels.filter(pa.array(assigned == number)).drop_null().to_pylist())
        if held and (missing := sorted(every - held)):
            notes.append(f"{NAMES[number]} holds no post of {', '.join(map(repr, missing))}")
    return notes


def _given(rows: pa.Table, groups: NDArray[np.int64], options: Split) -> splits.Result:
    """Take the published split; where it has no validation set, draw one from training, class by class."""
    ids, labels = rows["post_id"], rows["label"]
    names = [options.given.get(name, name) for name in rows["split"].to_pylist()]
    if None in names:
        raise splits.SplitError(
            f"{names.count(None):,} posts have no published split, as {ids[names.index(None)].as_py()!r}: "
            'name its column in [source.local], or choose another split.rule than "given"'
        )
    if unknown := sorted(set(names) - set(NAMES)):
        raise splits.UnknownSplit(
            f"there is no split {unknown[0]!r}: say under [split] which of {', '.join(NAMES)} it is, "
            f'for example given = {{ "{unknown[0]}" = "train" }}'
        )
    result = splits.given(ids, names, groups, leakage=options.leakage)
    if not options.validation or (result.splits == splits.VALIDATION).any():
        return result
    train, unlabelled = result.splits == splits.TRAIN, np.asarray(labels.is_null())
    open_ = train & ~unlabelled
    if options.leakage == "group":
        open_ &= ~np.isin(groups, groups[train & unlabelled])
    pool = pa.array(np.flatnonzero(open_))
    drawn = splits.random(
        ids.take(pool),
        labels.take(pool),
        groups[open_],
        test=0,
        validation=options.validation,
        seed=options.seed,
        leakage=options.leakage,
    )
    found = result.splits.copy()
    found[open_] = drawn.splits
    note = (
        f"the published split has no validation set: {(found == splits.VALIDATION).sum():,} of its "
        f"{train.sum():,} training posts are taken for it, by lot within each class (seed {options.seed})"
    )
    return splits.Result(found, (note, *drawn.notes))


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column.cast(pa.float64()).fill_null(np.nan).combine_chunks())
