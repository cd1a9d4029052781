"""A release as the report reads it: its manifest, checked, and its Parquet files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from affectory.core.errors import AffectoryError
from curation.manifest.manifest import UNLABELLED, Manifest, fault, parse
from curation.splits import SPLITS

_DATA = re.compile(r"(train|validation|test)-\d{5}-of-\d{5}-[0-9a-f]+\.parquet")
_DROPPED = re.compile(r"dropped-[0-9a-f]+\.parquet")


class ReportError(AffectoryError):
    """A release that can't be reported on: a part of it is missing or isn't what the manifest says."""


@dataclass(frozen=True)
class Release:
    """A release's folder, opened. `data` holds each file's split and path, splits in their order.

    Where some posts have no label, `UNLABELLED` is the last of the manifest's classes.
    """

    folder: Path
    manifest: Manifest
    data: tuple[tuple[str, Path], ...]
    dropped: tuple[Path, ...]


def open_release(folder: Path, text: str | None = None) -> Release:
    """Read the manifest (its text, or the folder's) and find the files that it lists; raise `ReportError`."""
    path = folder / "manifest.json"
    try:
        manifest = parse(path.read_bytes() if text is None else text)
    except FileNotFoundError:
        raise ReportError(f"{str(folder)!r} is no release: it has no manifest.json") from None
    except ValidationError as error:
        raise ReportError(f"{path}: {fault(error)}") from None
    if manifest.unlabelled and UNLABELLED not in manifest.classes:
        manifest = replace(manifest, classes=(*manifest.classes, UNLABELLED))
    data: list[tuple[str, Path]] = []
    dropped: list[Path] = []
    for listed in manifest.files:
        if match := _DATA.fullmatch(listed.path):
            data.append((match[1], folder / listed.path))
        elif _DROPPED.fullmatch(listed.path):
            dropped.append(folder / listed.path)
    if not data:
        raise ReportError(f"{path}: it lists no file of rows such as train-00000-of-00001-….parquet")
    data.sort(key=lambda item: (SPLITS.index(item[0]), item[1].name))
    return Release(folder, manifest, tuple(data), tuple(dropped or sorted(folder.glob("dropped-*.parquet"))))


def open_file(path: Path, needed: Sequence[str]) -> pq.ParquetFile:
    """Open a Parquet file that must have these columns. Nothing is read ahead: memory stays bounded."""
    try:
        file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 17)
    except FileNotFoundError:
        raise ReportError(f"{str(path)!r} is missing, though the manifest lists it: build again") from None
    except (pa.ArrowException, OSError) as error:
        line = str(error).splitlines()[0]
        raise ReportError(f"{str(path)!r} can't be read as Parquet ({line}): build again") from None
    if missing := set(needed) - set(file.schema_arrow.names):
        raise ReportError(
            f"{str(path)!r} lacks {', '.join(sorted(missing))}: was it written by another tool?"
        )
    return file


def batches(path: Path, columns: Sequence[str], size: int = 4096, **options: Any) -> Iterator[pa.RecordBatch]:
    """Yield a file's columns in pieces of `size` rows; raise `ReportError` for damaged bytes."""
    with open_file(path, [name.split(".")[0] for name in columns]) as file:
        try:
            yield from file.iter_batches(batch_size=size, columns=list(columns), **options)
        except (pa.ArrowException, OSError) as error:
            line = str(error).splitlines()[0]
            raise ReportError(f"{str(path)!r} is damaged ({line}): build again") from None
