"""Several labels a post, and the parts of the training set that count as labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from affectory.core.errors import RecipeError
from curation import splits
from curation.recipe.recipe import Labelled, Multilabel

#: Among the counts by class: the posts that have none, as a published test set without its labels.
UNLABELLED = "no label"


def described(rows: pa.Table, assigned: NDArray[np.int8], options: Multilabel) -> dict[str, Any]:
    """Return what a manifest says of `labels`: names, counts (split -> label -> rows) and the paper's counts.

    Raises `RecipeError` for a label that the recipe doesn't name.
    """
    found: dict[str, Counter[str]] = {name: Counter() for name in splits.SPLITS}
    for number, holds in zip(assigned.tolist(), rows["labels"].to_pylist(), strict=True):
        found[splits.SPLITS[number]].update(holds or ())
    if unknown := sorted({label for one in found.values() for label in one} - set(options.names)):
        raise RecipeError(
            f"posts hold the label {unknown[0]!r}, which multilabel.names lacks: "
            f"it has {', '.join(map(repr, options.names))}"
        )
    counts = {split: {name: held[name] for name in options.names} for split, held in found.items()}
    return {"names": options.names, "counts": counts, "expected": options.expected}


def column(percent: int) -> str:
    """Return the name of the column that says whether a post counts as labelled at this ratio."""
    return f"labelled_{percent}"


def labelled(
    rows: pa.Table, assigned: NDArray[np.int8], options: Labelled
) -> Mapping[str, Sequence[bool | None]]:
    """Return for each ratio whether a training row counts as labelled; None outside of training.

    Drawn by lot within each class, so that a smaller part lies within every larger one
    (Pham Thai et al. 2023 label 30, 10 and 5% of MAMI's 8,000 training posts).
    """
    names = rows["label"].to_pylist()
    known = np.array([name is not None for name in names], dtype=bool)
    pool = np.flatnonzero((assigned == splits.TRAIN) & known)
    chosen = rows.take(pa.array(pool))
    found: dict[str, Sequence[bool | None]] = {}
    for percent in options.percent:
        drawn = splits.random(
            chosen["post_id"],
            chosen["label"],
            test=0,
            validation=percent / 100,
            seed=options.seed,
            leakage="paper",
        )
        holds = np.zeros(len(rows), dtype=bool)
        holds[pool] = drawn.splits == splits.VALIDATION
        found[column(percent)] = [
            bool(one) if number == splits.TRAIN else None
            for one, number in zip(holds, assigned.tolist(), strict=True)
        ]
    return found
