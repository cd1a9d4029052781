"""What a duplicate detector is: the columns that it reads, and the function that groups rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from curation.duplicates.components import Labels


@dataclass(frozen=True, slots=True)
class Detector:
    """A detector of the tables `curation.duplicates.IMAGES` and `TEXTS`.

    `groups(rows, distance)` returns int64[n]: rows with the same number are duplicates of each other, a row
    with `curation.duplicates.components.ALONE` is nobody's. `rows` has the detector's `columns` (names of
    `curation.filters.stage.ROWS`), `distance` is the recipe's.
    """

    groups: Callable[[pa.Table, int], Labels]
    columns: tuple[str, ...]
