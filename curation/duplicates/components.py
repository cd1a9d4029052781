"""Connected components over the rows of a table: rows that are linked are one group.

A labelling gives every row the smallest row index of its group, so that equal partitions are equal
arrays. Each duplicate detector returns a labelling; `merge` joins them. A split that doesn't divide the
joined groups doesn't leak.
"""

from __future__ import annotations

from threading import RLock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Labels: TypeAlias = NDArray[np.int64]

#: The label of a row that can't be compared (no image, an empty text), and so has no duplicates.
ALONE = -1


class Forest:
    """Union-find over `size` rows, for whole arrays of links at a time.

    A root is the smallest row of its group. Every round of `link` hooks each root that has a smaller
    neighbour to the smallest one: of k linked roots at least half are gone after two rounds, so that
    n links take O(n log n), whatever their order. Threads may share a forest.
    """

    def __init__(self, size: int) -> None:
        self.parent: Labels = np.arange(size, dtype=np.int64)
        self._lock = RLock()

    def find(self, rows: NDArray[np.integer[Any]]) -> Labels:
        """Return the root of each row."""
        with self._lock:  # or the shortcut below could undo what another thread has just linked
            roots: Labels = self.parent[rows]
            while not np.array_equal(above := self.parent[roots], roots):
                roots = above
            self.parent[rows] = roots
        return roots

    def link(self, left: NDArray[np.integer[Any]], right: NDArray[np.integer[Any]]) -> None:
        """Put `left[i]` and `right[i]` into one group, for every i."""
        known = self.parent[left] == self.parent[right]  # most links of a dense group
        left, right = left[~known], right[~known]
        with self._lock:
            while True:
                a, b = self.find(left), self.find(right)
                apart = a != b
                if not apart.any():
                    return
                left, right = a[apart], b[apart]
                low, high = np.minimum(left, right), np.maximum(left, right)
                np.minimum.at(self.parent, high, low)
                self._shorten(high)

    def _shorten(self, hooked: Labels) -> None:
        """Halve the paths above the roots that were just hooked, until each sees its new root."""
        while not np.array_equal(above := self.parent[self.parent[hooked]], self.parent[hooked]):
            self.parent[hooked] = above

    def link_equal(self, rows: NDArray[np.integer[Any]], keys: NDArray[Any]) -> None:
        """Put rows of equal keys into one group."""
        order = np.argsort(keys)
        keys = keys[order]
        same = np.flatnonzero(keys[1:] == keys[:-1])
        self.link(rows[order[same]], rows[order[same + 1]])

    def labels(self) -> Labels:
        """Return the smallest row of every row's group."""
        return self.find(np.arange(len(self.parent)))


class Links:
    """Links that are given to a forest many at a time: a call for one link costs as much as for thousands."""

    def __init__(self, forest: Forest, many: int = 1 << 15) -> None:
        self.forest = forest
        self.many = many
        self.waiting: list[tuple[Labels, Labels]] = []
        self.size = 0

    def add(self, left: Labels, right: Labels) -> None:
        """Link `left[i]` and `right[i]`, for every i, at the latest in `flush`."""
        self.waiting.append((left, right))
        self.size += len(left)
        if self.size > self.many:
            self.flush()

    def flush(self) -> None:
        """Link what was added."""
        if self.waiting:
            left, right = zip(*self.waiting, strict=True)
            self.waiting, self.size = [], 0
            self.forest.link(np.concatenate(left), np.concatenate(right))


def merge(*labelings: NDArray[np.integer[Any]]) -> Labels:
    """Return the finest labelling in which rows that share a label in any of `labelings` share one.

    Labels may be any numbers; a row with a negative label (`ALONE`) isn't linked.
    """
    if not labelings:
        raise ValueError("nothing to merge: give one labelling or more")
    sizes = [len(labels) for labels in labelings]
    if len(set(sizes)) > 1:
        raise ValueError(f"labellings of different tables, with {sizes} rows: give each one label a row")
    forest = Forest(sizes[0])
    for labels in labelings:
        rows = np.flatnonzero(labels >= 0)
        forest.link_equal(rows, labels[rows])
    return forest.labels()
