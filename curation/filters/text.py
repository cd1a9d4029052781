"""Posts without a word."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from curation.filters.filter import Filter, Options
from curation.filters.stage import separate


class HasText(Options):
    """Drop posts without a word."""

    use: Literal["text"]


def apply(table: pa.Table, options: HasText) -> tuple[pa.Table, pa.Table]:
    """Drop `no_text`: rows whose text has no word."""
    n_words = table["n_words"].to_numpy()
    return separate(table, n_words > 0, options.use, "no_text", table["text"].to_pylist())


FILTER = Filter(HasText, apply)
