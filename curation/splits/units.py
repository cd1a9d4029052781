"""From rows to posts, from posts to units, which are not divided, and how a quota is filled with units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]
import pyarrow.compute as pc  # type: ignore[import-untyped, unused-ignore]
from numpy.typing import ArrayLike, NDArray

from curation.splits.errors import SmallClass, SplitError

#: The splits by their number.
SPLITS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = 0, 1, 2

#: A class with fewer posts is refused: a tenth of it would be less than one post.
MIN_POSTS = 10

Leakage = Literal["group", "paper"]
Ints = NDArray[np.int64]
Strings: TypeAlias = "Sequence[str] | pa.Array | pa.ChunkedArray"
#: Keys of a rank, the first first, each higher = better; missing (None, NaN) is worst.
Rank = Sequence[ArrayLike]


@dataclass(frozen=True, slots=True)
class Result:
    """`splits`: 0 train, 1 validation, 2 test, per row. `notes`: notes for the report."""

    splits: NDArray[np.int8]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Posts:
    """The posts behind the rows, in ascending order of their ids."""

    of_row: Ints  # the post of each row
    ids: Sequence[str]
    classes: Ints
    names: Sequence[str]  # of the classes
    keys: tuple[NDArray[np.float64], ...]  # ascending: the best post has the lowest
    unit: Ints  # posts with the same number are a unit

    def __len__(self) -> int:
        return len(self.ids)


def posts(
    post_ids: Strings, labels: Strings, rank: Rank, groups: ArrayLike | None, leakage: Leakage
) -> Posts:
    """Gather the rows of each post. Its rank is that of its best row. Raises `SplitError`, `SmallClass`."""
    assert leakage in ("group", "paper"), leakage
    of_row, ids = numbered(post_ids)
    row_class, names = numbered(labels)
    keys = _ascending(rank)
    assert all(len(key) == len(of_row) for key in (row_class, *keys)), "a value for every row"
    if groups is None or leakage == "paper":
        unit = np.arange(len(ids), dtype=np.int64)
    else:
        unit = joined(of_row, len(ids), np.asarray(groups))
    # By post, its best row first; lexsort's last key counts most.
    order = np.lexsort((*reversed(keys), of_row))
    best = order[np.searchsorted(of_row[order], np.arange(len(ids)))]
    classes = row_class[best]
    unlike = np.flatnonzero(row_class != classes[of_row])
    if len(unlike):
        one, other = sorted((names[row_class[unlike[0]]], names[classes[of_row[unlike[0]]]]))
        raise SplitError(
            f"post {ids[of_row[unlike[0]]]!r} has two labels, {one!r} and {other!r}: give it one"
        )
    counts = np.bincount(classes, minlength=len(names)).tolist()
    if counts and min(counts) < MIN_POSTS:
        raise SmallClass(dict(zip(names, counts, strict=True)), MIN_POSTS)
    return Posts(of_row, ids, classes, names, tuple(key[best] for key in keys), unit)


def numbered(values: Strings) -> tuple[Ints, list[str]]:
    """Return each value's index among the distinct values, and these in ascending order."""
    column = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, pa.string())
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if column.null_count:
        missing = pc.index(pc.is_null(column), True).as_py()
        raise SplitError(f"row {missing} has no post id, label or split: fill it in, or drop the row")
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    used = pc.unique(column.indices)  # a slice keeps the whole dictionary
    words = column.dictionary.take(used).cast(pa.large_string())
    order = pc.sort_indices(words).to_numpy().astype(np.int64)  # UTF-8 sorts as Python's strings do
    place = np.zeros(len(column.dictionary), np.int64)
    place[used.to_numpy()[order]] = np.arange(len(order))
    return place[column.indices.to_numpy()], words.take(pa.array(order)).to_pylist()


def joined(of_row: Ints, n_posts: int, groups: NDArray[Any]) -> Ints:
    """Number the posts so that those linked by duplicate groups, directly or not, share a number."""
    _, group = np.unique(groups, return_inverse=True)
    first = np.zeros(n_posts, np.int64)
    first[of_row] = group  # a post of several groups gets one of them, …
    parent = np.arange(group.max(initial=-1) + 1)

    def root(of: int) -> int:
        while parent[of] != of:
            parent[of] = of = parent[parent[of]]
        return of

    for row in np.flatnonzero(first[of_row] != group).tolist():  # … which the others then join
        one, other = root(int(first[of_row[row]])), root(int(group[row]))
        parent[max(one, other)] = min(one, other)
    while not np.array_equal(parent, flat := parent[parent]):
        parent = flat
    return parent[first]


def share(value: float | Fraction) -> Fraction:
    """Return a share exactly as written: .1 is a tenth, not the nearest float."""
    exact = value if isinstance(value, Fraction) else Fraction(str(value))
    if not 0 <= exact <= 1:
        raise SplitError(f"a split's share is {value!r}: give one from 0 to 1")
    return exact


def quota(part: Fraction, count: int) -> int:
    """Return the share of a number of posts, rounded down."""
    return part.numerator * count // part.denominator


def fill(sizes: Ints, room: int) -> NDArray[np.bool_]:
    """Choose units in their order while there is room; pass over those too large for the room left."""
    taken = np.zeros(len(sizes), np.bool_)
    total = np.cumsum(sizes)
    sure = int(np.searchsorted(total, room, side="right"))  # all fit up to here
    taken[:sure] = True
    room -= int(total[sure - 1]) if sure else 0
    for at, size in enumerate(sizes[sure:].tolist(), sure):
        if not room:
            break
        if size <= room:
            taken[at] = True
            room -= size
    return taken


def _ascending(rank: Rank) -> tuple[NDArray[np.float64], ...]:
    """Turn keys of a rank, higher = better, into sort keys, lower = better, missing last."""
    keys: list[NDArray[np.float64]] = []
    for values in rank:
        key = np.asarray(values, np.float64)
        missing = np.isnan(key)
        keys += [missing.astype(np.float64), np.where(missing, 0.0, -key)]
    return tuple(keys)
