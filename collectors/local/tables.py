"""Tables on disk, in any of the formats, as rows of strings."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectory.core.errors import InputError
from affectory.core.numbers import count
from collectors.bounded_lines import LONGEST, TOO_LONG, bounded_lines
from collectors.delimited import cells
from collectors.local.files import file_row, matching
from collectors.local.source import (
    DELIMITERS,
    FILE_COLUMNS,
    JSON,
    JSON_LINES,
    PARQUET,
    Local,
    parted,
)
from collectors.store.record import Rejection

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, str]

_UNQUOTED = "; for a table without quoting set quoted = false in [source.local]"

#: Lines of a JSON Lines file whose keys are its columns.
LINES_FOR_COLUMNS = 1000

#: Half of a surrogate pair, which JSON may have ("\ud83d") and UTF-8 has not.
_HALF_A_PAIR = re.compile(r"[\ud800-\udfff]")

#: Rows with images that are read at once.
IMAGES = 64

#: The fields of the struct that the library `datasets` writes for an image.
BYTES, PATH = "bytes", "path"


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns, and how to read it.

    `header`: the first row has the columns' names. `part` is the list of a JSON file with several. `nested`
    are the columns whose values are lists or objects, with the word for that; `pictures` those that hold
    images, as the library `datasets` writes them. `patterns` are those of a table of files.
    """

    path: Path
    columns: Sequence[str]
    encoding: str | None = None
    delimiter: str = ","
    quoted: bool = True
    header: bool = True
    part: str | None = None
    nested: Mapping[str, str] = field(default_factory=dict)
    pictures: frozenset[str] = frozenset()
    patterns: Sequence[str] = ()

    def rows(self, wanted: Iterable[str]) -> Iterator[tuple[str, Row | Rejection]]:
        """Yield each row's position ("label_E.csv, line 17") and wanted columns, or why it can't be read."""
        names = [name for name in wanted if name in self.columns]
        kind = self.path.suffix.lower()
        if self.patterns:
            for path in matching(self.path, self.patterns):
                yield os.fsencode(path).decode("utf-8", "backslashreplace"), file_row(path)
        elif kind == PARQUET:
            yield from _parquet(self, names)
        elif kind == JSON:
            yield from _json(self, names)
        elif kind in JSON_LINES:
            yield from _json_lines(self, names)
        else:
            yield from _delimited(self, names)

    def images(self) -> Iterator[tuple[str, bytes]]:
        """Yield the images that the table itself holds: the text of their cell in `rows`, and their bytes."""
        for name in sorted(self.pictures):
            for batch in _batches(self.path, IMAGES, [name]):
                for found in _values(batch):
                    if isinstance(found, dict) and found[name] and found[name][BYTES]:
                        yield _cell_of(self, found[name]), found[name][BYTES]


def open_table(folder: Path, name: str, source: Local, *, header: bool = True) -> Table:
    """Detect a table's encoding and columns; without a `header`, `source.columns` names those of its cells.

    Raises `InputError` if it can't be read.
    """
    from collectors.local.encoding import encoding_of

    file, part = parted(name)
    path = folder / file
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"the table {str(path)!r} is a link out of the folder, to {str(path.resolve())!r}, where nothing "
            "is read: replace it by a copy"
        )
    if not path.is_file():
        beside = sorted(p.name for p in path.parent.glob(f"*{path.suffix}")) if path.parent.is_dir() else []
        raise InputError(
            f"there is no table {str(path)!r}; the folder has {', '.join(beside[:8]) or 'none of its kind'}"
        )
    kind = path.suffix.lower()
    if kind == PARQUET:
        try:
            return _with_types(Table(path, ()), _parquet_file(path).schema_arrow)
        except UnicodeDecodeError:
            raise InputError(f"{str(path)!r} has a column whose name is not UTF-8: rename it") from None
    encoding = encoding_of(path, source.encoding)
    if kind == JSON or kind in JSON_LINES:
        table = Table(path, (), encoding, part=part)
        found = _list_of(table) if kind == JSON else (one for _, one in _objects(table))
        return _with_keys(table, (one for one in found if isinstance(one, dict)))
    with path.open(encoding=encoding, newline="") as opened:
        delimiter = source.delimiter or _delimiter(kind, opened.readline(LONGEST))
    table = Table(path, (), encoding, delimiter, source.quoted, header)
    _, names = next(_cells(table), (1, []))
    if isinstance(names, Rejection):
        if header:
            raise InputError(f"{str(path)!r}, line 1: {names.detail}")
        names = list(source.columns)  # the row is counted when rows are read
    if header:
        return replace(table, columns=names)
    if len(names) != len(source.columns):
        raise InputError(
            f"{str(path)!r} has {count(len(names), 'cell')} in its first row, divided by {delimiter!r}, and "
            f"columns names {len(source.columns)}: name each of them in [source.local]"
        )
    return replace(table, columns=source.columns)


