"""Rebuild a full release, with text and images, from an `ids` release.

    python -m curation.hydrate datasets/reddit-emotion --store data/reddit

Texts and images come from a crawl store. Without `--store-only` the posts are collected into it first, by the
collector of their source. Reddit's asks Reddit or, without credentials, the Arctic Shift archive; Flickr's
needs a key (FLICKR_API_KEY). Posts that are no longer available are dropped with a reason, and so are those
on the opt-out list that came with the ids (`exclude.txt`); the others keep label, split and duplicate group.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from affectory.core import mirrors
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.place_option import PlaceOption

#: The options that `--help` shows.
FIRST = ("store", "out", "store_only")


@dataclass(frozen=True)
class Options:
    """Rebuild a full release from an `ids` release, through a crawl store."""

    folder: Positional[Annotated[PlaceOption, arg(metavar="FOLDER")]]
    """The dataset's folder as received: README.md, VERSION/manifest.json and VERSION/ids-….parquet; or its
    address."""

    store: Annotated[Path, arg(metavar="DIR")] = Path("data/hydrated")
    """The crawl store for posts and images."""

    out: Annotated[PlaceOption | None, arg(metavar="DIR", help_behavior_hint="(default: FOLDER-full)")] = None
    """The folder, or address, that gets the full release."""

    version: Annotated[str | None, arg(metavar="X.Y.Z", help_behavior_hint="(default: the newest)")] = None
    """The version to rebuild."""

    store_only: FlagCreatePairsOff[bool] = False
    """Collect nothing: use only the posts in the store."""

    sandbox_url: Annotated[str | None, arg(metavar="URL", help_behavior_hint="")] = None
    """Collect from a sandbox that runs there (affectory sandbox)."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m curation.hydrate") -> int:
    """Run the command with these arguments; return its exit code."""
    return finish(lambda: _hydrate(read_options(Options, arguments, prog, __doc__, FIRST)))


def _hydrate(options: Options) -> object:
    from curation.hydration.rebuild import check_room, collect, hydrate  # pyarrow: not for --help
    from curation.release.versions import POSTS, beside

    out = options.out or beside(options.folder, "-full")
    folder = mirrors.fetch(options.folder, *POSTS)
    with mirrors.written(out, *POSTS) as there:
        check_room(folder, options.version, there)
        if not options.store_only:
            collect(folder, options.version, options.store, options.sandbox_url)
        return hydrate(folder, store=options.store, out=there, version=options.version)


if __name__ == "__main__":
    sys.exit(main())
