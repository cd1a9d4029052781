"""Collect Flickr photos into a crawl store: voted on, found for adjective-noun pairs, or listed by id.

    python -m collectors.flickr --votes agg/*.csv
    python -m collectors.flickr --votes agg/*.csv --no-text                  (images only, no key)
    python -m collectors.flickr --vso 3244ANPs.txt --limit 100
    python -m collectors.flickr --vso 3244ANPs.txt --photos lists/
    python -m collectors.flickr --ids photos.csv
    python -m collectors.flickr --sandbox                                    (no key, no network)

The key of Flickr's API is read from FLICKR_API_KEY. The command can be stopped or killed at any moment: the
same command resumes the crawl, and doesn't repeat calls that Flickr has answered.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import OmitArgPrefixes, arg

from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import InputError
from affectory.core.numbers import count
from affectory.core.output import say, wanted
from affectory.core.progress import Steps, span
from collectors.crawl.options import CrawlOptions, Runner, at_least_1, files

if TYPE_CHECKING:
    from collectors.crawl.dry_run import Planned
    from collectors.crawl.summary import Summary
    from collectors.flickr.sources import Asked
    from collectors.flickr.vso import Pair
    from collectors.store.record import Rejection

NO_KEY = (
    "FLICKR_API_KEY is not set, and titles and descriptions come from Flickr's API. Ask for a key at "
    "https://www.flickr.com/services/api/misc.api_keys.html and export it; or fetch only the images with "
    "--no-text; or try the command without a key: --sandbox"
)

#: Photos per pair in a search by default, and bad rows that are shown one by one.
PER_PAIR, SHOWN = 100, 10

#: The options that `--help` shows.
FIRST = ("votes", "vso", "ids", "store", "sandbox")


@dataclass(frozen=True)
class Options:
    """Collect Flickr photos into a crawl store: voted on, found for adjective-noun pairs, or listed by id.

    The key of Flickr's API is read from FLICKR_API_KEY; it allows 3,600 calls an hour, one per photo. The
    command can be stopped at any moment: the same command resumes the crawl.
    """

    votes: Annotated[tuple[Path, ...], arg(metavar="FILE …", help_behavior_hint="")] = ()
    """Vote tables of You et al. 2016 (or folders of them), one emotion per file, named as amusement_….csv:
    rows of number, url, disagree, agree, without a header. With --sandbox its own tables by default."""

    vso: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """VSO's list of adjective-noun pairs with their sentiment (3244ANPs.txt). Without --photos, Flickr is
    searched for each pair."""

    photos: Annotated[tuple[Path, ...], arg(metavar="FILE …", help_behavior_hint="")] = ()
    """With --vso: lists (or folders of them) of URLs or ids, either rows of pair and photo, or files named
    after their pair."""

    ids: Annotated[tuple[Path, ...], arg(metavar="FILE …", help_behavior_hint="")] = ()
    """Lists of photos (or folders of them): .txt files with an id or URL per line, or .csv tables with the
    column id and optionally url and community."""

    limit: Annotated[
        int | None, arg(metavar="N", help_behavior_hint=f"(default: all; {PER_PAIR} in a search)")
    ] = None
    """Maximum number of photos, the first ones, per emotion, sentiment or list; in a search, per pair."""

    licence: Annotated[tuple[int, ...], arg(metavar="ID …", help_behavior_hint="(default: any)")] = ()
    """In a search: only photos under these Flickr licences, for example 4 5 7 8 9 10."""

    text: bool = True
    """Ask Flickr for title, description, tags and licence; --no-text fetches only the images and needs no
    key."""

    crawl: OmitArgPrefixes[CrawlOptions] = field(default_factory=CrawlOptions)

    @property
    def searches(self) -> bool:
        """Whether Flickr is searched for each pair."""
        return self.vso is not None and not self.photos

    @property
    def folder(self) -> Path:
        """The store's folder."""
        kind = "flickr" if self.vso is None else "vso"
        return self.crawl.store or Path("data", f"sandbox-{kind}" if self.crawl.sandboxed else kind)


def main(arguments: list[str] | None = None, *, prog: str = "python -m collectors.flickr") -> int:
    """Run the command with these arguments (default: those of the process); return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    command = " ".join([prog, *given])
    return finish(lambda: _run(read_options(Options, given, prog, __doc__, FIRST, has_dry_run=True), command))


def _run(options: Options, command: str) -> object:
    return planned(options) if wanted().dry_run else run(options, command)


def planned(options: Options) -> Planned:
    """Return what `run` would do. Raises the same `AffectoryError` for options that can't be used."""
    from collectors.crawl.dry_run import Planned
    from collectors.store.lookup import known

    key = check(options)
    if not (options.votes or options.vso or options.ids):
        raise InputError("--dry-run needs lists: those of the sandbox are fetched from it")
    asked = read(options, key, None)
    listed: dict[str, int | None] = dict(Counter(one.community for one in asked.lists.photos.values()))
    new = len(asked.lists.photos) - known(
        options.folder, {one.post_id for one in asked.lists.photos.values()}
    )
    if asked.pairs:
        source = f"a search for each of {count(len(asked.pairs), 'pair')}, {asked.limit:,} photos each"
        calls = f"{len(asked.pairs):,} or more calls of Flickr's API, and one a photo: 3,600 an hour"
        listed = {pair.name: asked.limit for pair in asked.pairs}
    else:
        source = f"lists of {count(len(asked.lists.photos), 'photo')}, of which {new:,} new"
        calls = (
            f"{count(new, 'call')} of Flickr's API, 3,600 an hour: {span(new)}" if key else "none for texts"
        )
    return Planned.of(options.folder, source, calls, listed, media=options.crawl.media)


