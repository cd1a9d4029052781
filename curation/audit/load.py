"""Read a dataset's columns into `Rows`: one pass, in which each image is looked at by a worker process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from affectory.core.engine.local import Processes
from affectory.core.errors import InputError, some
from affectory.core.progress import Steps
from curation.audit.finding import OF_IMAGES, OF_LABELS, Unchecked
from curation.audit.opened import Opened
from curation.audit.originals import Originals
from curation.audit.pictures import Album, Source, look
from curation.audit.rows import Rows
from curation.audit.values import host, year

#: Names of columns that are guessed, the most likely first.
_LABELS = ("label", "labels", "class", "category", "target", "emotion", "sentiment", "fine_label", "cls")
_TEXTS = (
    "text",
    "title",
    "caption",
    "sentence",
    "content",
    "tweet",
    "body",
    "ocr_text",
    "transcription",
    "txt",
)
_IMAGES = ("image", "img", "picture", "photo", "file_name", "image_path")
_IDS = ("post_id", "id", "image_id", "uid", "uuid", "key", "file_name", "__key__")
_WHEN = re.compile(r"(^|_)(date|datetime|timestamp|year|created|created_at|created_utc|published)$")
_LINK = re.compile(r"(^|_)(url|uri|link|permalink|href)$")

#: The most characters of a text, and the most classes.
LONGEST, CLASSES = 20_000, 500
#: Images that a worker is given at a time, and times that it is ahead.
AT_ONCE, AHEAD = 32, 4


@dataclass(frozen=True)
class Columns:
    """The columns that are read. `when` and `links` are those that years and hosts are read from.

    `guessed`: whether the label's column was, so that the set is audited without labels if it has none or too
    many; `passed_over`: that column.
    """

    image: str | None = None
    text: str | None = None
    label: str | None = None
    id: str | None = None
    when: Sequence[str] = ()
    links: Sequence[str] = ()
    guessed: bool = False
    passed_over: str | None = None

    @property
    def named(self) -> dict[str, str]:
        """The columns by their role; those that aren't there are left out."""
        roles = {"image": self.image, "text": self.text, "label": self.label, "id": self.id}
        roles |= {"years": ", ".join(self.when), "hosts": ", ".join(self.links)}
        return {role: column for role, column in roles.items() if column}

    @property
    def unchecked(self) -> list[Unchecked]:
        """What can't be looked for, as there is no column of it."""
        why = "there is no column of them; --label COLUMN names one"
        if self.passed_over is not None:
            found = f"no value, or over {CLASSES} different ones"
            why = f"{self.passed_over!r} has {found}; --label COLUMN names another"
        missing = {
            "image": Unchecked(
                OF_IMAGES, "images: there is no column of them; --image COLUMN names one, also of paths"
            ),
            "text": Unchecked(("errors",), "texts: there is no column of them; --text COLUMN names one"),
            "label": Unchecked(OF_LABELS, f"labels: {why}"),
        }
        return [says for role, says in missing.items() if role not in self.named]

    def left(self, rows: Rows) -> Columns:
        """Return the columns without a label's that was guessed and has no value, or too many to be one."""
        if rows.classes or not self.guessed:
            return self
        return replace(self, label=None, passed_over=self.label)


def choose(opened: Opened, image: str | None, text: str | None, label: str | None) -> Columns:
    """Return the columns that were asked for; the others are guessed by their types and names.

    Raises `InputError` for a column that isn't there, or that holds something else.
    """
    import datasets

    features = opened.features
    for option, name in (("--image", image), ("--text", text), ("--label", label)):
        if name is not None and name not in features:
            raise InputError(
                f"{option} {name!r}: {opened.name!r} has no such column; it has {some(list(features), str)}"
            )

    def is_string(name: str) -> bool:
        return getattr(features[name], "dtype", "") in ("string", "large_string")

    images = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    classes = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    if image is not None and image not in images and not (is_string(image) and opened.folder):
        raise InputError(
            f"--image {image!r} holds {features[image]}: name a column of images, or of local paths"
        )
    if text is not None and not is_string(text):
        raise InputError(f"--text {text!r} holds {features[text]}: name a column of strings")
    if label is not None and not _is_label(features[label]):
        raise InputError(f"--label {label!r} holds {features[label]}: name a column with one class a row")
    simple = [name for name in features if _is_label(features[name])]
    strings = [name for name in features if is_string(name)]
    guessed = label is None
    label = label or _first(_LABELS, classes) or next(iter(classes), None) or _first(_LABELS, simple)
    columns = Columns(
        image or _first(_IMAGES, images) or next(iter(images), None),
        text or _first(_TEXTS, [name for name in strings if name != label]),
        label,
        _first(_IDS, [*strings, *simple]),
        tuple(name for name in features if _WHEN.search(name.lower()) and name != label),
        tuple(name for name in strings if _LINK.search(name.lower())),
        guessed,
    )
    if columns.image is columns.text is columns.label is None:
        if len(features) == 1 and (mark := re.search(r"[;\t|]", name := next(iter(features)))):
            raise InputError(
                f"{opened.name!r} has one column, {name!r}: its values seem to be separated by {mark[0]!r}; "
                "save it with commas"
            )
        raise InputError(
            f"{opened.name!r} has {some(list(features), str)}: name the column to look at with --image, "
            "--text or --label"
        )
    return columns


def _is_label(kind: Any) -> bool:
    return str(getattr(kind, "dtype", "")).startswith(
        ("int", "uint", "bool", "string", "large_string", "float")
    )


