"""From a recipe's `[split]` to the split of every row, with what the report must say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation import splits
from curation.recipe import Split

#: Split names in the order of their numbers.
NAMES = splits.SPLITS


@dataclass(frozen=True, slots=True)
class Assigned:
    """The split of each row, how many held-out posts have a twin in training, and notes."""

    splits: NDArray[np.int8]
    twins: Mapping[str, int]
    notes: tuple[str, ...]


def assign(rows: pa.Table, groups: NDArray[np.int64], options: Split) -> Assigned:
    """Split the rows by the recipe's rule. Raises `splits.SplitError` for classes too small to split."""
    ids, labels = rows["post_id"], rows["label"]
    test, validation, leakage = options.test, options.validation, options.leakage
    if options.rule == "top-score":
        voted = rows["agreeing"].null_count < len(rows)
        keys = ("agreeing", "agreement") if voted else ("score",)
        rank = [_floats(rows[key]) for key in keys]
        result = splits.top_score(
            ids, labels, rank, groups, test=test, validation=validation, leakage=leakage
        )
    elif options.rule == "random":
        result = splits.random(
            ids, labels, groups, test=test, validation=validation, seed=options.seed, leakage=leakage
        )
    elif options.rule == "given":
        names = [options.given.get(name, name) for name in rows["community"].to_pylist()]
        result = splits.given(ids, names, groups, leakage=leakage)
    else:
        agreeing = _floats(rows["agreeing"])
        total = np.round(agreeing / np.maximum(_floats(rows["agreement"]), 1e-9))
        result = splits.unanimous(ids, labels, agreeing, total, groups, seed=options.seed, leakage=leakage)
    found = splits.twins(result.splits, ids, groups)
    return Assigned(result.splits, {"test": found.test, "validation": found.validation}, result.notes)


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column.cast(pa.float64()).fill_null(np.nan).combine_chunks())
