"""The release that a report is about: its validated manifest and its Parquet files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from affectory.core import generated
from affectory.core.errors import ReleaseError

SPLITS = ("train", "validation", "test")

#: The name under which a build counts posts without a label.
UNLABELLED = "no label"

_DATA = re.compile(r"(train|validation|test)-\d{5}-of-\d{5}-[0-9a-f]+\.parquet")
_DROPPED = re.compile(r"dropped-[0-9a-f]+\.parquet")


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ListedFile(_Part):
    """An entry in the manifest's list of files."""

    path: str
    split: str = ""
    rows: int
    bytes: int
    sha256: str


class Step(_Part):
    """The number of rows that a stage dropped for one reason."""

    stage: str
    reason: str
    rows: int


class Ledger(_Part):
    """The number of rows collected, dropped by each stage, and kept."""

    unit: str
    collected: int
    steps: tuple[Step, ...]
    kept: int

    @property
    def dropped(self) -> int:
        """The rows dropped in all steps."""
        return sum(step.rows for step in self.steps)


class Groups(_Part):
    """Groups of duplicates: their number, their rows, and the size of the largest."""

    groups: int = 0
    rows: int = 0
    largest: int = 0


class Multilabel(_Part):
    """The labels of a multi-label dataset, with the number of rows per split and label."""

    names: tuple[str, ...] = ()
    counts: dict[str, dict[str, int]] = Field(default_factory=dict)
    expected: dict[str, int] = Field(default_factory=dict)


class Manifest(_Part):
    """The part of `manifest.json` that the report uses."""

    name: str
    version: str
    title: str
    summary: str
    paper: str = ""
    classes: tuple[str, ...] = Field(min_length=1)
    recipe: dict[str, Any] = Field(default_factory=dict)
    recipe_digest: str = ""
    input_digest: str = ""
    files: tuple[ListedFile, ...] = ()
    counts: dict[str, dict[str, int]]
    ledger: Ledger
    duplicates: Groups = Groups()
    twins: dict[str, int] = Field(default_factory=dict)
    leakage: str = "group"
    expected: dict[str, int] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tools: dict[str, str] = Field(default_factory=dict)
    multilabel: Multilabel = Multilabel()
    generated: int = 0

    @model_validator(mode="after")
    def _shows_the_unlabelled_as_a_class(self) -> Manifest:
        if self.unlabelled and UNLABELLED not in self.classes:
            return self.model_copy(update={"classes": (*self.classes, UNLABELLED)})
        return self

    @property
    def unlabelled(self) -> bool:
        """Whether some posts have no label; the last of `classes` is then `UNLABELLED`."""
        return any(UNLABELLED in by_label for by_label in self.counts.values())

    @property
    def generated_note(self) -> str:
        """The note on generated posts; "" where there are none."""
        return generated.note(self.generated, self.ledger.kept, self.ledger.unit)

    @property
    def pictured(self) -> bool:
        """Whether the release publishes images."""
        images, publish = self.recipe.get("images") or {}, self.recipe.get("publish") or {}
        return images.get("which") != "none" and publish.get("images") is not False

    @property
    def expected_image_only(self) -> dict[str, int]:
        """The paper's number of image-only posts by label."""
        return self.recipe.get("expected_image_only") or {}

    def filters(self, use: str) -> list[dict[str, Any]]:
        """Return the recipe's filters with this name (`use`)."""
        found = self.recipe.get("filters") or []
        return [one for one in found if isinstance(one, dict) and one.get("use") == use]


@dataclass(frozen=True)
class Release:
    """An open release. `data` has the split and path of each file, ordered by `SPLITS`."""

    folder: Path
    manifest: Manifest
    data: tuple[tuple[str, Path], ...]
    dropped: tuple[Path, ...]


def open_release(folder: Path, text: str | None = None) -> Release:
    """Read the manifest (`text`, or the folder's) and find the files it lists. Raises `ReleaseError`."""
    path = folder / "manifest.json"
    try:
        manifest = Manifest.model_validate_json(path.read_bytes() if text is None else text)
    except FileNotFoundError:
        raise ReleaseError(f"{str(folder)!r} is not a release: it has no manifest.json") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise ReleaseError(f"{path}: {key}: {first['msg']}") from None
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
            yield from file.iter_batches(batch_size=size, columns=list(columns), **options)
        except (pa.ArrowException, OSError) as error:
            line = str(error).splitlines()[0]
            raise ReleaseError(f"{str(path)!r} is damaged ({line}): build again") from None
