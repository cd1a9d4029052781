"""Posts that their source marks as removed or deleted, that opted out, or that their own lists contradict."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from curation.filters.filter import Filter, Options
from curation.filters.stage import separate

#: Set by a collector, not by the source: a photo of Flickr that is listed for pairs of both sentiments.
CONFLICT = "conflicting_pairs"

#: Set by a build for the posts of the opt-out list (`curation.recipe.exclude`).
OPTED_OUT = "opted_out"


class Removed(Options):
    """Drop posts that their source marks as removed or deleted, or that their own lists contradict."""

    use: Literal["removed"]


def apply(table: pa.Table, options: Removed) -> tuple[pa.Table, pa.Table]:
    """Drop `removed_by_source` (detail: the source's own word), `opted_out` and `conflicting_pairs`."""
    words = table["removed"].to_pylist()
    reasons = [word if word in (CONFLICT, OPTED_OUT) else "removed_by_source" for word in words]
    return separate(table, [word is None for word in words], options.use, reasons, words)


FILTER = Filter(Removed, apply)
