"""The release that a report is about: its validated manifest and its Parquet files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from affectory.core.errors import ReleaseError
from affectory.core.html.parts import colour
from curation.manifest.manifest import UNLABELLED, Manifest, fault, parse
from curation.splits import SPLITS

_DATA = re.compile(r"(train|validation|test)-\d{5}-of-\d{5}-[0-9a-f]+\.parquet")
_DROPPED = re.compile(r"dropped-[0-9a-f]+\.parquet")


@dataclass(frozen=True)
class Release:
    """An open release. `data` has the split and path of each file, ordered by `SPLITS`.

    If some posts have no label, `UNLABELLED` is the last of the manifest's classes.
    """

    folder: Path
    manifest: Manifest
    data: tuple[tuple[str, Path], ...]
    dropped: tuple[Path, ...]


def open_release(folder: Path, text: str | None = None) -> Release:
    """Read the manifest (`text`, or the folder's) and find the files it lists. Raises `ReleaseError`."""
    path = folder / "manifest.json"
    try:
        manifest = parse(path.read_bytes() if text is None else text)
    except FileNotFoundError:
        raise ReleaseError(f"{str(folder)!r} is not a release: it has no manifest.json") from None
    except ValidationError as error:
        raise ReleaseError(f"{path}: {fault(error)}") from None
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
        raise ReleaseError(f"{path}: it lists no data file such as train-00000-of-00001-….parquet")
    data.sort(key=lambda item: (SPLITS.index(item[0]), item[1].name))
    return Release(folder, manifest, tuple(data), tuple(dropped or sorted(folder.glob("dropped-*.parquet"))))


def shades(classes: Sequence[str]) -> list[str]:
    """Return the CSS class of each class's colour; posts without a label are grey."""
    return ["none" if name == UNLABELLED else colour(place) for place, name in enumerate(classes)]


def open_file(path: Path, needed: Sequence[str]) -> pq.ParquetFile:
    """Open a Parquet file and check that it has these columns. Raises `ReleaseError`.

    Nothing is read ahead, which bounds the memory.
    """
    try:
        file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 17)
    except FileNotFoundError:
        raise ReleaseError(f"{str(path)!r} is missing, though the manifest lists it: build again") from None
    except (pa.ArrowException, OSError) as error:
        line = str(error).splitlines()[0]
        raise ReleaseError(f"{str(path)!r} can't be read as Parquet ({line}): build again") from None
    if missing := set(needed) - set(file.schema_arrow.names):
        raise ReleaseError(
            f"{str(path)!r} lacks {', '.join(sorted(missing))}: was it written by another tool?"
        )
    return file


def batches(path: Path, columns: Sequence[str], size: int = 4096, **options: Any) -> Iterator[pa.RecordBatch]:
    """Yield columns of a file in batches of `size` rows. Raises `ReleaseError` for damaged files."""
    with open_file(path, [name.split(".")[0] for name in columns]) as file:
        try:
            for batch in file.iter_batches(batch_size=size, columns=list(columns), **options):
                batch.validate(full=True)  # for example, that texts are UTF-8
                yield batch
        except (pa.ArrowException, OSError) as error:
            line = str(error).splitlines()[0]
            raise ReleaseError(f"{str(path)!r} is damaged ({line}): build again") from None
