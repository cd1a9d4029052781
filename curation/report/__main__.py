"""Write the report of a release, a page that opens offline.

python -m curation.report reddit-emotion
python -m curation.report reddit-emotion --version 1.0.0 --datasets DIR
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional, arg

from affectory.core import mirrors
from affectory.core.command import finish
from affectory.core.errors import InputError
from affectory.core.place_option import PlaceOption
from curation.report import write


@dataclass(frozen=True)
class Options:
    """Write the report of a release: one HTML page that opens offline."""

    name: Annotated[Positional[str], arg(metavar="NAME")]
    """The dataset, for example reddit-emotion."""

    version: Annotated[
        str | None, arg(metavar="X.Y.Z", help_behavior_hint="(default: the newest one built)")
    ] = None
    """The version to report on."""

    datasets: Annotated[PlaceOption, arg(metavar="DIR")] = Path("datasets")
    """The folder of the datasets, or its address."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m curation.report") -> int:
    """Run the command with these arguments, by default those of the command line; return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return finish(lambda: _report(tyro.cli(Options, prog=prog, args=given)))


def _report(options: Options) -> str:
    dataset = options.datasets / options.name
    mirrors.fetch(dataset)
    folder = find(mirrors.local(options.datasets), options.name, options.version)
    with mirrors.written(dataset, f"{folder.name}/*"):
        path = write(folder)
    return f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)"


def find(datasets: Path, name: str, version: str | None = None) -> Path:
    """Return the folder of a version of a dataset, by default the newest. Raises `InputError`."""
    folder = datasets / name
    if not re.fullmatch(r"[\w.-]+", name) or not folder.is_dir():
        there = sorted(p.name for p in datasets.iterdir() if p.is_dir()) if datasets.is_dir() else []
        raise InputError(f"no dataset {name!r} in {str(datasets)!r}; {_available(there)}")
    built = sorted((p.parent.name for p in folder.glob("*/manifest.json")), key=_order)
    if not built:
        raise InputError(f"{name!r} has no release yet: build one with python -m curation.build {name}")
    if version is None:
        return folder / built[-1]
    if version not in built:
        raise InputError(f"{name!r} has no version {version!r}; {_available(built)}")
    return folder / version


def _order(version: str) -> tuple[list[int], str]:
    """Return a sort key that puts 1.10.0 after 1.9.0."""
    return [int(part) for part in re.findall(r"\d+", version)], version


def _available(names: list[str]) -> str:
    return f"available: {', '.join(names) or 'none'}"


if __name__ == "__main__":
    sys.exit(main())
