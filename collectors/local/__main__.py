"""Make a crawl store of a dataset on disk: tables and a folder of images.

    python -m collectors.local met-meme --path ~/MET-Meme
    python -m collectors.local mine --path FOLDER --store data/mine --datasets datasets

Which tables and columns are read stands in datasets/NAME/recipe.toml under [source.local]. Images are
linked into the store where the file system can, else copied. It can be stopped at any moment and started
again: it goes on where it stopped.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import Positional, arg

from affectory.core import recipes
from affectory.core.command import finish
from affectory.core.errors import InputError

if TYPE_CHECKING:
    from collectors.crawl.summary import Summary


@dataclass(frozen=True)
class Options:
    """Make a crawl store of a dataset on disk: tables and a folder of images.

    Which tables and columns are read stands in datasets/NAME/recipe.toml, under [source.local]. A rerun
    reads the tables again and looks only at images that the store lacks.
    """

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """The dataset: a folder of datasets/ with a recipe.toml, or a built-in recipe."""

    path: Annotated[Path, arg(metavar="FOLDER")]
    """The folder that holds the tables and images. Nothing outside of it is read."""

    store: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: data/NAME)")] = None
    """The crawl store's folder."""

    datasets: Annotated[Path, arg(metavar="DIR")] = Path("datasets")
    """Where the recipes are. A dataset without one there uses the built-in recipe."""

    workers: Annotated[int, arg(metavar="N")] = os.cpu_count() or 1
    """Processes that decode images."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m collectors.local") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    options = tyro.cli(Options, prog=prog, args=given)
    return finish(lambda: _collect(options, " ".join([prog, *given])))


def _collect(options: Options, command: str) -> Summary:
    from collectors.local.source import load

    source = load(recipes.find(options.name, options.datasets) / recipes.RECIPE)
    if options.workers < 1:
        raise InputError(f"--workers {options.workers} is below 1")
    if not options.path.is_dir():
        raise InputError(f"--path {str(options.path)!r} is no folder")
    from collectors.crawl.crawl import run_command  # aiohttp and Pillow: not for --help
    from collectors.local.collect import Plan, collect

    store = options.store or Path("data") / options.name
    plan = Plan(options.name, options.path, source, store, command, options.workers)
    return run_command(lambda: collect(plan))


if __name__ == "__main__":
    sys.exit(main())