def _first(names: Sequence[str], there: Iterable[str]) -> str | None:
    """Return the column with the first of the names, whatever its case."""
    lower = {name.lower(): name for name in there}
    return next((lower[name] for name in names if name in lower), None)


@dataclass
class _Read:
    """What has been read so far, by row."""

    split: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    label: list[Any] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    years: list[str] = field(default_factory=list)
    flagged: list[bool] = field(default_factory=list)


def read(
    opened: Opened,
    columns: Columns,
    album: Album,
    *,
    workers: int,
    views: bool,
    originals: Originals | None = None,
) -> Rows:
    """Read the dataset; add what is seen of its images to the album, and them to `originals`.

    Raises `InputError`.
    """
    found = _Read()
    with (
        Steps("reading", None, "rows") as steps,
        Processes(workers, preload=["curation.audit.pictures"]) as pool,
    ):
        parts = _sources(opened, columns, found, steps.advance)
        if columns.image is None:
            for _ in parts:
                pass
        else:
            if originals is not None:
                parts = _kept(parts, originals)
            for seen in pool.map(look, _cut(parts), views, ahead=AHEAD * workers):
                album.add(seen)
    if not found.split:
        raise InputError(f"{opened.name!r} has no rows")
    label, classes = _classes(opened, columns, found.label)
    return Rows(
        splits=list(opened.splits),
        split=np.array(found.split, dtype=np.int16),
        ids=found.ids,
        classes=classes,
        label=label,
        texts=found.texts if columns.text else None,
        pictures=album.pictures() if columns.image else None,
        facets={
            name: values for name, values in (("host", found.hosts), ("year", found.years)) if any(values)
        },
        flagged=np.array(found.flagged, dtype=bool),
    )


def _kept(parts: Iterator[Source], originals: Originals) -> Iterator[Source]:
    for part in parts:
        originals.add(part)
        yield part


def _cut(parts: Iterator[Source]) -> Iterator[list[Source]]:
    while part := list(islice(parts, AT_ONCE)):
        yield part


def _sources(
    opened: Opened, columns: Columns, found: _Read, advance: Callable[[int], None]
) -> Iterator[Source]:
    """Read all rows; yield the image of each."""
    given = (columns.image, columns.text, columns.label, columns.id)
    names = {*filter(None, given), "over_18", *columns.when, *columns.links}
    for number, split in enumerate(opened.splits):
        for table in opened.tables(split, names):
            rows = len(table)
            images = _column(table, columns.image)
            found.split += [number] * rows
            found.label += _column(table, columns.label)
            found.texts += [(text or "")[:LONGEST] for text in _column(table, columns.text)]
            found.flagged += [bool(one) for one in _column(table, "over_18")]
            named = _column(table, columns.id)
            found.ids += [_id(own, image, opened.folder) for own, image in zip(named, images, strict=True)]
            links = (
                zip(*(_column(table, name) for name in columns.links), strict=True) if columns.links else ()
            )
            found.hosts += [next(filter(None, map(host, one)), "") for one in links]
            times = zip(*(_column(table, name) for name in columns.when), strict=True) if columns.when else ()
            found.years += [next(filter(None, map(year, one)), "") for one in times]
            advance(rows)
            for image in images:
                yield _source(image, opened)


def _column(table: pa.Table, name: str | None) -> list[Any]:
    """Return a column as a list; None for each row where it isn't there."""
    return table[name].to_pylist() if name in table.column_names else [None] * len(table)


def _id(given: Any, image: Any, folder: Path | None) -> str:
    """Return the id of a row: that of its column, else the path of its image in the dataset's folder."""
    if given is not None:
        return str(given)[:200]
    path = image.get("path") if isinstance(image, Mapping) else image
    if not isinstance(path, str) or not path:
        return ""
    try:
        return str(Path(path).relative_to(folder.resolve())) if folder else path
    except ValueError:
        return Path(path).name


def _source(image: Any, opened: Opened) -> Source:
    """Return an image as its bytes or its file."""
    if image is None or image == "":
        return None
    if isinstance(image, str):  # a path of a CSV, beside which the images are
        assert opened.folder is not None
        return opened.folder / image
    data, path = image.get("bytes"), image.get("path")
    if data is not None:
        return bytes(data)
    if not path:
        return None
    if "://" not in path:
        return Path(path)
    from datasets.utils.file_utils import xopen  # a file of an archive, or of the Hub

    try:
        with xopen(path, "rb") as file:
            return bytes(file.read())
    except OSError:
        return Path(path)  # which isn't there: so the worker says


def _classes(opened: Opened, columns: Columns, values: Sequence[Any]) -> tuple[Any, list[str]]:
    """Return each row's class as a number (-1 without one), and the names of the classes."""
    import datasets

    if columns.label is None:
        return np.full(len(values), -1, dtype=np.int32), []
    kind = opened.features[columns.label]
    if isinstance(kind, datasets.ClassLabel):
        names = list(kind.names or map(str, range(kind.num_classes or 0)))
        known = [-1 if one is None or not 0 <= one < len(names) else one for one in values]
        return np.array(known, dtype=np.int32), names
    spoken = ["" if one is None or one != one else str(one).strip() for one in values]
    names = sorted(set(spoken) - {""})
    if len(names) > CLASSES and columns.guessed:
        return np.full(len(values), -1, dtype=np.int32), []
    if len(names) > CLASSES:
        raise InputError(
            f"--label {columns.label!r} has {len(names):,} different values (at most {CLASSES} are classes): "
            "name another column"
        )
    codes = {name: at for at, name in enumerate(names)}
    return np.array([codes.get(one, -1) for one in spoken], dtype=np.int32), names
