"""Write the built-in recipes and their cards to ./datasets, to read, edit and build from.

    affectory init                        all of them
    affectory init vso reddit-emotion     these

Existing files are never overwritten. If one differs from the built-in one, nothing is written and the exit
code is 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from affectory.core import recipes
from affectory.core.addresses import check_folder
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import InputError, meant


@dataclass(frozen=True)
class Options:
    """Write the built-in recipes and their cards to ./datasets, to read, edit and build from.

    Existing files are never overwritten. If one differs from the built-in one, nothing is written.
    """

    names: Positional[
        Annotated[tuple[str, ...], arg(metavar="NAME …", help_behavior_hint="(default: all)")]
    ] = ()
    """The recipes."""

    datasets: Annotated[Path, arg(metavar="DIR")] = Path("datasets")
    """The folder that gets a folder for each recipe."""


def main(arguments: list[str] | None = None, *, prog: str = "affectory init") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    return finish(lambda: _init(read_options(Options, arguments, prog, __doc__, has_json=False)))


def _init(options: Options) -> str:
    """Write the files; return a line for each file."""
    check_folder(options.datasets, "recipes to edit")
    known = recipes.names(recipes.built_in())
    if unknown := [name for name in options.names if name not in known]:
        raise InputError(f"there is no built-in recipe {unknown[0]!r}; {meant(unknown[0], known)}")
    names = list(dict.fromkeys(options.names)) or known
    if changed := [path for name in names for path in recipes.changed(name, options.datasets)]:
        raise InputError(
            f"nothing was written: {', '.join(map(str, changed))} differ from the built-in recipes; "
            "move them away, or name other recipes: affectory init NAME …"
        )
    lines = []
    for name in names:
        written = recipes.write_out(name, options.datasets)
        for path in recipes.files(name):
            there = options.datasets / name / path.name
            lines.append(f"{'wrote' if there in written else 'kept '}  {there}")
    return "\n".join(lines)
