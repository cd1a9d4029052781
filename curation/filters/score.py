"""Posts with too low a score."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from curation.filters.filter import Filter, Options
from curation.filters.stage import separate


class Score(Options):
    """Keep posts with a score of at least `min`."""

    use: Literal["score"]
    min: int


def apply(table: pa.Table, options: Score) -> tuple[pa.Table, pa.Table]:
    """Drop `score_too_low` and `no_score`; the detail is the score."""
    scores = table["score"].to_pylist()
    keep = np.array([score is not None and score >= options.min for score in scores], dtype=bool)
    reasons = ["no_score" if score is None else "score_too_low" for score in scores]
    return separate(table, keep, options.use, reasons, scores)


FILTER = Filter(Score, apply)
