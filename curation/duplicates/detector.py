"""What a duplicate detector is: the columns that it reads, and the function that groups rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
from PIL import Image

from affectory.core.tables import Table
from curation.duplicates.components import Labels

#: What a detector computes of a picture in grey while it is decoded.
Fingerprint: TypeAlias = Callable[[Image.Image], bytes]


class Options(Table):
    """One of a recipe's `duplicates.images`. A detector with options has its own subclass."""

    use: str

    @property
    def column(self) -> str:
        """The column of the detector's fingerprints."""
        return f"fingerprint_{self.use}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of an image detector: which links, by which options.

    Without `drop`, the links that group rows: near enough that no split should divide them. With it, those
    by which a policy may drop a row: certain enough to lose it. `store` is the folder of the crawl store.
    """

    options: Any
    drop: bool = False
    store: Path | None = None


@dataclass(frozen=True, slots=True)
class Detector:
    """A detector of the tables `curation.duplicates.IMAGES` and `TEXTS`.

    `groups(rows, asked)` returns int64[n]: rows with the same number are duplicates of each other, a row
    with `curation.duplicates.components.ALONE` is nobody's. `rows` has the detector's `columns` (names of
    `curation.filters.stage.ROWS`). Of images alone: `asked` is an `Asked` with an instance of `options`, and
    `fingerprint(options)` returns the function whose values the column `options.column` has, or None; it
    raises `AffectoryError` if the detector can't be used. `network(options)` returns the digest of the
    weights that decide beside the rows, or "".
    """

    groups: Callable[[pa.Table, Any], Labels]
    columns: tuple[str, ...]
    options: type[Options] = Options
    fingerprint: Callable[[Any], Fingerprint | None] = lambda _: None
    network: Callable[[Any], str] = lambda _: ""
