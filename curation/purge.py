"""Remove from a dataset the posts that their source has deleted, or that opted out.

    python -m curation.purge reddit-emotion --store data/reddit
    python -m curation.purge reddit-emotion --exclude opted-out.txt

A deleted post is one that its author, a moderator or the site has taken down since it was collected. With
`--refresh` the source is asked for each post again first, so that the crawl store records it: Reddit or,
without credentials, the Arctic Shift archive, which may not know of every deletion. The purge writes
the next patch version without the deleted posts; of each it keeps a tombstone: the id and the source's
reason. Duplicates that were dropped in favour of a deleted post are published instead. What is cached of
the deleted posts' images and texts is removed: features, and texts that were read in images.

`--exclude` names a list of posts that may not be in the dataset: the SHA-256 of a post's id in hex, one a
line (`printf %s reddit:3svmej | sha256sum`), comments after #. The hashes are added to `exclude.txt` in the
dataset's folder, which every later build and purge reads.

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
from typing import TYPE_CHECKING, Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from affectory.core import mirrors
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.place_option import PlaceOption

if TYPE_CHECKING:
    from curation.deleted.removal import Purged

#: The options that `--help` shows.
FIRST = ("store", "refresh", "exclude", "remove_earlier")


@dataclass(frozen=True)
class Options:
    """Remove from a dataset the posts that their source has deleted, or that opted out."""

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """The dataset: a folder of datasets/ that has been built."""

    store: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: the recipe's)")] = None
    """The crawl store, collected again since the release was built."""

    version: Annotated[str | None, arg(metavar="X.Y.Z", help_behavior_hint="(default: the newest)")] = None
    """The release to purge."""

    datasets: Annotated[PlaceOption, arg(metavar="DIR")] = Path("datasets")
    """The folder of the datasets, or its address."""

    refresh: FlagCreatePairsOff[bool] = False
    """Ask the source for each post first: Reddit or, without credentials, the archive."""

    exclude: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """A list of posts to leave out of all releases: the SHA-256 of a post's id, in hex, one a line."""

    remove_earlier: FlagCreatePairsOff[bool] = False
    """Remove the earlier versions that still contain deleted posts, and the posts from their results."""

    results: Annotated[Path, arg(metavar="DIR")] = Path("results")
    """The folder of training results."""

    features: Annotated[Path, arg(metavar="DIR")] = Path("data/features")
    """The cache of features."""

    sandbox_url: Annotated[str | None, arg(metavar="URL", help_behavior_hint="")] = None
    """With --refresh, ask a sandbox that runs there (affectory sandbox)."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m curation.purge") -> int:
    """Run the command with these arguments; return its exit code."""
    return finish(lambda: _purge(read_options(Options, arguments, prog, __doc__, FIRST)))


def _purge(options: Options) -> Purged:
    from curation.deleted.refresh import refresh  # pyarrow: not for --help
    from curation.deleted.removal import Places, purge
    from curation.recipe import exclude

    if options.exclude is not None:
        exclude.read(options.exclude)  # a bad line is reported before anything is asked for
    with mirrors.written(options.datasets / options.name, "*/*", removes=True) as folder:
        if options.refresh:
            refresh(folder, options.version, options.store, options.sandbox_url)
        return purge(
            Places(folder, options.results, options.features),
            store=options.store,
            version=options.version,
            remove_earlier=options.remove_earlier,
            excluding=options.exclude,
        )


if __name__ == "__main__":
    sys.exit(main())
