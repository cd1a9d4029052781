"""Rows of a CSV or another delimited table, each with its line, and those told apart that lack a quote."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from affectory.core.errors import InputError

#: Maximum length of a cell; the library's default is 128 kB.
MAX_CELL = 1 << 24


def cells(
    file: Iterable[str], path: Path, delimiter: str = ",", *, quoted: bool = True
) -> Iterator[tuple[int, list[str], bool]]:
    """Yield each row's first line, its cells, and whether it has a quote that isn't closed.

    Such a row has swallowed the lines up to the next quote. `path` names the file in errors. Raises
    `InputError` if a cell is too long.
    """
    raw: list[str] = []  # the lines of the current row

    def lines() -> Iterator[str]:
        for line in file:
            raw.append(line)
            yield line

    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(lines(), delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
    try:
        for values in reader:
            first = reader.line_num + 1 - len(raw)
            torn = quoted and len(raw) > 1 and sum(line.count('"') for line in raw) % 2 == 1
            raw.clear()
            yield first, values, torn
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: {error}; is {delimiter!r} its delimiter?"
        ) from None
