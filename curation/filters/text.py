"""Posts without a word."""

from __future__ import annotations

import pyarrow as pa

from curation.filters.options import HasText
from curation.filters.stage import separate


def apply(table: pa.Table, options: HasText) -> tuple[pa.Table, pa.Table]:
    """Drop `no_text`: rows whose text holds no word."""
    n_words = table["n_words"].to_numpy()
    return separate(table, n_words > 0, "text", "no_text", table["text"].to_pylist())
