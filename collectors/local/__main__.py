"""Make a crawl store of a dataset on disk: tables and a folder of images.

    python -m collectors.local met-meme --path ~/MET-Meme
    python -m collectors.local mine --path FOLDER --store data/mine --datasets datasets

datasets/NAME/recipe.toml names the tables and columns to read, under [source.local]. Images are linked into
the store if the file system supports it, otherwise copied. The command can be stopped or killed at any
moment: the same command resumes.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

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
from collectors.crawl.options import at_least_1

if TYPE_CHECKING:
    from collectors.crawl.summary import Summary
    from collectors.local.source import Local


@dataclass(frozen=True)
class Options:
    """Make a crawl store of a dataset on disk: tables and a folder of images.

    datasets/NAME/recipe.toml names the tables and columns to read, under [source.local]. A rerun reads the
    tables again and examines only images that the store lacks.
    """

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """The dataset: a folder of datasets/ with a recipe.toml."""

    path: Annotated[Path, arg(metavar="FOLDER")]
    """The folder with the tables and images. No file outside of it is read."""

    store: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: data/NAME)")] = None
    """The crawl store's folder."""

    datasets: Annotated[Path, arg(metavar="DIR")] = Path("datasets")
    """The folder with the recipes."""

    workers: Annotated[int, arg(metavar="N")] = os.cpu_count() or 1
    """Number of processes that decode images."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m collectors.local") -> int:
    """Run the command with these arguments (default: those of the process); return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return finish(lambda: _crawl(tyro.cli(Options, prog=prog, args=given), " ".join([prog, *given])))


def _crawl(options: Options, command: str) -> Summary:
    from collectors.local.source import load

    source = load(recipes.find(options.name, options.datasets) / recipes.RECIPE)
    at_least_1("--workers", options.workers)
    if not options.path.is_dir():
        raise InputError(f"--path {str(options.path)!r} is not a folder")
    from collectors.crawl.crawl import run_command  # aiohttp and Pillow: not for --help

    return run_command(lambda: collect(options, source, command))


async def collect(options: Options, source: Local, command: str) -> Summary:
    """Run the crawl that the options describe; return its `Summary`."""
    from collectors.crawl.crawl import Plan, crawl
    from collectors.http.client import Client
    from collectors.local.collect import REJECTED_SHOWN, FolderImages, make_source
    from collectors.local.posts import Tables

    tables = Tables.open(options.name, options.path, source)  # before there is a store: errors leave none
    plan = Plan(
        options.store or Path("data") / options.name,
        command,
        [options.name],
        image_stage=FolderImages(options.name, options.path, options.workers),
        shown_as=None,
        rejected_shown=REJECTED_SHOWN,
        generated=source.generated,
    )
    return await crawl(plan, Client(), make_source(tables))


if __name__ == "__main__":
    sys.exit(main())
