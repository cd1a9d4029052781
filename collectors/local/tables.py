"""Tables on disk, in any of the formats, as rows of strings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from affectory.core.errors import InputError
from collectors.delimited import cells
from collectors.local.source import DELIMITERS, JSON_LINES, PARQUET, Local
from collectors.store.record import Rejection

Row = dict[str, str]

_UNQUOTED = "it ends within quotes: for a table without quoting set quoted = false in [source.local]"

#: Lines of a JSON Lines file whose keys are its columns.
LINES_FOR_COLUMNS = 1000


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns, and how to read it."""

    path: Path
    columns: Sequence[str]
    encoding: str | None = None
    delimiter: str = ","
    quoted: bool = True

    def rows(self, wanted: Iterable[str]) -> Iterator[tuple[str, Row | Rejection]]:
        """Yield each row's position ("label_E.csv, line 17") and wanted columns, or why it can't be read."""
        names = [name for name in wanted if name in self.columns]
        kind = self.path.suffix.lower()
        if kind == PARQUET:
            yield from _parquet(self, names)
        elif kind in JSON_LINES:
            yield from _json_lines(self, names)
        else:
            yield from _delimited(self, names)


def open_table(folder: Path, name: str, source: Local) -> Table:
    """Detect a table's encoding and columns. Raises `InputError` if it can't be read."""
    from collectors.local.encoding import encoding_of

    path = folder / name
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
        return Table(path, _parquet_file(path).schema_arrow.names)
    encoding = encoding_of(path, source.encoding)
    if kind in JSON_LINES:
        return Table(path, _keys(path, encoding), encoding)
    table = Table(path, (), encoding, source.delimiter or DELIMITERS[kind], source.quoted)
    _, names, _ = next(_cells(table), (1, [], False))
    return replace(table, columns=names)


def _delimited(table: Table, names: Sequence[str]) -> Iterator[tuple[str, Row | Rejection]]:
    place = {name: table.columns.index(name) for name in names}
    width = len(table.columns)
    for first, values, torn in islice(_cells(table), 1, None):  # without the header
        where = f"{table.path.name}, line {first}"
        if torn:
            yield where, Rejection("unclosed_quote", _UNQUOTED)
        elif len(values) == width:
            yield where, {name: values[at] for name, at in place.items()}
        elif values:  # not an empty line
            detail = f"{len(values)}, the header has {width}"
            yield where, Rejection("wrong_number_of_columns", detail)


def _cells(table: Table) -> Iterator[tuple[int, list[str], bool]]:
    """Yield each row, the header too: its first line, its cells, and whether it ends within quotes."""
    with table.path.open(encoding=table.encoding, newline="") as file:
        yield from cells(file, table.path, table.delimiter, quoted=table.quoted)


def _json_lines(table: Table, names: Sequence[str]) -> Iterator[tuple[str, Row | Rejection]]:
    with table.path.open(encoding=table.encoding) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"{table.path.name}, line {number}"
            found = _object(line)
            if isinstance(found, Rejection):
                yield where, found
            else:  # a missing key is like null
                yield where, {name: _as_text(found.get(name)) for name in names}


def _object(line: str) -> dict[str, Any] | Rejection:
    try:
        found = json.loads(line)
    except ValueError as error:
        return Rejection("unreadable_line", str(error))
    return found if isinstance(found, dict) else Rejection("unreadable_line", f"not an object: {line[:40]!r}")


def _keys(path: Path, encoding: str) -> list[str]:
    """Return the keys of the first objects of a JSON Lines file."""
    with path.open(encoding=encoding) as file:
        objects = [_object(line) for line in islice(file, LINES_FOR_COLUMNS) if line.strip()]
    return list(dict.fromkeys(key for one in objects if isinstance(one, dict) for key in one))


def _parquet(table: Table, names: Sequence[str]) -> Iterator[tuple[str, Row | Rejection]]:
    number = 0
    for batch in _parquet_file(table.path).iter_batches(1000, columns=list(names)):
        for found in batch.to_pylist():
            number += 1
            row = {name: _as_text(value) for name, value in found.items()}
            yield f"{table.path.name}, row {number}", row


def _parquet_file(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{str(path)!r} is not a Parquet file: {str(error).splitlines()[0]}") from None


def _as_text(value: Any) -> str:
    """Return a JSON or Arrow value as text: null is empty, true is 1."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    # JSON may have lone surrogates ("\ud83d"), which can't be encoded
    return str(value).encode("utf-8", "replace").decode()
