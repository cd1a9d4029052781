"""Collect Flickr photos into a crawl store: voted on, found for adjective-noun pairs, or listed by id.

    python -m collectors.flickr --votes agg/*.csv
    python -m collectors.flickr --votes agg/*.csv --no-text                  (images alone, no key)
    python -m collectors.flickr --vso 3244ANPs.txt --limit 100
    python -m collectors.flickr --vso 3244ANPs.txt --photos lists/
    python -m collectors.flickr --ids ids.txt
    python -m collectors.flickr --sandbox                                    (no key, no network)

The key of Flickr's API is read from FLICKR_API_KEY. It can be stopped at any moment (Ctrl-C, or worse) and
started again: no photo that Flickr has answered for is asked for again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import FlagCreatePairsOff, arg

from affectory.core.command import finish
from affectory.core.errors import InputError

if TYPE_CHECKING:
    from collectors.crawl.summary import Summary
    from collectors.flickr.sources import Asked
    from collectors.flickr.vso import Pair

NO_KEY = (
    "FLICKR_API_KEY is not set, and titles and descriptions come from Flickr's API. Ways on: ask for a key "
    "at https://www.flickr.com/services/api/misc.api_keys.html and export it; or fetch the images alone with "
    "--no-text; or try it without any: --sandbox"
)

#: Photos of a pair that a search takes, and bad rows that are shown one by one.
A_PAIR, SHOWN = 100, 10


@dataclass(frozen=True)
class Options:
    """Collect Flickr photos into a crawl store: voted on, found for adjective-noun pairs, or listed by id.

    The API's key is read from FLICKR_API_KEY; it is good for 3,600 calls an hour, a photo each. Everything is
    resumable: stop it at any moment, run the same command again, and it goes on.
    """

    votes: Annotated[tuple[Path, ...], arg(metavar="FILE …", help_behavior_hint="")] = ()
    """Vote tables of You et al. 2016 (or folders of them), one emotion a file, as amusement_….csv: rows of
    number, url, disagree, agree, without a header."""

    vso: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """VSO's list of adjective-noun pairs with their sentiment (3244ANPs.txt). Without --photos each pair is
    searched for."""

    photos: Annotated[tuple[Path, ...], arg(metavar="FILE …", help_behavior_hint="")] = ()
    """With --vso: lists (or folders of them) of urls or ids, rows of pair and photo, or files named after
    their pair."""

    ids: Annotated[tuple[Path, ...], arg(metavar="FILE …", help_behavior_hint="")] = ()
    """Lists of photos (or folders of them): .txt files with an id or address a line, or .csv tables with the
    column id and optionally url and community."""

    limit: Annotated[
        int | None, arg(metavar="N", help_behavior_hint="(default: all; 100 when searching)")
    ] = None
    """At most so many photos of each emotion, sentiment or community, the first; when searching, of each
    pair."""

    licence: Annotated[tuple[int, ...], arg(metavar="ID …", help_behavior_hint="(default: any)")] = ()
    """When searching: only photos under these of Flickr's licences, for example 4 5 7 8 9 10."""

    text: bool = True
    """Ask Flickr for title, description, tags and licence; --no-text fetches the images alone, without a
    key."""

    store: Annotated[
        Path | None,
        arg(
            metavar="DIR",
            help_behavior_hint="(default: data/flickr, data/vso; data/sandbox-… with --sandbox)",
        ),
    ] = None
    """The crawl store's folder."""

    media: bool = True
    """Fetch the images; --no-media keeps their links for a later run."""

    max_side: Annotated[
        int | None, arg(metavar="PIXELS", help_behavior_hint="(default: the bytes as they came)")
    ] = None
    """Keep larger images as JPEGs of this longer side."""

    honour_noai: bool = True
    """Leave out images whose host asks not to be used for AI (X-Robots-Tag: noai)."""

    workers: Annotated[int, arg(metavar="N")] = min(4, os.cpu_count() or 1)
    """Processes that decode images."""

    sandbox: FlagCreatePairsOff[bool] = False
    """Ask a stand-in for Flickr on this machine: generated photos, no key. Without --votes, --vso and
    --ids it gives its own vote tables."""

    sandbox_url: Annotated[str | None, arg(metavar="URL", help_behavior_hint="")] = None
    """A sandbox that runs already (python -m collectors.sandbox), instead of one of its own."""

    @property
    def sandboxed(self) -> bool:
        """Whether a sandbox stands in for Flickr."""
        return self.sandbox or self.sandbox_url is not None

    @property
    def folder(self) -> Path:
        """The store's folder."""
        kind = "flickr" if self.vso is None else "vso"
        return self.store or Path("data", f"sandbox-{kind}" if self.sandboxed else kind)


def main(arguments: list[str] | None = None, *, prog: str = "python -m collectors.flickr") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    options = tyro.cli(Options, prog=prog, args=given)
    return finish(lambda: _crawl(options, " ".join([prog, *given])))