def file_table(folder: Path, patterns: Sequence[str]) -> Table:
    """Return the table of the files that match one of the patterns: a row for each."""
    return Table(folder, FILE_COLUMNS, patterns=patterns)


def _delimiter(kind: str, line: str) -> str:
    """Return the delimiter by the suffix; in a .txt without a tab in its first line, it is a comma."""
    return "," if kind == ".txt" and "\t" not in line else DELIMITERS[kind]


def _delimited(table: Table, names: Sequence[str]) -> Iterator[tuple[str, Row | Rejection]]:
    place = {name: table.columns.index(name) for name in names}
    width = len(table.columns)
    named = "the header has" if table.header else "columns names"
    for first, values in islice(_cells(table), int(table.header), None):
        where = f"{table.path.name}, line {first}"
        if isinstance(values, Rejection):
            yield where, values
        elif len(values) == width:
            yield where, {name: values[at] for name, at in place.items()}
        elif values:  # not an empty line
            yield where, Rejection("wrong_number_of_columns", f"{len(values)}, {named} {width}")


def _cells(table: Table) -> Iterator[tuple[int, list[str] | Rejection]]:
    """Yield each row, the header too: its first line, and its cells or why it can't be read."""
    with table.path.open(encoding=table.encoding, newline="") as file:
        for first, found in cells(file, table.path, table.delimiter, quoted=table.quoted):
            if isinstance(found, Rejection) and found.reason == "unclosed_quote":
                found = replace(found, detail=f"{found.detail}{_UNQUOTED}")
            yield first, found


def _json_lines(table: Table, names: Sequence[str]) -> Iterator[tuple[str, Row | Rejection]]:
    for number, found in _objects(table):
        yield f"{table.path.name}, line {number}", _row(found, names)


def _objects(table: Table) -> Iterator[tuple[int, dict[str, Any] | Rejection]]:
    """Yield the object of each line of a JSON Lines file, with the line's number."""
    with table.path.open(encoding=table.encoding) as file:
        for number, line in enumerate(bounded_lines(file), 1):
            if line is None or line.strip():
                yield number, _object(line)


def _object(line: str | None) -> dict[str, Any] | Rejection:
    if line is None:
        return Rejection("unreadable_line", TOO_LONG)
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Rejection("unreadable_line", str(error))
    return found if isinstance(found, dict) else Rejection("unreadable_line", f"not an object: {line[:40]!r}")


def _json(table: Table, names: Sequence[str]) -> Iterator[tuple[str, Row | Rejection]]:
    for number, found in enumerate(_list_of(table), 1):
        where = f"{table.path.name}, {table.part or 'row'} {number}"
        if isinstance(found, dict):
            yield where, _row(found, names)
        else:
            yield where, Rejection("unreadable_line", f"not an object: {str(found)[:40]!r}")


def _list_of(table: Table) -> list[Any]:
    """Return the rows of a JSON file: it is a list, or `part` names one of its lists."""
    shown = repr(str(table.path))
    try:
        found = json.loads(table.path.read_text(encoding=table.encoding))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{shown} is not JSON: {error}; if it has an object a line, call it .jsonl"
        ) from None
    if isinstance(found, list):
        if table.part is not None:
            raise InputError(f"{shown} is a list itself: remove #{table.part} in [source.local]")
        return found
    fields = found if isinstance(found, dict) else {}
    lists = {key: value for key, value in fields.items() if isinstance(value, list)}
    if table.part in lists:
        return lists[table.part]
    there = f"has the lists {', '.join(map(repr, lists))}" if lists else "has no list of rows"
    raise InputError(
        f"{shown} {there}: name the one with the posts in [source.local], as "
        f"{table.path.name}#{next(iter(lists), 'images')}"
    )


