"""The rows of a dataset as the audit's findings read them: labels, texts, and what is known of the images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from curation.measure.normalise import normalise

Array: TypeAlias = NDArray[Any]

#: The EXIF surprises of an image, as bits of `Pictures.exif`.
GPS, TURNED, SERIAL, OWNER = 1, 2, 4, 8


@dataclass(frozen=True)
class Pictures:
    """What was seen of each row's image; arrays and lists of one length, in the order of the rows.

    `error` says why an image can't be decoded. `digest` is of the pixels (of the bytes, where there are no
    pixels), None without an image. `prints` are the hashes of the image's views, if they were asked for.
    The levels of grey (0 to 255) are of the image at most `curation.audit.pictures.SIDE` pixels wide or high:
    `bright` is the 95th percentile, `spread` the standard deviation, `sharp` that of the Laplacian.
    """

    digest: Sequence[bytes | None]
    error: Sequence[str]
    hash: Array  # uint64
    prints: Sequence[bytes | None]
    width: Array
    height: Array
    format: Sequence[str]
    mode: Sequence[str]
    exif: Array
    bright: Array
    spread: Array
    sharp: Array

    @cached_property
    def decoded(self) -> Array:
        """Which rows have an image that was decoded (bool[n])."""
        return self.width > 0

    @cached_property
    def there(self) -> Array:
        """Which rows have an image, decoded or not (bool[n])."""
        return np.array([one is not None for one in self.digest], dtype=bool)


@dataclass(frozen=True)
class Rows:
    """The rows of a dataset. `label` is -1 without one; `texts` and `pictures` are None without a column.

    `facets` are other values of each row, such as the host of its address, by name; "" is none. `flagged` are
    the rows marked 18+.
    """

    splits: Sequence[str]
    split: Array
    ids: Sequence[str]
    classes: Sequence[str]
    label: Array
    texts: Sequence[str] | None = None
    pictures: Pictures | None = None
    facets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    flagged: Array = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def __len__(self) -> int:
        return len(self.split)

    @cached_property
    def pictured(self) -> bool:
        """Whether any row has an image."""
        return self.pictures is not None and bool(self.pictures.there.any())

    @cached_property
    def normal(self) -> list[str]:
        """The normal form of each text, by which texts are compared."""
        return [normalise(text) for text in self.texts or ()]

    @cached_property
    def training(self) -> int:
        """The split that the others are compared with: the one named train…, else the largest."""
        for number, name in enumerate(self.splits):
            if name.lower().startswith("train"):
                return number
        return int(np.argmax(np.bincount(self.split, minlength=len(self.splits))))

    @cached_property
    def counts(self) -> Array:
        """The rows by class and split (int64[class, split]); rows without a label are left out."""
        counts = np.zeros((len(self.classes), len(self.splits)), dtype=np.int64)
        has = self.label >= 0
        np.add.at(counts, (self.label[has], self.split[has]), 1)
        return counts

    @cached_property
    def place(self) -> Array:
        """The number of each row in its split."""
        place = np.empty(len(self), dtype=np.int64)
        for number in range(len(self.splits)):
            here = np.flatnonzero(self.split == number)
            place[here] = np.arange(len(here))
        return place

    def named(self, row: int) -> str:
        """Return a row as a line names it: train/12 reddit:abc."""
        where = f"{self.splits[self.split[row]]}/{self.place[row]}"
        return f"{where} {self.ids[row]}".rstrip()

    def label_of(self, row: int) -> str:
        """Return the name of a row's class; "" without one."""
        return self.classes[self.label[row]] if self.label[row] >= 0 else ""

    def by_class(self, chosen: Array) -> Counter[str]:
        """Count the chosen rows (bool[n]) by their class."""
        return Counter({self.classes[c]: int(n) for c, n in _counted(self.label[chosen & (self.label >= 0)])})


def _counted(values: Array) -> list[tuple[int, int]]:
    found, counts = np.unique(values, return_counts=True)
    return list(zip(found.tolist(), counts.tolist(), strict=True))
