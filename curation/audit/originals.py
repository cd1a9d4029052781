"""Images that look alike to a network: the cosine of its features, which are kept in the feature cache.

A streamed dataset is read once, so the images that aren't files of their own are kept in a temporary file
until the network has seen them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Self

import numpy as np

from curation.audit.copies import Copies
from curation.audit.pictures import Source
from curation.audit.rows import Rows
from curation.duplicates.components import ALONE
from curation.duplicates.embedding import similar

if TYPE_CHECKING:
    from affectory.encoders.image.backbones import Backbone

#: The cache of features that commands share, and the least cosine of images that are alike.
CACHE, SIMILAR = Path("data/features"), 0.95


class Originals:
    """The images of a dataset, as their files or in a temporary file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._kept: list[Path | tuple[int, int] | None] = []

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Self]:
        """Yield an empty collection; its file is gone after the block, however that ends."""
        with TemporaryFile() as file:
            yield cls(file)

    def add(self, source: Source) -> None:
        """Keep the image of the next row."""
        if isinstance(source, bytes):
            self._kept.append((self._file.tell(), len(source)))
            self._file.write(source)
        else:
            self._kept.append(source)

    def read(self, row: int) -> bytes:
        """Return the image of a row."""
        kept = self._kept[row]
        if isinstance(kept, Path):
            return kept.read_bytes()
        start, size = kept or (0, 0)
        return os.pread(self._file.fileno(), size, start)  # threads read at the same time

    def alike(self, rows: Rows, network: Backbone) -> Copies:
        """Return which rows have images that are alike to the network."""
        from affectory.encoders.image.features import extract
        from affectory.encoders.image.pixels import ImageRef

        self._file.flush()
        labels = np.full(len(rows), ALONE, dtype=np.int64)
        chosen = np.flatnonzero(rows.pictures.decoded) if rows.pictures is not None else np.zeros(0, np.int64)
        refs = []
        for row in chosen.tolist():
            digest = hashlib.sha256(self.read(row)).hexdigest()
            refs.append(ImageRef(rows.named(row), digest, partial(self.read, row)))
        if len(chosen):
            labels[chosen] = chosen[similar(extract(refs, network, CACHE), SIMILAR)]
        return Copies("alike_image", "an image that a network finds alike", labels)