def _crawl(options: Options, command: str) -> Summary:
    key = check(options)
    with ExitStack() as stack:
        sandbox = options.sandbox_url
        if sandbox is None and options.sandbox:
            from collectors.sandbox import running

            sandbox = stack.enter_context(running())
        asked = read(options, key, sandbox)
        from collectors.crawl.crawl import run_command  # aiohttp and Pillow: not for --help

        return run_command(lambda: collect(options, asked, sandbox, command))


def check(options: Options) -> str | None:
    """Return the API's key, None where there is none and none is needed; raise `InputError`."""
    if options.votes and options.vso is not None:
        raise InputError("--votes and --vso are two datasets: collect them one after the other")
    if options.ids and (options.votes or options.vso is not None):
        raise InputError("--ids goes without --votes and --vso: collect them one after the other")
    if not (options.votes or options.vso is not None or options.ids or options.sandboxed):
        raise InputError(
            "name what to collect: --votes FILE …, --vso FILE or --ids FILE …, or try it with --sandbox"
        )
    if options.photos and options.vso is None:
        raise InputError("--photos goes with --vso, which says what the pairs' sentiments are")
    searching = options.vso is not None and not options.photos
    if options.licence and not searching:
        raise InputError("--licence goes with a search: --vso without --photos")
    from collectors.flickr.licences import LICENCES

    if unknown := [number for number in options.licence if number not in LICENCES]:
        there = ", ".join(f"{number} {name}" for number, (name, _) in LICENCES.items())
        raise InputError(f"--licence {unknown[0]} is none of Flickr's; there are {there}")
    if searching and not options.text:
        raise InputError("--no-text needs lists of photos: a search is a call of Flickr's API")
    for flag, value in (
        ("--limit", options.limit),
        ("--max-side", options.max_side),
        ("--workers", options.workers),
    ):
        if value is not None and value < 1:
            raise InputError(f"{flag} {value} is below 1")
    key = "sandbox" if options.sandboxed else os.environ.get("FLICKR_API_KEY", "").strip()
    if not key and options.text:
        raise InputError(NO_KEY)
    return key or None


def read(options: Options, key: str | None, sandbox: str | None) -> Asked:
    """Read the lists that the options name, and show their bad rows. Raises `InputError`."""
    from collectors.flickr.api import quota
    from collectors.flickr.ids import read_ids
    from collectors.flickr.lists import files
    from collectors.flickr.sources import Asked
    from collectors.flickr.votes import read_votes
    from collectors.flickr.vso import read_pairs, read_photos

    searched: tuple[Pair, ...] = ()
    if options.vso is not None:
        pairs, lists = read_pairs(options.vso)
        if options.photos:
            read_photos(files("--photos", options.photos, (".txt", ".csv", ".tsv")), pairs, lists)
        else:
            searched = tuple(pairs)
    elif options.ids:
        lists = read_ids(files("--ids", options.ids, (".txt", ".csv")))
    else:
        tables: Sequence[Path] = options.votes
        if not tables:
            from collectors.sandbox.own_lists import fetch_lists

            tables = fetch_lists(sandbox or "", options.folder / "lists")
        lists = read_votes(files("--votes", tables, (".csv",)))
    for rejection in lists.rejected[:SHOWN]:
        print(
            f"warning: {rejection.detail}: left out ({rejection.reason.replace('_', ' ')})", file=sys.stderr
        )
    if len(lists.rejected) > SHOWN:
        print(f"warning: and {len(lists.rejected) - SHOWN:,} more rows like these", file=sys.stderr)
    if options.limit is not None:
        lists.cut(options.limit)
    return Asked(
        lists=lists,
        pairs=searched,
        limit=options.limit or A_PAIR,
        licences=options.licence,
        key=key if options.text else None,
        quota=quota if sandbox is None else None,
    )


async def collect(options: Options, asked: Asked, sandbox: str | None, command: str) -> Summary:
    """Run the crawl that the options describe; return its `Summary`."""
    from collectors.crawl.crawl import Plan, crawl
    from collectors.crawl.images import ImagePolicy
    from collectors.flickr.api import NEEDS_KEY, OtherSize
    from collectors.flickr.sources import make_source
    from collectors.http.client import client_for

    plan = Plan(
        folder=options.folder,
        command=command,
        communities=asked.lists.communities,
        media=options.media,
        images=ImagePolicy(max_side=options.max_side),
        processes=options.workers,
        find_another={"flickr_photo": OtherSize(asked.key)},
        hopeless=() if asked.key is not None else (NEEDS_KEY,),
        shown_as="{}",
        generated=sandbox is not None,
    )
    return await crawl(plan, client_for(sandbox, options.honour_noai), make_source(asked))


if __name__ == "__main__":
    sys.exit(main())
