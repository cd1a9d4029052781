"""Near-duplicate images: a 64-bit difference hash, and the groups of hashes within 3 bits.

**The hash** is `imagehash.dhash`, bit for bit: grey, 9 by 8 pixels (Lanczos), each bit says whether a
pixel is brighter than the one to its left. A JPEG may be opened with `draft` beforehand. Pictures of
one colour all have the hash 0 and are one group: a caller who does not want that takes them out first.

**The groups** are exact: no pair within the distance is missed, none beyond it linked. Cut the bits into
k bands: two hashes that differ in at most 3 bits agree on some k - 3 whole bands, so for each of the
C(k, 3) ways to leave three bands out, only hashes that agree on the others (a bucket) are compared.
4 bands are quick on hashes as they come, and hopeless on a million that share a band. So the rows of a
bucket that is too large wait for a level of more bands, of which they must agree on more:

    bands               4     6     8    12    22
    ways (sorts)        4    20    56   220  1540
    bits left open   3/4b  3/6b  3/8b  b/4   3/22b   of the b bits in which the waiting rows differ at all

At 22 bands at most 9 bits are open, so that no bucket holds more than 2^9 = `SMALL` hashes, whatever the
input: a hash costs at most 1,840 sorts with `SMALL` comparisons each, a large constant, but a constant.
No input that we could think of comes to the last level, for three reasons. Rows that are one group
already are not compared. A large bucket of one group and few others is done by comparing those few.
And the bits are dealt to the bands so that a sample of the rows falls into the smallest buckets.
`benchmarks/duplicates.py` shows what the worst families cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curation.groups import Forest, Labels

Hashes: TypeAlias = NDArray[np.uint64]

BITS = 64
#: The largest distance that is looked for: 22 bands and `SMALL` are made for it.
FARTHEST = 3
LEVELS = (4, 6, 8, 12, 22)
#: A bucket of at most so many hashes is compared pair by pair.
SMALL = 512
_CHUNK = 1 << 15  # hashes compared at a time: they stay in the cache
_SAMPLE = 1 << 14
_ODD = np.uint64(0x9E3779B97F4A7C15)


def difference_hash(image: Image.Image) -> int:
    """Return the 64-bit difference hash, as `int(str(imagehash.dhash(image)), 16)` would."""
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # the palette's transparency would warn, and is not looked at
    grey = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.LANCZOS))
    return int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes(), "big")


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
        self.found: list[tuple[Labels, Labels]] = []  # near pairs that are not linked yet
        self.pending = 0

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
        masks = (
            _mask(bit for i, band in enumerate(cut) if i not in left_out for bit in band)
            for left_out in combinations(range(bands), self.distance)
        )
        for ordered in _sorted_ahead(values, masks):
            buckets = self._buckets(rows, ordered)
            small = buckets.sizes <= SMALL if not last else np.ones(len(buckets.sizes), dtype=bool)
            self._compare(buckets.where(small))
            large = buckets.where(~small)
            for start, size in zip(large.starts.tolist(), large.sizes.tolist(), strict=True):
                bucket = buckets.rows[start : start + size]
                if not self._few_others(bucket):
                    waits[bucket] = True
        return np.flatnonzero(waits)

    def _buckets(self, rows: Labels, ordered: Hashes) -> _Buckets:
        """Return the buckets that are not one group yet, of what `_sorted` gave for `rows`."""
        place_bits = _place_bits(len(rows))
        ordered_rows = rows[(ordered & np.uint64((1 << place_bits) - 1)).astype(np.int64)]
        keys = ordered >> np.uint64(place_bits)
        bounds = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1], [True])))
        sizes = np.diff(bounds)
        several = sizes > 1
        found = _Buckets(ordered_rows, bounds[:-1][several], sizes[several])
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
        begin = 0
        while begin < len(ends):
            base = ends[begin] - buckets.sizes[begin]
            stop = max(begin + 1, int(np.searchsorted(ends, base + _CHUNK, side="right")))
            sizes = buckets.sizes[begin:stop]
            for step in range(1, int(sizes[0])):
                end = ends[begin + int(np.searchsorted(-sizes, -step)) - 1]
                self._link_near(rows[base:end], values[base:end], step)
            self._link_found()
            begin = stop

    def _link_near(self, rows: Labels, values: Hashes, step: int) -> None:
        """Note the near pairs that stand `step` apart, and link them when they are many."""
        near = np.flatnonzero(np.bitwise_count(values[step:] ^ values[:-step]) <= self.distance)
        if len(near):
            self.found.append((rows[near], rows[near + step]))
            self.pending += len(near)
            if self.pending > _CHUNK:
                self._link_found()

    def _link_found(self) -> None:
        if self.found:
            left, right = zip(*self.found, strict=True)
            self.forest.link(np.concatenate(left), np.concatenate(right))
        self.found, self.pending = [], 0

    def _few_others(self, bucket: Labels) -> bool:
        """Compare those outside the bucket's largest group to all of it, if they are few."""
        groups = self.forest.find(bucket)
        ordered = np.sort(groups)
        bounds = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1], [True])))
        others = bucket[groups != ordered[bounds[np.argmax(np.diff(bounds))]]]
        if len(others) > SMALL:
            return False
        values = self.values[bucket]
        for other in others:
            near = bucket[np.bitwise_count(values ^ self.values[other]) <= self.distance]
            self.forest.link(near, np.full(len(near), other))
        return True

    def _melt(self, rows: Labels, free: list[int], orders: int = 8, reach: int = 4) -> None:
        """Link near hashes that are neighbours in one of a few sort orders: dense clusters melt at once."""
        values = self.values[rows]
        for turn in {free[len(free) * i // orders] for i in range(orders)}:
            turned = values >> np.uint64(turn) | values << np.uint64((BITS - turn) % BITS)
            order = np.argsort(turned)
            ordered = values[order]
            for step in range(1, min(reach, len(rows) - 1) + 1):
                self._link_near(rows[order], ordered, step)
            self._link_found()


def _sorted_ahead(values: Hashes, masks: Iterator[int]) -> Iterator[Hashes]:
    """Yield `_sorted` for each mask, the next one being sorted on another core meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(_sorted, values, next(masks))
        for mask in masks:
            ready, following = following, pool.submit(_sorted, values, mask)
            yield ready.result()
        yield following.result()


def _sorted(values: Hashes, mask: int) -> Hashes:
    """Sort by the masked hash, as numbers whose upper bits are that hash, hashed, and whose lower are places.

    Hashes that meet there share a bucket, which costs comparisons and is never wrong.
    """
    place_bits = np.uint64(_place_bits(len(values)))
    packed = (values & np.uint64(mask)) * _ODD >> place_bits << place_bits
    packed |= np.arange(len(values), dtype=np.uint64)
    packed.sort()
    return packed


def _place_bits(size: int) -> int:
    return max(1, (size - 1).bit_length())


def _varying(values: Hashes) -> list[int]:
    """Return the bits in which any two of the hashes differ."""
    differ = int(np.bitwise_or.reduce(values ^ values[0])) if len(values) else 0
    return [bit for bit in range(BITS) if differ >> bit & 1]


def _mask(bits: Iterable[int]) -> int:
    return sum(1 << bit for bit in bits)


def _deal(sample: Hashes, bits: list[int], bands: int) -> list[list[int]]:
    """Deal the bits into bands, of several ways the one that makes the fewest pairs in the sample."""
    shuffled = [np.random.default_rng(seed).permutation(bits).tolist() for seed in range(4)]
    strides = [bit for start in range(bands) for bit in bits[start::bands]]
    cuts = [len(bits) * i // bands for i in range(bands + 1)]
    ways = [[order[a:b] for a, b in pairwise(cuts)] for order in (bits, strides, *shuffled)]
    return min(ways, key=lambda way: sum(_pairs(sample & np.uint64(_mask(band))) for band in way))


def _pairs(keys: Hashes) -> int:
    """Return about how many pairs have equal keys."""
    return int(np.square(np.unique(keys, return_counts=True)[1]).sum())
