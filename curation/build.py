"""Build a dataset's release from a crawl store: filters, duplicates, splits, Parquet, card and report.

    python -m curation.build reddit-emotion
    python -m curation.build reddit-emotion-text --store DIR --out DIR --version 1.0.0

The recipe is datasets/NAME/recipe.toml. Without one, the built-in recipe of that name is used and copied to
the dataset's folder. The same store, recipe and format give the same bytes. A build may be killed at any
moment: complete releases are untouched, and the next build starts from the beginning.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from affectory.core import files, mirrors, recipes
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.engine.choice import EngineChoice
from affectory.core.errors import InputError
from affectory.core.output import wanted
from affectory.core.place_option import PlaceOption
from affectory.core.progress import Steps

if TYPE_CHECKING:
    from curation.release.assemble import Built
    from curation.release.dry_run import Planned

#: The options that `--help` shows.
FIRST = ("store", "out", "version")


@dataclass(frozen=True)
class Options:
    """Build a dataset's release from a crawl store.

    The release goes to datasets/NAME/VERSION, where datasets.load_dataset("datasets/NAME") finds it.
    """

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """The dataset: a folder of datasets/ with a recipe.toml, or a built-in recipe."""

    store: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: the recipe's)")] = None
    """The crawl store to build from."""

    out: Annotated[PlaceOption | None, arg(metavar="DIR", help_behavior_hint="(default: as --datasets)")] = (
        None
    )
    """The folder that gets the dataset's folder, or an address: s3://BUCKET/FOLDER."""

    version: Annotated[
        str | None,
        arg(metavar="X.Y.Z", help_behavior_hint="(default: the next, or the same if nothing changed)"),
    ] = None
    """The release's version."""

    datasets: Annotated[PlaceOption, arg(metavar="DIR")] = Path("datasets")
    """Where the recipes are (a folder or an address). Without one, the built-in recipe is used."""

    workers: Annotated[int, arg(metavar="N")] = os.cpu_count() or 1
    """The most processes; a small build uses one."""

    engine: Literal["local", "ray"] = "local"
    """Where the stages run: in processes of this machine, or on Ray."""

    address: Annotated[str | None, arg(metavar="HOST:PORT", help_behavior_hint="(default: none)")] = None
    """The head of a Ray cluster. Without it, --engine ray starts Ray on this machine."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m curation.build") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    return finish(lambda: _run(read_options(Options, arguments, prog, __doc__, FIRST, has_dry_run=True)))


def _run(options: Options) -> object:
    return planned(options) if wanted().dry_run else run(options)


def planned(options: Options) -> Planned:
    """Return what `run` would build. Raises the same `AffectoryError`, but for images that are damaged."""
    _check(options)
    from curation.release.dry_run import planned

    own = mirrors.fetch(options.datasets / options.name)
    folder = recipes.find(options.name, mirrors.local(options.datasets))
    out = mirrors.fetch((options.out or options.datasets) / options.name)
    if folder != own:
        _check_copies(options.name, out.parent)
    files.check_writable(out.parent, "--out" if options.out else "--datasets")
    return planned(folder / recipes.RECIPE, store=options.store, folder=out, version=options.version)


def _check(options: Options) -> None:
    if options.workers < 1:
        raise InputError(f"--workers {options.workers} is below 1")
    EngineChoice(options.engine, options.address).check()


def run(options: Options) -> Built:
    """Build the release that the options ask for. Raises `AffectoryError`."""
    _check(options)
    with Steps("loading"):
        from curation.release.assemble import build  # pyarrow: not for --help
        from curation.release.versions import POSTS

    own = mirrors.fetch(options.datasets / options.name)
    folder = recipes.find(options.name, mirrors.local(options.datasets))
    is_built_in = folder != own
    out = options.out or options.datasets
    with mirrors.written(out / options.name, *POSTS):
        place = mirrors.local(out)
        if is_built_in:
            _check_copies(options.name, place)
        built = build(
            folder / recipes.RECIPE,
            store=options.store,
            out=place,
            version=options.version,
            workers=options.workers,
            engine=EngineChoice(options.engine, options.address),
        )
        if not is_built_in:
            return built
        recipes.write_out(options.name, place)
        return replace(built, recipe=place / options.name / recipes.RECIPE)


def _check_copies(name: str, out: Path) -> None:
    """Raise `InputError` if a built-in recipe can't be copied to the folder `out`."""
    if differing := recipes.changed(name, out):
        raise InputError(
            f"{str(differing[0])!r} differs from the built-in one: move it away, or name the folder of your "
            "own recipe with --datasets"
        )


if __name__ == "__main__":
    sys.exit(main())
