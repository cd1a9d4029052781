"""The rule `given`: the published split of each post, as a column names it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from affectory.core.numbers import count
from curation.splits.at_random import random
from curation.splits.errors import SmallClass, SplitError, Straddling, UnknownSplit
from curation.splits.rule import Rule, Split
from curation.splits.units import (
    MIN_POSTS,
    SPLITS,
    TRAIN,
    VALIDATION,
    Ints,
    Leakage,
    Result,
    Strings,
    numbered,
)


def given(
    post_ids: Strings, names: Strings, groups: ArrayLike | None = None, *, leakage: Leakage = "group"
) -> Result:
    """Read the splits from their names. No post is moved: a leak is an error, unless `leakage` is `paper`.

    A class may be of any size. Raises `UnknownSplit`, `Straddling`.
    """
    number, found = numbered(names)
    unknown = [name for name in found if name not in SPLITS]
    if unknown:
        raise UnknownSplit(
            f"there is no split {unknown[0]!r}; name each row's {', '.join(map(repr, SPLITS))}"
        )
    code = np.array([SPLITS.index(name) for name in found], np.int8)
    splits = code[number]
    of_row, ids = numbered(post_ids)
    split_posts = _torn(of_row, splits)
    if len(split_posts):
        raise Straddling(f"the rows of post {ids[split_posts[0]]!r} are given two splits: give it one")
    if groups is not None and leakage == "group":
        _, group = np.unique(np.asarray(groups), return_inverse=True)
        if torn := len(_torn(group, splits)):
            raise Straddling(
                f"{count(torn, 'duplicate group')} {'has' if torn == 1 else 'have'} posts in two of the "
                "given splits: drop duplicates in the recipe, compare texts more strictly with texts = "
                '"equal" under [duplicates], or keep the splits as they are with leakage = "paper"'
            )
    return Result(splits)


def _torn(of_row: Ints, splits: NDArray[np.int8]) -> Ints:
    """Return the posts, or groups, whose rows are not all in one split."""
    one = np.zeros(of_row.max(initial=-1) + 1, np.int8)
    one[of_row] = splits
    return np.unique(of_row[one[of_row] != splits])


def _assign(rows: pa.Table, groups: NDArray[np.int64], options: Split) -> Result:
    """Take the published split; where it has no validation set, draw one from training, class by class."""
    ids = rows["post_id"]
    names = [options.given.get(name, name) for name in rows["split"].to_pylist()]
    if None in names:
        raise SplitError(
            f"{count(names.count(None), 'post has', 'posts have')} no published split, as "
            f"{ids[names.index(None)].as_py()!r}: "
            'name its column in [source.local], or choose another split.rule than "given"'
        )
    if unknown := sorted(set(names) - set(SPLITS)):
        raise UnknownSplit(
            f"there is no split {unknown[0]!r}: say under [split] which of {', '.join(SPLITS)} it is, "
            f'for example given = {{ "{unknown[0]}" = "train" }}'
        )
    result = given(ids, names, groups, leakage=options.leakage)
    if not options.validation or (result.splits == VALIDATION).any():
        return result
    try:
        return _with_validation(result.splits, rows, groups, options)
    except SmallClass as error:
        hint = ", or draw no validation set from them: validation = 0 under [split]"
        raise SmallClass(error.counts, MIN_POSTS, hint) from None


def _with_validation(
    splits: NDArray[np.int8], rows: pa.Table, groups: NDArray[np.int64], options: Split
) -> Result:
    """Move some labelled posts of training to validation, at random within each class."""
    labels = rows["label"]
    train, unlabelled = splits == TRAIN, np.asarray(labels.is_null())
    open_ = train & ~unlabelled
    if options.leakage == "group":
        open_ &= ~np.isin(groups, groups[train & unlabelled])
    pool = pa.array(np.flatnonzero(open_))
    drawn = random(
        rows["post_id"].take(pool),
        labels.take(pool),
        groups[open_],
        test=0,
        validation=options.validation,
        seed=options.seed,
        leakage=options.leakage,
    )
    found = splits.copy()
    found[open_] = drawn.splits
    note = (
        f"the published split has no validation set: {(found == VALIDATION).sum():,} of its "
        f"{train.sum():,} training posts, drawn at random within each class, are taken for it "
        f"(seed {options.seed})"
    )
    return Result(found, (note, *drawn.notes))


RULE = Rule(_assign, columns=("split",), unlabelled=True)
