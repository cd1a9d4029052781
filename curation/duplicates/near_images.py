"""Groups of 64-bit hashes that are within 3 bits of each other.

The groups are exact: no pair within the distance is missed, none beyond it linked. Cut the bits into
k bands: two hashes that differ in at most 3 bits agree on some k - 3 whole bands, so for each of the
C(k, 3) ways to leave three bands out, only hashes that agree on the others (a bucket) are compared.
4 bands are quick on hashes as they come, and hopeless on a million that share a band. So each way compares
its smallest buckets, as many as `PAIRS` comparisons a hash allow; the hashes of the others wait for a level
of more bands, of which they must agree on more:

    bands               4     6     8    12    22
    ways (sorts)        4    20    56   220  1540
    bits left open   3/4b  3/6b  3/8b  b/4   3/22b   of the b bits in which the waiting rows differ at all

At 22 bands at most 9 bits are open, so that no bucket holds more than 2^9 = `SMALL` hashes, whatever the
input: a hash takes part in at most 1,840 sorts, with some hundred comparisons after each. That is a large
constant. No input that we know of reaches the last level, for three reasons: rows
that are one group already are not compared; a large bucket of one group and few others is done by comparing
those few; and the bits are divided into bands so that a sample of the rows falls into small buckets.
`benchmarks/duplicates.py` shows what the worst families cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from curation.duplicates.components import Forest, Labels, Links

Hashes: TypeAlias = NDArray[np.uint64]

BITS = 64
#: The largest distance that is looked for: 22 bands and `SMALL` are made for it.
FARTHEST = 3
LEVELS = (4, 6, 8, 12, 22)
#: The largest bucket that the last level can have: 3 of its bands hold at most 9 of the 64 bits.
SMALL = 512
#: Before the last level, the buckets compared in one way, smallest first, cost so many comparisons a hash.
PAIRS = 256
THREADS = 2
_CHUNK = 1 << 15  # hashes compared at a time: they stay in the cache
_SAMPLE = 1 << 14
_ODD = np.uint64(0x9E3779B97F4A7C15)


def near_groups(hashes: Hashes, distance: int = FARTHEST) -> Labels:
    """Label each hash with the first row of its group: hashes linked by steps of at most `distance` bits."""
    if not 0 <= distance <= FARTHEST:
        raise ValueError(f"a distance of {distance!r} bits: near images are 0 to {FARTHEST} bits apart")
    hashes = np.asarray(hashes, dtype=np.uint64)
    values, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    groups = _Search(values, distance).groups()
    smallest = np.full(len(values), len(hashes), dtype=np.int64)
    np.minimum.at(smallest, groups, first)
    return smallest[groups][inverse]


class _Buckets(NamedTuple):
    """Rows in the order of their buckets, and where the buckets of two and more begin."""

    rows: Labels
    starts: Labels
    sizes: Labels

    def where(self, wanted: NDArray[np.bool_]) -> _Buckets:
        return _Buckets(self.rows, self.starts[wanted], self.sizes[wanted])

    def members(self) -> Labels:
        """Return the rows of the buckets, bucket after bucket."""
        ends = np.cumsum(self.sizes)
        shift = np.repeat(self.starts - (ends - self.sizes), self.sizes)
        rows: Labels = self.rows[np.arange(len(shift)) + shift]
        return rows


class _Search:
    """Link distinct, sorted hashes."""

    def __init__(self, values: Hashes, distance: int) -> None:
        self.values = values
        self.distance = distance
        self.forest = Forest(len(values))

    def groups(self) -> Labels:
        rows = np.arange(len(self.values))
        for bands in LEVELS if self.distance else ():
            free = _varying(self.values[rows])
            if len(free) <= self.distance:  # they cannot differ in more
                self.forest.link(rows[1:], rows[:-1])
                break
            if bands > LEVELS[0]:
                self._melt(rows, free)
                if len(np.unique(self.forest.find(rows))) == 1:
                    break
            rows = self._level(rows, free, min(bands, len(free)), last=bands == LEVELS[-1])
        return self.forest.labels()

    def _level(self, rows: Labels, free: list[int], bands: int, last: bool) -> Labels:
        """Link the near pairs among `rows` but for those in large buckets; return the rows of these."""
        values = self.values[rows]
        waits = np.zeros(len(self.values), dtype=bool)
        cut = _deal(values[:: max(1, len(values) // _SAMPLE)], free, bands)

        def one_way(left_out: tuple[int, ...]) -> None:
            mask = _mask(bit for i, band in enumerate(cut) if i not in left_out for bit in band)
            buckets = self._buckets(rows, values & np.uint64(mask))
            for i in np.flatnonzero(buckets.sizes > SMALL):
                start, size = buckets.starts[i], buckets.sizes[i]
                if self._few_others(buckets.rows[start : start + size]):
                    buckets.sizes[i] = 0
            buckets = buckets.where(buckets.sizes > 0)
            small = np.inf if last else _affordable(buckets.sizes, PAIRS * len(rows))
            self._compare(buckets.where(buckets.sizes <= small))
            waits[buckets.where(buckets.sizes > small).members()] = True

        with ThreadPoolExecutor(THREADS) as pool:  # numpy sorts and compares without the interpreter's lock
            list(pool.map(one_way, combinations(range(bands), self.distance)))
        return np.flatnonzero(waits)

    def _buckets(self, rows: Labels, keys: Hashes) -> _Buckets:
        """Return the buckets of equal keys that are not one group yet.

        Key and place go through one sort as one number: the key is hashed to the bits that the place
        leaves. Keys that meet there share a bucket, which costs comparisons and is never wrong.
        """
        place_bits = np.uint64(max(1, (len(rows) - 1).bit_length()))
        packed = keys * _ODD >> place_bits << place_bits
        packed |= np.arange(len(rows), dtype=np.uint64)
        packed.sort()
        rows = rows[(packed & (np.uint64(1) << place_bits) - np.uint64(1)).astype(np.int64)]
        packed >>= place_bits
        bounds = np.flatnonzero(np.concatenate(([True], packed[1:] != packed[:-1], [True])))
        sizes = np.diff(bounds)
        several = sizes > 1
        found = _Buckets(rows, bounds[:-1][several], sizes[several])
        if not len(found.starts):
            return found
        groups = self.forest.find(found.members())
        starts = np.cumsum(found.sizes) - found.sizes
        return found.where(np.minimum.reduceat(groups, starts) != np.maximum.reduceat(groups, starts))

    def _compare(self, buckets: _Buckets) -> None:
        """Compare all pairs of each bucket.

        With the largest bucket first, the buckets with members `step` apart are the first so many rows. A
        step may reach into the next bucket: also a pair, and cheaper to look at than to leave out.
        """
        order = np.argsort(-buckets.sizes)
        buckets = _Buckets(buckets.rows, buckets.starts[order], buckets.sizes[order])
        rows, ends = buckets.members(), np.cumsum(buckets.sizes)
        values = self.values[rows]
        links = Links(self.forest)
        begin = 0
        while begin < len(ends):
            base = ends[begin] - buckets.sizes[begin]
            stop = max(begin + 1, int(np.searchsorted(ends, base + _CHUNK, side="right")))
            sizes = buckets.sizes[begin:stop]
            for step in range(1, int(sizes[0])):
                end = ends[begin + int(np.searchsorted(-sizes, -step)) - 1]
                self._look(links, rows[base:end], values[base:end], step)
            links.flush()
            begin = stop

    def _look(self, links: Links, rows: Labels, values: Hashes, step: int) -> None:
        """Add the near pairs that are `step` apart."""
        near = (np.bitwise_count(values[step:] ^ values[:-step]) <= self.distance).nonzero()[0]
        if len(near):
            links.add(rows[near], rows[near + step])

    def _few_others(self, bucket: Labels) -> bool:
        """Compare those outside the bucket's largest group to all of it, if they are few."""
        groups = self.forest.find(bucket)
        ordered = np.sort(groups)
        bounds = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1], [True])))
        others = bucket[groups != ordered[bounds[np.argmax(np.diff(bounds))]]]
        if len(others) > min(SMALL, len(bucket) // 16):
            return False
        values = self.values[bucket]
        for other in others:
            near = bucket[np.bitwise_count(values ^ self.values[other]) <= self.distance]
            self.forest.link(near, np.full(len(near), other))
        return True

    def _melt(self, rows: Labels, free: list[int], orders: int = 8, reach: int = 4) -> None:
        """Link near hashes that are neighbours in one of a few sort orders: dense clusters melt at once."""
        values = self.values[rows]
        links = Links(self.forest)
        for turn in {free[len(free) * i // orders] for i in range(orders)}:
            turned = values >> np.uint64(turn) | values << np.uint64((BITS - turn) % BITS)
            order = np.argsort(turned)
            ordered = values[order]
            for step in range(1, min(reach, len(rows) - 1) + 1):
                self._look(links, rows[order], ordered, step)
            links.flush()


def _affordable(sizes: Labels, pairs: int) -> int:
    """Return up to which size buckets can all be compared for so many pairs."""
    sizes = np.sort(sizes)
    few = int(np.searchsorted(np.cumsum(sizes * sizes), pairs, side="right"))
    return int(sizes[few]) - 1 if few < len(sizes) else int(sizes[-1:].sum())


def _varying(values: Hashes) -> list[int]:
    """Return the bits in which any two of the hashes differ."""
    differ = int(np.bitwise_or.reduce(values ^ values[0])) if len(values) else 0
    return [bit for bit in range(BITS) if differ >> bit & 1]


def _mask(bits: Iterable[int]) -> int:
    return sum(1 << bit for bit in bits)


def _deal(sample: Hashes, bits: list[int], bands: int) -> list[list[int]]:
    """Divide the bits into bands, in that of several ways that gives the fewest pairs in the sample."""
    shuffled = [np.random.default_rng(seed).permutation(bits).tolist() for seed in range(4)]
    strides = [bit for start in range(bands) for bit in bits[start::bands]]
    cuts = [len(bits) * i // bands for i in range(bands + 1)]
    ways = [[order[a:b] for a, b in pairwise(cuts)] for order in (bits, strides, *shuffled)]
    return min(ways, key=lambda way: sum(_pairs(sample & np.uint64(_mask(band))) for band in way))


def _pairs(keys: Hashes) -> int:
    """Return about how many pairs have equal keys."""
    return int(np.square(np.unique(keys, return_counts=True)[1]).sum())
