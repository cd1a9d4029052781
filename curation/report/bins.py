"""Bins of a histogram. A bin is a range of integers, both ends included."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence

Bin = tuple[int, int]


def quantile(counts: Mapping[int, int], share: float) -> int | None:
    """Return the smallest value that at least this share of a tally doesn't exceed (0.5: lower median)."""
    target = share * sum(counts.values())
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= target:
            return value
    return None


def linear(counts: Mapping[int, int], most: int = 40) -> list[Bin]:
    """Return about `most` equal bins at most; the last one also takes the values above the 99.5% quantile."""
    if not counts:
        return []
    low, high = min(counts), max(counts)
    end = max(quantile(counts, 0.995) or low, low)
    width = math.ceil((end - low + 1) / most)
    starts = list(range(low, end + 1, width))
    bins = [(start, start + width - 1) for start in starts]
    bins[-1] = (bins[-1][0], max(bins[-1][1], high))
    return bins


def logarithmic(low: int, high: int, most: int = 42) -> list[Bin]:
    """Return bins of equal width on a log scale, from `low` (1 or more) to `high`."""
    for a_decade in (20, 10, 5, 2, 1):
        first, last = math.floor(math.log10(low) * a_decade), math.ceil(math.log10(high + 1) * a_decade)
        if last - first <= most and (a_decade <= 5 or low >= 2 * a_decade):
            break
    edges = [math.ceil(10 ** (k / a_decade) - 1e-9) for k in range(first, last + 1)]
    edges = sorted(set(edges))
    if len(edges) < 2:
        edges = [low, high + 1]
    return [(start, stop - 1) for start, stop in itertools.pairwise(edges)]


def fill(counts: Mapping[int, int], bins: Sequence[Bin]) -> list[int]:
    """Return the number of values in each bin; values below the first bin are counted in it."""
    starts = [start for start, _ in bins]
    filled = Counter[int]()
    for value, times in counts.items():
        filled[max(0, bisect_right(starts, value) - 1)] += times
    return [filled[number] for number in range(len(bins))]


def ticks(highest: float, most: int = 4) -> list[int]:
    """Return round numbers from zero up to `highest`, at most `most` steps."""
    if highest < 1:
        return [0, 1]
    step = 10 ** math.floor(math.log10(highest))
    for size in (step / 10, step / 5, step / 2, step, step * 2, step * 5):
        if size >= 1 and highest / size <= most:
            return [round(size * k) for k in range(int(highest / size) + 1)]
    return [0, round(step)]


def compact(value: float) -> str:
    """Return a number for an axis: 950, 1.5k, 20k, 3M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
