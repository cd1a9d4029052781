"""Hold out the first posts of an order: what the rules that rank or draw posts share."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from curation.splits.errors import SplitError
from curation.splits.units import TEST, VALIDATION, Ints, Posts, Result, fill, quota

#: Duong et al. 2017, section 4.1: the top 10% within each class, and the next 10%.
TENTH = Fraction(1, 10)


def best_first(table: Posts) -> Ints:
    """Return the posts in the order of their rank; the sort is stable, so ties go to the lower id."""
    return np.lexsort(table.keys[::-1])


def first_of_units(table: Posts, order: Ints) -> Ints:
    """Return the first post of each unit in an order of all posts, in that order."""
    _, first = np.unique(table.unit[order], return_index=True)
    return order[np.sort(first)]


def within_classes(table: Posts, first: Ints, test: Fraction, validation: Fraction) -> Result:
    """Fill each class's quotas with units, in the order of `first`, the post of each unit that ranks it."""
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


def tickets(ids: Sequence[str], seed: int) -> NDArray[np.uint64]:
    """Return a random number per id, which depends only on the seed and the id."""
    salt = f"{seed}\0".encode()
    digests = b"".join([blake2b(salt + post.encode(), digest_size=8).digest() for post in ids])
    return np.frombuffer(digests, ">u8").astype(np.uint64)