def run(options: Options, command: str, runner: Runner | None = None) -> Summary:
    """Collect what the options ask for; return the summary. `command` is noted in the store.

    Raises `AffectoryError`. `runner`: how the crawl is run (default: as a command).
    """
    key = check(options)
    with options.crawl.sandbox_address() as sandbox:
        asked = read(options, key, sandbox)
        with Steps("loading"):
            from collectors.crawl.crawl import run_command  # aiohttp and Pillow: not for --help

        return (runner or run_command)(lambda: collect(options, asked, sandbox, command))


def check(options: Options) -> str | None:
    """Return the API's key, None if there is none and none is needed. Raises `InputError`."""
    _check_lists(options)
    _check_search(options)
    at_least_1("--limit", options.limit)
    options.crawl.check()
    key = "sandbox" if options.crawl.sandboxed else os.environ.get("FLICKR_API_KEY", "").strip()
    if not key and options.text:
        raise InputError(NO_KEY)
    return key or None


def _check_lists(options: Options) -> None:
    """Raise `InputError` unless the options name one kind of lists, or the sandbox has some."""
    if options.votes and options.vso is not None:
        raise InputError("--votes and --vso are two datasets: collect them one after the other")
    if options.ids and (options.votes or options.vso is not None):
        raise InputError("--ids can't be combined with --votes or --vso: collect them one after the other")
    if not (options.votes or options.vso is not None or options.ids or options.crawl.sandboxed):
        raise InputError(
            "name what to collect: --votes FILE …, --vso FILE or --ids FILE …, or try it with --sandbox"
        )
    if options.photos and options.vso is None:
        raise InputError("--photos needs --vso FILE, the pairs and their sentiments")


def _check_search(options: Options) -> None:
    """Raise `InputError` for an option that a search lacks, or that only a search can use."""
    if options.licence and not options.searches:
        raise InputError("--licence needs a search: --vso FILE without --photos")
    if options.searches and not options.crawl.part.is_all:
        raise InputError(
            f"--shard {options.crawl.part} divides lists of photos, and a search has none: leave it out, or "
            "name the photos with --photos"
        )
    if options.searches and not options.text:
        raise InputError("--no-text needs lists of photos: a search is a call of Flickr's API")
    from collectors.flickr.licences import LICENCES

    if unknown := [number for number in options.licence if number not in LICENCES]:
        names = ", ".join(f"{number} {name}" for number, (name, _) in LICENCES.items())
        raise InputError(f"--licence {unknown[0]} is none of Flickr's; there are {names}")


def read(options: Options, key: str | None, sandbox: str | None) -> Asked:
    """Read the lists that the options name, and warn of bad rows. Raises `InputError`."""
    from collectors.flickr.api import quota
    from collectors.flickr.ids import read_ids
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
    _warn(lists.rejected)
    if options.limit is not None:
        lists.cut(options.limit)
    lists.keep(options.crawl.part)
    return Asked(
        lists=lists,
        pairs=searched,
        limit=options.limit or PER_PAIR,
        licences=options.licence,
        key=key if options.text else None,
        quota=quota if sandbox is None else None,
    )


def _warn(rejected: Sequence[Rejection]) -> None:
    """Print a warning for each of the first rejected rows, and one for the rest."""
    for row in rejected[:SHOWN]:
        say(f"warning: {row.detail}: left out ({row.reason.replace('_', ' ')})")
    if more := rejected[SHOWN:]:
        say(f"warning: and {count(len(more), 'more row like these', 'more rows like these')}")


async def collect(options: Options, asked: Asked, sandbox: str | None, command: str) -> Summary:
    """Run the crawl that the options describe; return its `Summary`."""
    from collectors.crawl.crawl import crawl
    from collectors.flickr.api import NEEDS_KEY, OtherSize
    from collectors.flickr.sources import make_source

    plan = replace(
        options.crawl.plan(options.folder, command, asked.lists.communities),
        find_another={"flickr_photo": OtherSize(asked.key)},
        hopeless=() if asked.key is not None else (NEEDS_KEY,),
    )
    return await crawl(plan, options.crawl.client(sandbox), make_source(asked))


if __name__ == "__main__":
    sys.exit(main())
