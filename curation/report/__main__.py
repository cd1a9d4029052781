"""Write the report of a release, a page that opens offline.

python -m curation.report reddit-emotion
python -m curation.report reddit-emotion --version 1.0.0 --datasets DIR
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from affectory.core import ids_releases, mirrors
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import ReleaseError
from affectory.core.place_option import PlaceOption
from curation.manifest.released import chosen
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
    return finish(lambda: _report(read_options(Options, given, prog, __doc__, has_json=False)))


def _report(options: Options) -> str:
    folder = chosen(options.datasets, options.name, options.version)
    if ids_releases.has_ids_only(folder):
        raise ReleaseError(ids_releases.instead(folder.parent))
    with mirrors.written(options.datasets / options.name, f"{folder.name}/*"):
        path = write(folder)
    return f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)"


if __name__ == "__main__":
    sys.exit(main())
