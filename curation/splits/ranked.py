"""The rules that rank posts and hold out the first of them: by score, by agreement, by lot."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curation.splits.errors import SplitError
from curation.splits.units import (
    TEST,
    VALIDATION,
    Ints,
    Leakage,
    Posts,
    Rank,
    Result,
    Strings,
    fill,
    posts,
    quota,
    share,
)

#: Duong et al. 2017, section 4.1: the top 10% within each class, and the next 10%.
TENTH = Fraction(1, 10)
#: Pagé Fortin & Chaib-draa 2019: the top 20% of all, halved.
FIFTH = Fraction(1, 5)


def top_score(
    post_ids: Strings,
    labels: Strings,
    rank: Rank,
    groups: ArrayLike | None = None,
    *,
    test: float | Fraction = TENTH,
    validation: float | Fraction = TENTH,
    leakage: Leakage = "group",
) -> Result:
    """Hold out the best-scored posts of each class, as Duong et al. 2017 do.

    Of a class's n posts the best floor(n·test) are test, the next floor(n·(test + validation)) −
    floor(n·test) validation; ties go to the lower id. `rank` holds one key or more, the first counting
    most: `(score,)`, or for voted data `(agreeing votes, their share)`.
    """
    table = posts(post_ids, labels, rank, groups, leakage)
    first = _first_of_units(table, _best_first(table))
    return _within_classes(table, first, share(test), share(validation))


def random(
    post_ids: Strings,
    labels: Strings,
    groups: ArrayLike | None = None,
    *,
    test: float | Fraction = TENTH,
    validation: float | Fraction = TENTH,
    seed: int = 0,
    leakage: Leakage = "group",
) -> Result:
    """Hold out posts of each class by lot: a post's ticket is a hash of the seed and its id."""
    table = posts(post_ids, labels, (), groups, leakage)
    first = _first_of_units(table, np.arange(len(table)))
    first = first[np.argsort(_tickets([table.ids[post] for post in first], seed), kind="stable")]
    return _within_classes(table, first, share(test), share(validation))


def unanimous(
    post_ids: Strings,
    labels: Strings,
    agreeing: ArrayLike,
    total: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    pairs: ArrayLike | None = None,
    held_out: float | Fraction = FIFTH,
    seed: int = 0,
    leakage: Leakage = "group",
) -> Result:
    """Hold out posts that all annotators agree on, as Pagé Fortin & Chaib-draa 2019 do.

    Of the posts with `agreeing == total` votes, those with the most votes are held out, up to a fifth
    of **all** posts, classes notwithstanding; ties go to the lower id. Halved by lot, the odd one
    for validation. A unit with a post that is not unanimous trains. So does one with a row that is not
    among `pairs` (bool[n]; default: all are): the paper's images alone only add to what its pairs
    train on, and the fifth is of the pairs.
    """
    voted = np.nan_to_num(np.asarray(total, np.float64))
    paired = np.ones(len(voted), np.bool_) if pairs is None else np.asarray(pairs, np.bool_)
    whole = (np.asarray(agreeing, np.float64) == voted) & (voted > 0) & paired
    table = posts(post_ids, labels, (whole, voted), groups, leakage)
    n_posts = len(np.unique(table.of_row[paired]))
    sizes = np.bincount(table.unit)
    split_one = np.zeros(len(sizes), np.bool_)
    split_one[table.unit[table.keys[1] == 0]] = True  # -whole: 0 where not unanimous
    order = _first_of_units(table, _best_first(table))
    order = order[~split_one[table.unit[order]]]
    wanted = quota(share(held_out), n_posts)
    held = order[fill(sizes[table.unit[order]], wanted)]
    n_held = int(sizes[table.unit[held]].sum())

    first = held[np.argsort(_tickets([table.ids[post] for post in _by_id(table, held)], seed), kind="stable")]
    is_test = fill(sizes[table.unit[first]], n_held // 2)
    of_unit = np.zeros(len(sizes), np.int8)
    of_unit[table.unit[first]] = np.where(is_test, TEST, VALIDATION)
    result = of_unit[table.unit]
    notes = _shortage(n_posts, sizes[table.unit[order]], wanted, result) if n_held < wanted else ()
    return Result(result[table.of_row], notes)


def _by_id(table: Posts, held: Ints) -> Ints:
    """Return the first post by id of the units that these posts stand for."""
    first = np.empty(table.unit.max(initial=-1) + 1, np.int64)
    first[table.unit[::-1]] = np.arange(len(table))[::-1]
    return first[table.unit[held]]


def _shortage(n_posts: int, open_sizes: Ints, wanted: int, result: NDArray[np.int8]) -> tuple[str, ...]:
    found, held = int(open_sizes.sum()), int((result > 0).sum())
    halves = f"{(result == TEST).sum():,} for test, {(result == VALIDATION).sum():,} for validation"
    if found < wanted:
        why = f"only {found:,} of {n_posts:,} posts are unanimous with all their duplicates"
    else:
        why = f"the duplicate groups left do not fit into the last {wanted - held:,} places"
    return (f"{why}: {held:,} are held out ({halves}), not the {wanted:,} of the rule",)


def _best_first(table: Posts) -> Ints:
    """Return the posts in the order of their rank; the sort is stable, so ties go to the lower id."""
    return np.lexsort(table.keys[::-1])


def _first_of_units(table: Posts, order: Ints) -> Ints:
    """Return of each unit the post that comes first in an order of all posts; in that order."""
    _, first = np.unique(table.unit[order], return_index=True)
    return order[np.sort(first)]


def _within_classes(table: Posts, first: Ints, test: Fraction, validation: Fraction) -> Result:
    """Fill each class's quotas with units, in the order of the posts they stand by."""
    if test + validation > 1:
        raise SplitError(
            f"test and validation take {float(test + validation):g} of the posts: give 1 at most"
        )
    sizes = np.bincount(table.unit)
    of_unit = np.zeros(len(sizes), np.int8)
    notes: list[str] = []
    for number, name in enumerate(table.names):
        units = table.unit[first[table.classes[first] == number]]
        n = int(sizes[units].sum())
        bounds = (0, quota(test, n), quota(test + validation, n))
        for split, (low, high) in zip((TEST, VALIDATION), pairwise(bounds), strict=True):
            chosen = fill(sizes[units], high - low)
            of_unit[units[chosen]] = split
            if (held := int(sizes[units[chosen]].sum())) < high - low:
                notes.append(_short(name, split, held, high - low))
            units = units[~chosen]
    return Result(of_unit[table.unit][table.of_row], tuple(notes))


def _short(name: str, split: int, held: int, wanted: int) -> str:
    where = "test" if split == TEST else "validation"
    return (
        f"{where} holds {held:,} posts of {name!r}, not {wanted:,}: no duplicate group left is small enough"
    )


def _tickets(ids: Sequence[str], seed: int) -> NDArray[np.uint64]:
    """Return a number per id that depends on the seed and the id alone."""
    salt = f"{seed}\0".encode()
    digests = b"".join([blake2b(salt + post.encode(), digest_size=8).digest() for post in ids])
    return np.frombuffer(digests, ">u8").astype(np.uint64)
