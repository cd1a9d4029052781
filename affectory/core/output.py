"""What the user asks of any command: how much it prints, and as what (`-q`, `-v`, `--json`).

    tell("source  archive: there are no credentials")    # a line on standard output, before the result
    say("note: author.key is new")                       # a line on standard error
    detail("duplicates: 3,112 posts in 12 s")            # the same, with -v alone
    return Outcome(text, {"posts": 3112})                # the result, as text and for --json

With `-q` nothing but errors and the last line of the result is printed. With `--json` the result is one JSON
document on standard output, and all else goes to standard error. `finish` of `affectory.core.command` prints
the result; a result of another class has `as_json()` to be printed as JSON. On a terminal, lines that are
wider than it are folded, but for those with a command or a path to copy.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

#: A command or a call in a line. Such a line stays whole, so that it can be copied.
_COMMAND = re.compile(
    r"(?<![\w./-])(?:affectory [a-z-]|python -|pip |uv |hf |git |export |rm |datasets\.load_dataset\()"
)

#: A line whose value is a path, which may have spaces.
_PATH = re.compile(r"(?:store|release|report|recipe|page|table|wrote)\b +")

#: What stands before a value in a line: two spaces or more, or one after a word of seven letters ("release").
_GAP = re.compile(r"(?<=\S) {2,}(?=\S)|(?<=^[a-z]{7}) (?=\S)")

#: The column of the values of most results.
_VALUES = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asks of a command beside its own options. `dry_run`: to say what it would do, no more."""

    quiet: bool = False
    verbose: bool = False
    json: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a command: its text, the same as data for `--json`, and the exit code.

    With `names_copies` the local copy of an address is named as such, else the address in its place.
    """

    text: str
    data: Any
    exit_code: int = 0
    names_copies: bool = False

    def __str__(self) -> str:
        return self.text

    def as_json(self) -> Any:
        """Return the data."""
        return self.data


_wanted = Wanted()


def wanted() -> Wanted:
    """Return what was asked of the running command."""
    return _wanted


def want(asked: Wanted) -> None:
    """Ask this of the running command, until it ends. With JSON, whatever it prints is an aside."""
    global _wanted
    # A command that another one calls, as `affectory demo` does, is as quiet as that.
    _wanted = replace(asked, quiet=asked.quiet or _wanted.quiet, verbose=asked.verbose or _wanted.verbose)
    if asked.json:
        sys.stdout = sys.stderr


@contextmanager
def until_end() -> Iterator[None]:
    """Put back, after the block, what was asked before it, and standard output."""
    global _wanted
    before, stdout = _wanted, sys.stdout
    try:
        yield
    finally:
        _wanted, sys.stdout = before, stdout


def tell(line: str) -> None:
    """Print a line on standard output at once, but not with `-q`."""
    if not _wanted.quiet:
        print(folded(line, sys.stdout), flush=True)


def say(line: str) -> None:
    """Print a line on standard error at once, but not with `-q`. It stays, above the progress display."""
    if not _wanted.quiet:
        print(folded(line, sys.stderr), file=sys.stderr, flush=True)


def detail(line: str) -> None:
    """Print a line on standard error with `-v`."""
    if _wanted.verbose:
        say(line)


def text_of(result: object) -> str:
    """Return a result as it is printed: as JSON, its last line alone, or its text."""
    if _wanted.json:
        data = result.as_json() if hasattr(result, "as_json") else result
        return json.dumps(data, indent=1, ensure_ascii=False, default=str)
    text = str(result)
    return text.rpartition("\n")[2].strip() if _wanted.quiet else text


def folded(text: str, stream: TextIO) -> str:
    """Return a text with its long lines folded, if `stream` is a terminal that is narrower.

    A line goes on below its last value that begins before the middle. Words aren't broken, and lines with a
    command or with a path as their value stay whole.
    """
    if not stream.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(one for line in text.split("\n") for one in _folded(line, width))


def _folded(line: str, width: int) -> list[str]:
    if len(line) <= width or "\x1b" in line or _COMMAND.search(line) or _PATH.match(line):
        return [line]
    starts = [gap.end() for gap in _GAP.finditer(line) if gap.end() <= width // 2]
    indent = max(starts, default=len(line) - len(line.lstrip()) or min(_VALUES, width // 2))
    begins = indent if starts or line[:1] == " " else 0
    return textwrap.wrap(
        line[begins:],
        width,
        initial_indent=line[:begins],
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def drawn(draw: Callable[[Console], None]) -> str:
    """Return what `draw` prints on a console of the terminal's width; in colour, if stdout is a terminal."""
    from rich.console import Console

    text = io.StringIO()
    draw(Console(file=text, force_terminal=True if sys.stdout.isatty() else None))
    return text.getvalue().rstrip("\n")
