"""What the user asks of any command: how much it prints, and as what (`-q`, `-v`, `--json`).

    tell("source  archive: there are no credentials")    # a line on standard output, before the result
    say("note: author.key is new")                       # a line on standard error
    detail("duplicates: 3,112 posts in 12 s")            # the same, with -v alone
    return Outcome(text, {"posts": 3112})                # the result, as text and for --json

With `-q` nothing but errors and the last line of the result is printed. With `--json` the result is one JSON
document on standard output, and all else goes to standard error. `finish` of `affectory.core.command` prints
the result; a result of another class has `as_json()` to be printed as JSON.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


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
        print(line, flush=True)


def say(line: str) -> None:
    """Print a line on standard error at once, but not with `-q`. It stays, above the progress display."""
    if not _wanted.quiet:
        print(line, file=sys.stderr, flush=True)


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


def drawn(draw: Callable[[Console], None]) -> str:
    """Return what `draw` prints on a console of the terminal's width; in colour, if stdout is a terminal."""
    from rich.console import Console

    text = io.StringIO()
    draw(Console(file=text, force_terminal=True if sys.stdout.isatty() else None))
    return text.getvalue().rstrip("\n")
