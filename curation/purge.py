"""Remove from a dataset the posts that their source has deleted.

    python -m curation.purge reddit-emotion --store data/reddit

A deleted post is one that its author, a moderator or the site has taken down since it was collected. Collect
again first, so that the crawl store records it (`--source index`, with credentials, asks Reddit for each
post by its id). The purge writes the next patch version without the deleted posts; of each it keeps a
tombstone: the id and the source's reason. Duplicates that were dropped in favour of a deleted post are
published instead. Features of the deleted posts' images are removed from the cache.

Earlier versions and the results trained on them still contain the posts, as the dataset's card notes.
`--remove-earlier` removes those versions, and everything but scores and settings from their results. Other
places with data of the posts (the cache of the `datasets` library, copies on a hub, other stores) are listed,
each with the command that clears it. To complete a purge that was killed, repeat the command.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import FlagCreatePairsOff, Positional, arg

from affectory.core.command import finish


@dataclass(frozen=True)
class Options:
    """Remove from a dataset the posts that their source has deleted."""

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """The dataset: a folder of datasets/ that has been built."""

    store: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: the recipe's)")] = None
    """The crawl store, collected again since the release was built."""

    version: Annotated[str | None, arg(metavar="X.Y.Z", help_behavior_hint="(default: the newest)")] = None
    """The release to purge."""

    datasets: Annotated[Path, arg(metavar="DIR")] = Path("datasets")
    """The folder of the datasets."""

    remove_earlier: FlagCreatePairsOff[bool] = False
    """Remove the earlier versions that still contain deleted posts, and the posts from their results."""

    results: Annotated[Path, arg(metavar="DIR")] = Path("results")
    """The folder of training results."""

    features: Annotated[Path, arg(metavar="DIR")] = Path("data/features")
    """The folder of the image features."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m curation.purge") -> int:
    """Run the command with these arguments; return its exit code."""
    return finish(lambda: _purge(tyro.cli(Options, prog=prog, args=arguments)))


def _purge(options: Options) -> str:
    from curation.deleted.removal import Places, purge  # pyarrow: not for --help

    return purge(
        Places(options.datasets / options.name, options.results, options.features),
        store=options.store,
        version=options.version,
        remove_earlier=options.remove_earlier,
    )


if __name__ == "__main__":
    sys.exit(main())