def _row(found: dict[str, Any] | Rejection, names: Sequence[str]) -> Row | Rejection:
    """Return the wanted columns of an object; a missing key is like null."""
    if isinstance(found, Rejection):
        return found
    for name in names:
        if what := _NESTED.get(type(found.get(name))):
            return Rejection("not_a_plain_value", f"{name!r} is {what}")
    return {name: _as_text(found.get(name)) for name in names}


_NESTED: Mapping[type, str] = {list: "a list", dict: "an object"}


def _with_keys(table: Table, objects: Iterable[dict[str, Any]]) -> Table:
    """Return the table with the keys of its first objects as columns."""
    keys: dict[str, None] = {}
    nested: dict[str, str] = {}
    for one in islice(objects, LINES_FOR_COLUMNS):
        keys.update(dict.fromkeys(one))
        nested |= {key: _NESTED[type(value)] for key, value in one.items() if type(value) in _NESTED}
    return replace(table, columns=list(keys), nested=nested)


def _with_types(table: Table, schema: pa.Schema) -> Table:
    """Return a Parquet table with its columns, those with nested values, and those with images."""
    import pyarrow as pa

    def is_bytes(kind: pa.DataType) -> bool:
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    nested, pictures = {}, set()
    for one in schema:
        if pa.types.is_struct(one.type):
            fields = {inner.name: inner.type for inner in one.type}
            if BYTES in fields and is_bytes(fields[BYTES]):
                pictures.add(one.name)
            else:
                nested[one.name] = "an object"
        elif pa.types.is_nested(one.type):
            nested[one.name] = "a list"
        elif is_bytes(one.type):
            nested[one.name] = "bytes"
    return replace(table, columns=schema.names, nested=nested, pictures=frozenset(pictures))


def _parquet(table: Table, names: Sequence[str]) -> Iterator[tuple[str, Row | Rejection]]:
    number, several = 0, IMAGES if table.pictures & set(names) else 1000
    for batch in _batches(table.path, several, names):
        for found in _values(batch):
            number += 1
            where = f"{table.path.name}, row {number}"
            if isinstance(found, Rejection):
                yield where, found
                continue
            yield (
                where,
                {
                    name: _cell_of(table, value) if name in table.pictures else _as_text(value)
                    for name, value in found.items()
                },
            )


def _batches(path: Path, rows: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file. Raises `InputError` where it is damaged."""
    import pyarrow as pa

    try:
        file = _parquet_file(path)
        for group in range(file.num_row_groups):  # one iterator over all would keep the bytes of their images
            yield from file.iter_batches(rows, row_groups=[group], columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        line = str(error).strip().partition("\n")[0]
        raise InputError(f"{str(path)!r} is damaged ({line}): get it again") from None


def _values(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | Rejection]:
    """Yield rows as Python's values; text may not be UTF-8, and a date may be beyond Python's years."""
    faults = (ValueError, OverflowError)
    try:
        rows = batch.to_pylist()
    except faults:
        for at in range(batch.num_rows):
            try:
                yield {name: batch.column(name)[at].as_py() for name in batch.schema.names}
            except faults as error:
                yield Rejection("unreadable_value", str(error))
    else:
        yield from rows


def _cell_of(table: Table, image: dict[str, Any] | None) -> str:
    """Return the text of a cell with an image: its address below the table, or the path that it has.

    The address is that of its bytes, so it stays the same if rows are added or sorted.
    """
    if image is None or not image[BYTES]:
        return _as_text((image or {}).get(PATH))
    return f"{table.path.name}/{hashlib.sha256(image[BYTES]).hexdigest()}"


def _parquet_file(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{str(path)!r} is not a Parquet file: {str(error).splitlines()[0]}") from None


def _as_text(value: Any) -> str:
    """Return a JSON or Arrow value as text: null and NaN are empty, true is 1."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return _HALF_A_PAIR.sub("\ufffd", str(value))
