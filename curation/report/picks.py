"""The choice of the few rows that a gallery shows: the lowest by a value, or at random by a hash.

The hash is that of the post's id and image index. The choice doesn't depend on the order of the rows, and a
post that is added to the release displaces at most one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: A row of the release: the number of its file, and its number in the file.
Place = tuple[int, int]


def hashes(keys: Sequence[str]) -> Array:
    """Return a 64-bit BLAKE2 hash of every key (uint64[n])."""
    raw = b"".join(hashlib.blake2b(key.encode(), digest_size=8).digest() for key in keys)
    return np.frombuffer(raw, dtype="<u8")


class Lowest:
    """The `size` rows with the lowest values so far; equal values are ordered by hash."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._values = np.empty(0)
        self._ties = np.empty(0, dtype=np.uint64)
        self._places = np.empty((0, 2), dtype=np.int64)

    def offer(self, file: int, rows: Array, ties: Array, values: Array | None = None) -> None:
        """Consider rows of a file (arrays of one length); without values, the hashes `ties` alone decide."""
        known = np.zeros(len(rows)) if values is None else values.astype(np.float64)
        if len(self._values) == self.size and len(rows):
            worth = known <= self._values[-1]
            if values is None:
                worth &= ties <= self._ties[-1]
            rows, ties, known = rows[worth], ties[worth], known[worth]
        if not len(rows):
            return
        places = np.column_stack([np.full(len(rows), file, dtype=np.int64), rows])
        all_values = np.concatenate([self._values, known])
        all_ties = np.concatenate([self._ties, ties])
        order = np.lexsort((all_ties, all_values))[: self.size]
        self._values, self._ties = all_values[order], all_ties[order]
        self._places = np.concatenate([self._places, places])[order]

    @property
    def places(self) -> list[Place]:
        """The rows, lowest first."""
        return [(int(file), int(row)) for file, row in self._places]

    @property
    def ties(self) -> list[int]:
        """The hashes of `places`."""
        return [int(tie) for tie in self._ties]

    @property
    def values(self) -> list[float]:
        """The values of `places`; 0 where rows were offered without."""
        return [float(value) for value in self._values]
