"""The parts of the training posts that count as labelled, for learning from few labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from affectory.core.tables import Table
from curation.splits.at_random import random
from curation.splits.units import TRAIN, VALIDATION


class Labelled(Table):
    """The percentages of the training posts that count as labelled."""

    percent: Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], Field(min_length=1)]
    seed: int = 0


def column(percent: int) -> str:
    """Return the name of the column that says whether a post counts as labelled at this ratio."""
    return f"labelled_{percent}"


def labelled(
    rows: pa.Table, assigned: NDArray[np.int8], options: Labelled
) -> Mapping[str, Sequence[bool | None]]:
    """Return for each ratio whether a training row counts as labelled; None outside of training.

    Drawn at random within each class. A smaller part is a subset of every larger one
    (Pham Thai et al. 2023 label 30, 10 and 5% of MAMI's 8,000 training posts).
    """
    names = rows["label"].to_pylist()
    known = np.array([name is not None for name in names], dtype=bool)
    pool = np.flatnonzero((assigned == TRAIN) & known)
    chosen = rows.take(pa.array(pool))
    found: dict[str, Sequence[bool | None]] = {}
    for percent in options.percent:
        drawn = random(
            chosen["post_id"],
            chosen["label"],
            test=0,
            validation=percent / 100,
            seed=options.seed,
            leakage="paper",
        )
        holds = np.zeros(len(rows), dtype=bool)
        holds[pool] = drawn.splits == VALIDATION
        found[column(percent)] = [
            bool(one) if number == TRAIN else None
            for one, number in zip(holds, assigned.tolist(), strict=True)
        ]
    return found
