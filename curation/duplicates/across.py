"""Link hashes that are near to hashes of another set, exactly: of pictures to views of pictures.

Two hashes within a distance agree on one of a few sets of bits (`_agreements`), for each of which only hashes
that agree on it are compared. Hashes of 64 bits within d are cut into d + 2 bands, of which two agree. Hashes
of 256 bits are cut into 16 bands: at 15 bits or fewer one of them agrees; at 31 or fewer one differs in at
most one bit, and agrees on the 15 others.

A million hashes agree on 15 bits with 30 others by chance, and on 25 bits with none: the search among 64 bits
is quick for a million pictures, that among 256 bits for a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from curation.duplicates.components import Forest, Labels, Links

#: uint64[n, words]; inside `link_across`, uint64[words, n]
Hashes: TypeAlias = NDArray[np.uint64]

#: The largest distance, by the number of words.
FARTHEST = {1: 8, 4: 31}
#: The most hashes that share a slot and are compared with a view: more are of pictures that show next to
#: nothing, and would cost the square of their number.
MANY = 4096
THREADS = 2
_PAIRS, _AT_ONCE = 1 << 18, 1 << 16  # pairs and others at a time: they stay in the cache
#: The bits of a slot's number at most, and how many more of a key are looked up first.
_SLOT_BITS, _MORE_BITS = 24, 3
_ODD = np.uint64(0x9E3779B97F4A7C15)


def link_across(
    forest: Forest,
    hashes: Hashes,
    rows: Labels,
    others: Hashes,
    other_rows: Labels,
    distance: int,
) -> None:
    """Link `rows[i]` and `other_rows[j]` where hash i and other hash j differ in at most `distance` bits."""
    words = hashes.shape[1]
    if not 0 <= distance <= FARTHEST[words]:
        raise ValueError(f"a distance of {distance!r} bits: give 0 to {FARTHEST[words]} of {64 * words}")
    if not len(hashes):
        return
    order = np.lexsort(hashes.T)
    same = np.flatnonzero((hashes[order[1:]] == hashes[order[:-1]]).all(axis=1))
    forest.link(rows[order[same]], rows[order[same + 1]])
    distinct = np.delete(order, same + 1)
    rows = rows[distinct]
    hashes, others = np.ascontiguousarray(hashes[distinct].T), np.ascontiguousarray(others.T)

    def one_way(agreement: tuple[int, np.uint64]) -> None:
        word, mask = agreement
        links = Links(forest)
        for left, right in _pairs(hashes[word] & mask, others[word], mask):
            near = _near(hashes, left, others, right, distance)
            left, right = rows[left[near]], other_rows[right[near]]
            links.add(left[left != right], right[left != right])
        links.flush()

    with ThreadPoolExecutor(THREADS) as pool:  # numpy sorts and compares without the interpreter's lock
        list(pool.map(one_way, _agreements(words, distance)))


def _agreements(words: int, distance: int) -> Iterator[tuple[int, np.uint64]]:
    """Yield sets of bits, each as a word and a mask, on one of which any two near hashes agree."""
    if words == 1:
        cuts = [64 * i // (distance + 2) for i in range(distance + 3)]
        bands = [(1 << cuts[i + 1]) - (1 << cuts[i]) for i in range(distance + 2)]
        yield from ((0, np.uint64(one | other)) for one, other in combinations(bands, 2))
        return
    for band in range(4 * words):
        word, mask = band // 4, 0xFFFF << 16 * (band % 4)
        if distance < 4 * words:
            yield word, np.uint64(mask)
        else:
            for bit in range(16):
                yield word, np.uint64(mask & ~(1 << 16 * (band % 4) + bit))


def _pairs(
    keys: NDArray[np.uint64], others: NDArray[np.uint64], mask: np.uint64
) -> Iterator[tuple[Labels, Labels]]:
    """Yield the places of keys, and of others whose masked bits are the same, some `_PAIRS` at a time.

    Hashed keys are sorted, and `starts` says where those of each slot (their upper bits) begin. Unequal keys
    may share a slot, which costs comparisons. Most others have no equal: a bit for each
    value of a few more of the upper bits tells nearly all of these at once, in 1 MB for a million keys.
    """
    slot_bits = min(_SLOT_BITS, len(keys).bit_length())
    slot_shift, fine_shift = np.uint64(64 - slot_bits), np.uint64(64 - slot_bits - _MORE_BITS)
    place_bits = np.uint64(len(keys).bit_length())
    # Key and place go through one sort as one number. The product's upper bits depend on all of the key's.
    packed = keys * _ODD >> place_bits << place_bits | np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    order = (packed & (np.uint64(1) << place_bits) - np.uint64(1)).view(np.int64)
    sizes = np.bincount((packed >> slot_shift).view(np.int64), minlength=1 << slot_bits)
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)
    there = np.zeros(1 << slot_bits + _MORE_BITS, dtype=bool)
    there[packed >> fine_shift] = True
    table = np.packbits(there, bitorder="little")
    for begin in range(0, len(others), _AT_ONCE):
        part = others[begin : begin + _AT_ONCE] & mask
        part *= _ODD
        part >>= fine_shift
        fine = part.view(np.int64)
        bits = table.take(fine >> 3) >> (fine.astype(np.uint8) & 7) & 1
        found = np.flatnonzero(bits.view(bool))
        slots = fine[found] >> _MORE_BITS
        first = starts.take(slots)
        sizes = starts.take(slots + 1) - first
        sizes[sizes > MANY] = 0
        for places, which in _spread(first, sizes):
            yield order.take(places), found.take(which) + begin


def _spread(
    first: NDArray[np.integer[Any]], sizes: NDArray[np.integer[Any]]
) -> Iterator[tuple[Labels, Labels]]:
    """Yield the `sizes[i]` numbers from `first[i]` on, each with its i, some `_PAIRS` at a time."""
    ends = np.cumsum(sizes, dtype=np.int64)
    shifts = first - ends + sizes
    begin = done = 0
    while begin < len(ends):
        stop = max(begin + 1, int(np.searchsorted(ends, done + _PAIRS, side="right")))
        which = np.repeat(np.arange(begin, stop), sizes[begin:stop])
        yield np.arange(done, done + len(which)) + shifts.take(which), which
        begin, done = stop, done + len(which)


def _near(hashes: Hashes, left: Labels, others: Hashes, right: Labels, distance: int) -> NDArray[Any]:
    """Return which pairs are within the distance; a pair that is beyond it by its first words is left out."""
    near = np.arange(len(left))
    apart = np.zeros(len(left), dtype=np.uint16)
    for some, more in zip(hashes, others, strict=True):
        apart += np.bitwise_count(some.take(left) ^ more.take(right))
        close = apart <= distance
        near, left, right, apart = near[close], left[close], right[close], apart[close]
    return near
