"""Posts in other languages. How a language is told, and the thresholds: `curation.measure.language`."""

from __future__ import annotations

import pyarrow as pa

from curation.filters.options import Language
from curation.filters.stage import separate
from curation.measure.language import keep as is_kept


def apply(table: pa.Table, options: Language) -> tuple[pa.Table, pa.Table]:
    """Drop `other_language` and `no_language` (no letters); the detail is the language and its score."""
    codes = table["language"].to_pylist()
    scores, n_words = table["language_score"].to_numpy(), table["n_words"].to_numpy()
    kept = is_kept(codes, scores, n_words, language=options.keep, min_score=options.min_score)
    reasons = ["no_language" if code == "und" else "other_language" for code in codes]
    details = [f"{code} {score:.2f}" for code, score in zip(codes, scores, strict=True)]
    return separate(table, kept, "language", reasons, details)
