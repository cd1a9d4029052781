"""The splits that a column names: those of a published set, or of a release before this one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curation.splits.errors import Straddling, UnknownSplit
from curation.splits.units import SPLITS, Ints, Leakage, Result, Strings, numbered


def given(
    post_ids: Strings, names: Strings, groups: ArrayLike | None = None, *, leakage: Leakage = "group"
) -> Result:
    """Read the splits from their names. Nothing is moved: what would leak is an error, or the paper's.

    A class may be of any size here. Raises `UnknownSplit`, `Straddling`.
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
                f"{torn:,} duplicate groups have posts in two of the given splits: "
                'drop duplicates in the recipe, or keep the splits as they are with leakage = "paper"'
            )
    return Result(splits)


def _torn(of_row: Ints, splits: NDArray[np.int8]) -> Ints:
    """Return the posts, or groups, whose rows are not all in one split."""
    one = np.zeros(of_row.max(initial=-1) + 1, np.int8)
    one[of_row] = splits
    return np.unique(of_row[one[of_row] != splits])
