"""Hold out the first posts of an order: what the rules that rank or draw posts share.

**Ties.** Votes and scores are often equal. If the lower id came first, the oldest posts would be held out, as
ids grow with time. Units of equal rank are therefore ordered by a *ticket*, a hash of the split's seed and an
id (`tickets`). The same recipe and posts give the same order, whatever the order of the rows; another seed
gives another. Units of higher rank always come first.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from hashlib import blake2b
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curation.splits.errors import SplitError
from curation.splits.units import TEST, VALIDATION, Ints, Posts, Result, fill, quota

#: Duong et al. 2017, section 5.4: the top 10% of the posts, and the next 10%.
TENTH = Fraction(1, 10)

#: Whether the shares are those of each class, or of all posts together.
Within = Literal["class", "all"]

#: BLAKE2's `person` of the tickets that break ties. They are independent of those that draw posts at random
#: by the same seed: otherwise `unanimous` would put the posts that won a tie into the same half.
_TIES = b"ties"


def best_first(table: Posts, seed: int) -> Ints:
    """Return the best-ranked post of each unit, the best-ranked unit first; ties are broken by tickets.

    A unit has one ticket, that of its first post by id. With one a post, large units would win more ties.
    """
    ticket = tickets(table.ids, seed, _TIES)
    best = first_of_units(table, np.lexsort((ticket, *table.keys[::-1])))
    keys = [key[best] for key in table.keys[::-1]]
    return best[np.lexsort((ticket[first_by_id(table, best)], *keys))]


def first_by_id(table: Posts, members: Ints) -> Ints:
    """Return for each of these posts the first post by id of its unit."""
    first = np.empty(table.unit.max(initial=-1) + 1, np.int64)
    first[table.unit[::-1]] = np.arange(len(table))[::-1]
    return first[table.unit[members]]


def first_of_units(table: Posts, order: Ints) -> Ints:
    """Return the first post of each unit in an order of all posts, in that order."""
    _, first = np.unique(table.unit[order], return_index=True)
    return order[np.sort(first)]


def held_out(
    table: Posts, first: Ints, test: Fraction, validation: Fraction, within: Within = "class"
) -> Result:
    """Fill the quotas of each class, or of all posts, with units in the order of `first`.

    `first` has a post of each unit, which gives the unit its class.
    """
    if test + validation > 1:
        raise SplitError(
            f"test and validation take {float(test + validation):g} of the posts: give 1 at most"
        )
    sizes = np.bincount(table.unit)
    of_unit = np.zeros(len(sizes), np.int8)
    notes: list[str] = []
    pools = [(f" of {name!r}", first[table.classes[first] == n]) for n, name in enumerate(table.names)]
    for name, ranked in [("", first)] if within == "all" else pools:
        units = table.unit[ranked]
        n = int(sizes[units].sum())
        bounds = (0, quota(test, n), quota(test + validation, n))
        for split, (low, high) in zip((TEST, VALIDATION), pairwise(bounds), strict=True):
            chosen = fill(sizes[units], high - low)
            of_unit[units[chosen]] = split
            if (held := int(sizes[units[chosen]].sum())) < high - low:
                notes.append(_short(name, split, held, high - low))
            units = units[~chosen]
    return Result(of_unit[table.unit][table.of_row], tuple(notes))


def _short(of_class: str, split: int, held: int, wanted: int) -> str:
    where = "test" if split == TEST else "validation"
    return f"{where} holds {held:,} posts{of_class}, not {wanted:,}: no duplicate group left is small enough"


def tickets(ids: Sequence[str], seed: int, purpose: bytes = b"") -> NDArray[np.uint64]:
    """Return a random number per id, which depends only on the seed, the id and the purpose.

    The first 64 bits of BLAKE2b of the seed, a zero byte and the id; `purpose` is its parameter `person`.
    """
    salt = f"{seed}\0".encode()
    digests = b"".join(
        [blake2b(salt + post.encode(), digest_size=8, person=purpose).digest() for post in ids]
    )
    return np.frombuffer(digests, ">u8").astype(np.uint64)
