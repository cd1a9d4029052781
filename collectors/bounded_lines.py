"""The lines of a file that a user names, in bounded memory: a longer line is passed over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, AnyStr

#: Characters (or bytes) of a line that is read.
LONGEST = 1 << 24

#: What a rejected row says of such a line.
TOO_LONG = f"longer than {LONGEST:,} characters"


def bounded_lines(file: IO[AnyStr], longest: int = LONGEST) -> Iterator[AnyStr | None]:
    """Yield the rest of a file's lines with their ends, None for one of `longest` characters or more."""
    while line := file.readline(longest):
        if len(line) < longest:
            yield line
            continue
        while len(line) == longest and not _is_whole(line):
            line = file.readline(longest)
        yield None


def _is_whole(line: AnyStr) -> bool:
    return line[-1:] in ("\n", "\r", b"\n")
