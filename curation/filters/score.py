"""Posts with too low a score."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curation.filters.options import Score
from curation.filters.stage import separate


def apply(table: pa.Table, options: Score) -> tuple[pa.Table, pa.Table]:
    """Drop `score_too_low` and `no_score`; the detail is the score."""
    scores = table["score"].to_pylist()
    keep = np.array([score is not None and score >= options.min for score in scores], dtype=bool)
    reasons = ["no_score" if score is None else "score_too_low" for score in scores]
    return separate(table, keep, "score", reasons, scores)
