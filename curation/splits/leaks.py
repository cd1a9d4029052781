"""How many held-out posts have a duplicate in training, as `leakage = "paper"` allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curation.splits.units import TEST, TRAIN, VALIDATION, Strings, numbered


@dataclass(frozen=True, slots=True)
class Twins:
    """How many posts of test and validation have a duplicate in training, of how many; and their rows."""

    test: int
    test_posts: int
    validation: int
    validation_posts: int
    rows: NDArray[np.bool_]


def twins(splits: NDArray[np.int8], post_ids: Strings, groups: ArrayLike) -> Twins:
    """Count the held-out posts with a row in the same duplicate group as a row of training."""
    of_row, _ = numbered(post_ids)
    group = np.asarray(groups)
    rows = (splits != TRAIN) & np.isin(group, np.unique(group[splits == TRAIN]))
    test, validation = splits == TEST, splits == VALIDATION

    def count(chosen: NDArray[np.bool_]) -> int:
        return len(np.unique(of_row[chosen]))

    return Twins(count(test & rows), count(test), count(validation & rows), count(validation), rows)
