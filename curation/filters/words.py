"""Texts too short or too long. How words are counted: `curation.words`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curation.recipe import Words
from curation.stage import separate


def apply(table: pa.Table, options: Words) -> tuple[pa.Table, pa.Table]:
    """Drop `too_few_words` and `too_many_words`; the detail is their number."""
    n_words = table["n_words"].to_numpy()
    most = options.max if options.max is not None else np.iinfo(np.int32).max
    reasons = ["too_few_words" if n < options.min else "too_many_words" for n in n_words]
    return separate(table, (n_words >= options.min) & (n_words <= most), "words", reasons, n_words)
