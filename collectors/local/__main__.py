"""Make a crawl store of a dataset on disk: tables, texts and images.

    python -m collectors.local met-meme --path ~/MET-Meme
    python -m collectors.local mine --path FOLDER --store data/mine --datasets datasets

datasets/NAME/recipe.toml names the tables or files to read, under [source.local]. Images are linked into
the store if the file system supports it, otherwise copied. The command can be stopped or killed at any
moment: the same command resumes.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from affectory.core import mirrors, recipes
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import InputError
from affectory.core.numbers import count
from affectory.core.output import wanted
from affectory.core.place_option import PlaceOption
from affectory.core.progress import Steps
from collectors.crawl.options import Runner, at_least_1

if TYPE_CHECKING:
    from collectors.crawl.dry_run import Planned
    from collectors.crawl.summary import Summary
    from collectors.local.source import Local


@dataclass(frozen=True)
class Options:
    """Make a crawl store of a dataset on disk: tables, texts and images.

    datasets/NAME/recipe.toml names the tables or files to read, under [source.local]. A rerun reads the
    tables again and examines only images that the store lacks.
    """

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """The dataset: a folder of datasets/ with a recipe.toml."""

    path: Annotated[Path, arg(metavar="FOLDER")]
    """The folder with the tables, texts and images. No file outside of it is read."""

    store: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: data/NAME)")] = None
    """The crawl store's folder."""

    datasets: Annotated[PlaceOption, arg(metavar="DIR")] = Path("datasets")
    """The folder with the recipes, or its address."""

    workers: Annotated[int, arg(metavar="N")] = os.cpu_count() or 1
    """Number of processes that decode images."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m collectors.local") -> int:
    """Run the command with these arguments (default: those of the process); return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    command = " ".join([prog, *given])
    return finish(lambda: _run(read_options(Options, given, prog, __doc__, has_dry_run=True), command))


def _run(options: Options, command: str) -> object:
    return planned(options) if wanted().dry_run else run(options, command)


def planned(options: Options) -> Planned:
    """Return what `run` would do. Raises the same `AffectoryError` for options and tables with faults."""
    from collectors.crawl.dry_run import Planned
    from collectors.local.posts import Tables
    from collectors.store.record import Post

    tables = Tables.open(options.name, options.path, *check(options))
    tables.check_usable()
    made = list(tables)
    posts = sum(isinstance(one, Post) for one in made)
    unusable = f", {count(len(made) - posts, 'row')} can't be used" if posts < len(made) else ""
    return Planned.of(
        options.store or Path("data", options.name),
        f"{count(len(made), 'row')} of {', '.join(table.path.name for table in tables.tables)}{unusable}",
        "none: files are read",
        {options.name: posts},
    )


def check(options: Options) -> tuple[Local, Mapping[str, str]]:
    """Return the recipe's table [source.local] and its labels. Raises `AffectoryError`."""
    from collectors.local.source import load

    mirrors.fetch(options.datasets / options.name)
    path = recipes.find(options.name, mirrors.local(options.datasets)) / recipes.RECIPE
    source, labels = load(path), _labels(path)
    at_least_1("--workers", options.workers)
    if not options.path.is_dir():
        raise InputError(f"--path {str(options.path)!r} is not a folder")
    return source, labels


def run(options: Options, command: str, runner: Runner | None = None) -> Summary:
    """Collect what the options ask for; return the summary. `command` is noted in the store.

    Raises `AffectoryError`. `runner`: how the crawl is run (default: as a command).
    """
    source, labels = check(options)
    with Steps("loading"):
        from collectors.crawl.crawl import run_command  # aiohttp and Pillow: not for --help

    return (runner or run_command)(lambda: collect(options, source, labels, command))


def _labels(path: Path) -> Mapping[str, str]:
    """Check the whole recipe as the build will, before an image is read; return its `[labels]`.

    The schema is curation's, which collectors don't import: it is loaded by its name.
    """
    labels: Mapping[str, str] = importlib.import_module("curation.recipe.recipe").load(path).labels
    return labels


async def collect(options: Options, source: Local, labels: Mapping[str, str], command: str) -> Summary:
    """Run the crawl that the options describe; return its `Summary`."""
    from collectors.crawl.crawl import Plan, crawl
    from collectors.http.client import Client
    from collectors.local.collect import REJECTED_SHOWN, FolderImages, make_source
    from collectors.local.posts import Tables

    # Before there is a store: errors leave none.
    tables = Tables.open(options.name, options.path, source, labels)
    store = options.store or Path("data") / options.name
    if not (store / "crawl.sqlite").exists():
        tables.check_usable()
    plan = Plan(
        store,
        command,
        [options.name],
        image_stage=FolderImages(tables, options.workers),
        shown_as=None,
        rejected_shown=REJECTED_SHOWN,
        generated=source.generated,
    )
    return await crawl(plan, Client(), make_source(tables))


if __name__ == "__main__":
    sys.exit(main())
