"""Rows of a CSV or another delimited table, each with its line, and those told apart that lack a quote.

A cell whose quote isn't closed takes in the rows up to the next quote, so a row counts only if its quotes are
right:

1. A cell that begins with a quote ends with one, directly before a delimiter or the end of a line. Within
   it, a quote is written twice. In a cell that begins with something else, quotes are plain characters.
   If a row breaks this rule, its first line is rejected, and the next line begins a row.
2. A row of several lines must not look like several rows. It does if each of its lines, with quotes as plain
   characters, has as many cells as the table's first row, if none of these begins with a space, if the lines
   end alike, and if there are `CHANCE` delimiters or more on all lines but one. (Prose has a space behind a
   comma; programs that end rows with CR LF write LF within cells.) All of its lines are rejected, because
   they may be rows or one cell's text.

So what Python's csv module writes is read back: with its default line ends whatever the cells hold, except CR
LF; with others unless a cell's lines look like rows. In tables without quoting, quotes are plain characters.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from affectory.core.errors import InputError
from collectors.bounded_lines import LONGEST, TOO_LONG, bounded_lines
from collectors.store.record import Rejection

#: Delimiters that the lines of a cell may have as rows have them, by chance. Of the 2,625 captions with
#: several lines in the two columns of MET-Meme's E_text.csv, 67 have one or two.
CHANCE = 4

#: Characters that are read again, behind lines with an unclosed quote; it takes some seconds.
READ_AGAIN = 1 << 28

#: What a line takes in memory besides its characters.
_LINE = 64

_NOT_CLOSED = "a cell begins with a quote and doesn't end with one"


def cells(
    file: TextIO, path: Path, delimiter: str = ",", *, quoted: bool = True
) -> Iterator[tuple[int, list[str] | Rejection]]:
    """Yield each row's first line and its cells (none for an empty line), or why the line is rejected.

    Reasons are `unclosed_quote`, and `unreadable_line` for one that is too long. `path` names the file in
    errors. Raises `InputError` if so many quotes aren't closed that reading would take for ever.
    """
    csv.field_size_limit(LONGEST)
    lines = _Lines(bounded_lines(file))
    width = 0
    while True:
        reader = csv.reader(
            lines,
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
            strict=True,
        )
        try:
            for values in reader:
                first, row = lines.first, lines.take()
                width = width or len(values)
                if len(row) > 1 and _look_like_rows(row, width, delimiter):
                    why = f"lines {first} to {lines.first - 1} look like a row each, so a quote isn't closed"
                    yield from (
                        (number, Rejection("unclosed_quote", why)) for number in range(first, lines.first)
                    )
                else:
                    yield first, values
        except csv.Error:
            yield lines.first, Rejection("unclosed_quote", _NOT_CLOSED)
            lines.reject()
            if lines.read_again > READ_AGAIN:
                raise InputError(
                    f"{str(path)!r}, line {lines.first}: too many quotes aren't closed up to here; close them"
                ) from None
            continue
        if not lines.is_too_long:
            return
        yield lines.first, Rejection("unreadable_line", TOO_LONG)
        lines.reject()


class _Lines:
    """The lines of a table for `csv.reader`, which can be read again.

    They end before a line that is too long, and where a row becomes too long.
    """

    def __init__(self, lines: Iterator[str | None]) -> None:
        self.first = 1  # number of the current row's first line
        self.read_again = 0
        self._left = lines
        self._row: list[str] = []
        self._size = 0
        self._ahead: deque[str | None] = deque()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if not self._ahead:
            self._ahead.append(next(self._left))
        line = self._ahead[0]
        if line is None or self._size > LONGEST:
            raise StopIteration
        self._ahead.popleft()
        self._row.append(line)
        self._size += len(line) + _LINE
        return line

    @property
    def is_too_long(self) -> bool:
        """Whether the lines end before one that is too long."""
        return bool(self._ahead)

    def take(self) -> list[str]:
        """Return the lines of the current row, and begin the next one."""
        row, self._row, self._size = self._row, [], 0
        self.first += len(row)
        return row

    def reject(self) -> None:
        """Drop the first line of the current row, or the one that is too long; the next one begins a row."""
        if not self._row:
            self._ahead.popleft()
        self._ahead.extendleft(reversed(self._row[1:]))
        self.read_again += sum(map(len, self._row[1:]))
        self._row, self._size = [], 0
        self.first += 1


def _look_like_rows(lines: list[str], width: int, delimiter: str) -> bool:
    """Say whether the lines of a row may be a row each (rule 2)."""
    ends = {line[len(line.rstrip("\r\n")) :] for line in lines} - {""}  # the file's last line may have none
    return (
        (len(lines) - 1) * (width - 1) >= CHANCE
        and len(ends) == 1
        and all(
            line.count(delimiter) == width - 1 and f"{delimiter} " not in f"{delimiter}{line}"
            for line in lines
        )
    )
