"""What an exporter reads, a finished release, and what it returns."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affectory.core.errors import ReleaseError
from affectory.core.parquet_files import readable
from affectory.core.progress import Steps
from curation.manifest.manifest import Manifest

#: Rows that are read at a time: with images, which may have some megabytes each, and without.
_WITH_IMAGES, _TEXTS = 32, 1000

#: How the names of images end. Any other end might be that of another file of the row.
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")

#: Line ends for programs that split a text at more than \n. In JSON they can be escaped.
_LINE_ENDS = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029", "\x85": "\\u0085"})


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a split: one per image of a post, or per post without images.

    `number` counts the rows of the split from 0. `values` are the columns but the image, ready for JSON;
    `label` is a class's name there, and `labels` a list of names. `target` is the number of the class.
    """

    number: int
    values: Mapping[str, Any]
    target: int | None
    image: bytes | None
    suffix: str  # of the image's file: ".jpg"

    @property
    def key(self) -> str:
        """A name for the row's files, unique in its split, of ASCII letters, digits and '-'."""
        named = re.sub(r"[^A-Za-z0-9]+", "-", str(self.values["post_id"]))[:60]
        return f"{self.number:08}-{named}-{self.values['image_index']}"


@dataclass(frozen=True)
class Source:
    """A version of a dataset, as exporters read it: part by part, a few rows at a time."""

    folder: Path
    manifest: Manifest

    @cached_property
    def splits(self) -> dict[str, list[Path]]:
        """The Parquet files of each split that has rows. Raises `ReleaseError` if one is missing."""
        found: dict[str, list[Path]] = {}
        for file in self.manifest.tables(ids=False):
            path = self.folder / file.path
            if not path.is_file():
                raise ReleaseError(f"{str(path)!r} is missing, though the manifest lists it: build again")
            found.setdefault(file.split, []).append(path)
        return found

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of the rows but the image, with `created_at` in seconds."""
        path = next(path for paths in self.splits.values() for path in paths)
        with readable(path):
            found = pq.read_schema(path).remove_metadata()
        if missing := [name for name in ("post_id", "label", "image_index") if name not in found.names]:
            raise ReleaseError(
                f"{str(path)!r} lacks the column {missing[0]!r}: was it written by another tool?"
            )
        fields = [one for one in found if one.name != "image"]
        return pa.schema(
            [one.with_type(pa.int64()) if pa.types.is_timestamp(one.type) else one for one in fields]
        )

    @cached_property
    def _to_convert(self) -> list[str]:
        """The columns whose values may not be those of JSON."""
        return [one.name for one in self.schema if pa.types.is_float32(one.type) or one.name == "created_at"]

    def rows(self, split: str, steps: Steps) -> Iterator[Row]:
        """Yield the rows of a split in the release's order."""
        number = 0
        for path in self.splits[split]:
            for batch in self._batches(path):
                for values in batch.to_pylist():
                    yield self._row(number, values)
                    number += 1
                steps.advance(len(batch))

    def _batches(self, path: Path) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a file, a few at a time."""
        size = _WITH_IMAGES if self.manifest.pictured else _TEXTS
        with readable(path):
            opened = pq.ParquetFile(path)
        with opened:
            for group in range(opened.num_row_groups):
                # One iterator over all groups would keep the bytes of each to its end.
                batches = opened.iter_batches(size, row_groups=[group])
                while True:
                    with readable(path):  # without the `yield`, which raises errors of other files
                        batch = next(batches, None)
                        if batch is not None:
                            batch.validate(full=True)  # for example, that texts are UTF-8
                    if batch is None:
                        break
                    yield batch

    def _row(self, number: int, values: dict[str, Any]) -> Row:
        image = values.pop("image", None) or {}
        target, several = values["label"], values.get("labels")
        made = values | {"label": None if target is None else self._named(target, self.manifest.classes)}
        if several is not None:
            made["labels"] = [self._named(one, self.manifest.multilabel.names) for one in several]
        for name in self._to_convert:
            made[name] = _plain(made[name])
        suffix = PurePosixPath(image.get("path") or "").suffix.lower()
        return Row(number, made, target, image.get("bytes"), suffix if suffix in _SUFFIXES else ".bin")

    def _named(self, number: int, names: Sequence[str]) -> str:
        if not 0 <= number < len(names):
            raise ReleaseError(
                f"{str(self.folder)!r} is damaged: a row has the class {number}, and the manifest names "
                f"{len(names):,}; affectory verify says what to do"
            )
        return names[number]


def _plain(value: Any) -> Any:
    """Return a float32 with the shortest digits, as JSON can hold it, and a time in seconds."""
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, float):
        return float(str(np.float32(value))) if math.isfinite(value) else None
    return value


@dataclass(slots=True)
class Exported:
    """What an exporter wrote: its rows and images by split, and what the format can't hold.

    `files` are the splits' files as the `datasets` library finds them, patterns relative to the folder;
    `features` their columns in a card's terms, for formats whose columns have no types of their own.
    """

    files: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    features: Sequence[Mapping[str, Any]] = ()

    def count(self, split: str, row: Row) -> None:
        """Count a row that was written to a split."""
        self.rows[split] = self.rows.get(split, 0) + 1
        self.images[split] = self.images.get(split, 0) + (row.image is not None)


@dataclass(frozen=True, slots=True)
class Exporter:
    """A format: `write` writes a release to an empty folder; `use` says how it is read, for the card.

    In `use`, FOLDER stands for the path of the folder.
    """

    write: Callable[[Source, Path, Steps], Exported]
    use: str


def json_line(values: Mapping[str, Any]) -> bytes:
    """Return values as JSON on one line, without its end."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_LINE_ENDS).encode()


def write_image(row: Row, out: Path, split: str) -> str | None:
    """Write a row's image as images/SPLIT/KEY.jpg; return that path, None if it has none."""
    if row.image is None:
        return None
    folder = out / "images" / split
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{row.key}{row.suffix}").write_bytes(row.image)
    return f"images/{split}/{row.key}{row.suffix}"


def features(source: Source) -> list[dict[str, Any]]:
    """Return the columns with their types as the card of a dataset names them."""
    classes = {"label": source.manifest.classes, "labels": source.manifest.multilabel.names}
    found: list[dict[str, Any]] = []
    for one in source.schema:
        names = {"class_label": {"names": dict(enumerate(classes.get(one.name, ())))}}
        if one.name == "label":
            found.append({"name": one.name, "dtype": names})
        elif pa.types.is_list(one.type):
            found.append({"name": one.name, "list": names})
        else:
            found.append({"name": one.name, "dtype": {"float": "float32"}.get(str(one.type), str(one.type))})
    return found
