"""What an exporter gets, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import pyarrow as pa

from affectory.core.engine.engine import Engine
from curation.manifest.manifest import Manifest, Written


class Part(Protocol):
    """Some rows of one split, as published, in the order of post id and image index.

    The parts of a split are in the order of their stems, and each has as many rows as make a file of a good
    size. With `ids` the rows are those of the `ids` config, without text and images; every row of a release
    is in a part with `ids` and in one without. A part can be pickled.
    """

    @property
    def stem(self) -> str:
        """A file name without suffix for these rows: train-00000-of-00002, ids-train-00000-of-00001."""

    @property
    def split(self) -> str:
        """The split: train, validation or test."""

    @property
    def ids(self) -> bool:
        """Whether the rows are those of the `ids` config."""

    @property
    def pictures(self) -> bool:
        """Whether the rows hold the bytes of images."""

    @property
    def schema(self) -> pa.Schema:
        """The columns of the rows, as in docs/curation.md, with the features of Hugging Face `datasets`."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def batches(self, size: int) -> Iterator[pa.Table]:
        """Yield the rows, `size` at a time."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release to export.

    `manifest` holds the recipe, the labels and the counts; its `files` are those of the exporters before this
    one. The exporter writes to the folder `out`. `engine.map` runs work on parts in several processes.
    """

    manifest: Manifest
    parts: Sequence[Part]
    out: Path
    engine: Engine


#: Writes a release; returns the files that the manifest is to list, with "" for the split of a file of no
#: split. Raises `AffectoryError`.
Exporter: TypeAlias = Callable[[Release], Sequence[Written]]
