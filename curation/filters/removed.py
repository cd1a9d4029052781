"""Posts that their source marks as removed or deleted."""

from __future__ import annotations

import pyarrow as pa

from curation.recipe import Removed
from curation.stage import separate


def apply(table: pa.Table, options: Removed) -> tuple[pa.Table, pa.Table]:
    """Drop `removed_by_source`; the detail is the source's own word."""
    words = table["removed"].to_pylist()
    return separate(table, [word is None for word in words], "removed", "removed_by_source", words)
