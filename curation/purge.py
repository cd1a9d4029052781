"""Drop from a release the posts that their source has deleted since, and write the next patch version.

    python -m curation.purge reddit-emotion --store data/reddit

What is deleted the crawl store says: collect again first (`--source index`, with credentials, asks Reddit
for each post by its id). Earlier versions still hold the posts: `--remove-earlier` deletes them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import FlagCreatePairsOff, Positional, arg

from curation.command import finish


@dataclass(frozen=True)
class Options:
    """Drop from a release the posts that their source has deleted since; write the next patch version."""

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """The dataset: a folder of datasets/ that has been built."""

    store: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: the recipe's)")] = None
    """The crawl store, collected again since the release was built."""

    version: Annotated[str | None, arg(metavar="X.Y.Z", help_behavior_hint="(default: the newest)")] = None
    """The release to purge."""

    datasets: Annotated[Path, arg(metavar="DIR")] = Path("datasets")
    """Where the datasets are."""

    remove_earlier: FlagCreatePairsOff[bool] = False
    """Delete the earlier versions, which still hold the posts."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m curation.purge") -> int:
    """Run the command with these arguments; return its exit code."""
    options = tyro.cli(Options, prog=prog, args=arguments)
    return finish(lambda: _purge(options))


def _purge(options: Options) -> str:
    from curation.purging import purge  # pyarrow: not for --help

    return purge(
        options.datasets / options.name,
        store=options.store,
        version=options.version,
        remove_earlier=options.remove_earlier,
    )


if __name__ == "__main__":
    sys.exit(main())
