"""Compare two runs of the baselines: rows, differences, what differs in how they were made.

    affectory compare results/met-meme/1.0.0 results/met-meme/1.1.0
    affectory compare results/met-meme/1.0.0 elsewhere/results.json --out results/compare/elsewhere

A run is a folder that `affectory run` has written, or its results.json. If both have predicted the same test
posts, each row of both gets a paired 95% interval over seeds and posts; else the reason is printed. With
--out, compare.html and compare.json are written. The exit code is 0 even if the runs differ.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from affectory.core import files
from affectory.core.addresses import check_folder
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import InputError
from affectory.core.output import Outcome, drawn
from affectory.core.progress import Steps

if TYPE_CHECKING:
    from baselines.results.two_runs import TwoRuns


@dataclass(frozen=True)
class Options:
    """Compare two runs of the baselines: rows, differences with paired intervals, settings that differ."""

    first: Positional[Annotated[Path, arg(metavar="RUN")]]
    """A folder of results, or its results.json."""

    second: Positional[Annotated[Path, arg(metavar="RUN")]]
    """The other one; differences are this one minus the first."""

    out: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Write compare.html and compare.json to this folder."""


def main(arguments: list[str] | None = None, *, prog: str = "affectory compare") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    return finish(lambda: _compare(read_options(Options, arguments, prog, __doc__)))


def _compare(options: Options) -> Outcome:
    if options.out is not None:
        check_folder(options.out, "the comparison")
        if options.out.exists() and not options.out.is_dir():
            raise InputError(f"--out {str(options.out)!r} is not a folder: name one")
    with Steps("loading"):
        from baselines.results import two_runs, two_runs_tables  # rich, msgspec; torch where rows are paired

    found = two_runs.compared(two_runs.located(options.first), two_runs.located(options.second))
    page = _written(found, options.out) if options.out is not None else None
    text = drawn(lambda console: two_runs_tables.show(found, console))
    return Outcome(text if page is None else f"{text}\n\npage      {page}", json.loads(found.encoded()))


def _written(found: TwoRuns, out: Path) -> Path:
    """Write the page, compare.json and the index of the results that the folder lies in."""
    from baselines.results.page import index_page, two_runs_page

    with files.writable(out, "the comparison"):
        out.mkdir(parents=True, exist_ok=True)
    files.write(out / "compare.json", found.encoded())
    results = index_page.holding(out)
    page = two_runs_page.write(out, found, results)
    if results is not None:
        index_page.write(results)
    return page
