"""Collect subreddits' posts and their images into a crawl store.

    python -m collectors.reddit --subs happy creepy rage gore
    python -m collectors.reddit --subs happy creepy rage gore --sandbox        (no keys, no network)
    python -m collectors.reddit --subs happy --source archive --min-ups 100    (the archive, no keys)
    python -m collectors.reddit --subs happy --source dump --path happy_submissions.zst
    python -m collectors.reddit --subs happy creepy rage gore --source index --path LISTS/

The command can be stopped or killed at any moment: the same command resumes the crawl.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import os
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import OmitArgPrefixes, arg

from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.engine.choice import EngineChoice
from affectory.core.errors import InputError, meant
from affectory.core.numbers import count
from affectory.core.output import tell, wanted
from affectory.core.progress import Steps
from collectors.crawl.options import CrawlOptions, Runner, at_least_1, files
from collectors.reddit.api import NO_CREDENTIALS, has_credentials
from collectors.reddit.names import LISTINGS, subreddit_names
from collectors.reddit.sources import AUTO, SOURCES, TOP, RedditSource, choose, make_source

if TYPE_CHECKING:
    from collectors.crawl.dry_run import Planned
    from collectors.crawl.summary import Summary

Window = Literal["all", "year", "month", "week", "day", "hour"]
_SECONDS = {"year": 365 * 86400, "month": 30 * 86400, "week": 7 * 86400, "day": 86400, "hour": 3600}

#: Rows that can't be read which the summary lists, of each reason.
REJECTED_SHOWN = 5

_NAMES = ",".join([AUTO, *SOURCES])
_SOURCES = "auto: oauth if there are credentials, else archive; " + "; ".join(
    f"{name}: {source.does}" for name, source in SOURCES.items()
)
_WITH_FILES = [name for name, source in SOURCES.items() if source.suffixes]
_UNLIMITED = ["--min-ups", "--shard"]
_UNLIMITED += [f"--source {name}" for name, source in SOURCES.items() if source.limit is None]

#: The options that `--help` shows.
FIRST = ("source", "limit", "store", "sandbox")


@dataclass(frozen=True)
class Options:
    """Collect subreddits' posts and their images into a crawl store.

    The command can be stopped at any moment: the same command resumes the crawl. A rerun retries only those
    images that failed for a temporary reason.
    """

    subs: Annotated[tuple[str, ...], arg(metavar="NAME …")]
    """Subreddits, for example: --subs happy creepy rage gore"""

    source: Annotated[str, arg(metavar=f"{{{_NAMES}}}", help=f"Where posts come from. {_SOURCES}.")] = AUTO

    path: Annotated[
        tuple[Path, ...],
        arg(
            metavar="FILE_OR_FOLDER …",
            help=f"Files or folders to read ({', '.join(_WITH_FILES)}).",
            help_behavior_hint="",
        ),
    ] = ()

    limit: Annotated[
        int | None,
        arg(
            metavar="N",
            help_behavior_hint=f"(default: {TOP}; all with {' or '.join(_UNLIMITED)})",
        ),
    ] = None
    """Maximum number of posts per subreddit, those with the highest score first."""

    min_ups: Annotated[int | None, arg(metavar="N", help_behavior_hint="(default: any)")] = None
    """Minimum number of upvotes of a post. With oauth, looks beyond the 1,000 posts that a listing shows."""

    time: Window = "all"
    """Only posts of the last hour, day, week, month or year."""

    engine: Literal["local", "ray"] = "local"
    """Read dumps on this machine, or on Ray: several files at once."""

    address: Annotated[str | None, arg(metavar="HOST:PORT", help_behavior_hint="")] = None
    """The head of a Ray cluster. Without it, --engine ray starts Ray on this machine."""

    crawl: OmitArgPrefixes[CrawlOptions] = field(default_factory=CrawlOptions)

    @property
    def folder(self) -> Path:
        """The store's folder."""
        return self.crawl.store or Path("data", "sandbox" if self.crawl.sandboxed else "reddit")


def main(arguments: list[str] | None = None, *, prog: str = "python -m collectors.reddit") -> int:
    """Run the command with these arguments (default: those of the process); return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    command = " ".join([prog, *given])
    return finish(lambda: _run(read_options(Options, given, prog, __doc__, FIRST, has_dry_run=True), command))


def _run(options: Options, command: str) -> object:
    return planned(options) if wanted().dry_run else run(options, command)


def planned(options: Options) -> Planned:
    """Return what `run` would do. Raises the same `AffectoryError` for options that can't be used."""
    from collectors.crawl.dry_run import Planned

    subs = subreddits(options)
    paths = check(options)
    name, why = choose() if options.source == AUTO else (options.source, "")
    source = SOURCES[name]
    if paths:
        why = f"{count(len(paths), 'file')}, {sum(path.stat().st_size for path in paths) / 1e6:,.1f} MB"
    return Planned.of(
        options.folder,
        f"{name}: {why or source.does}",
        source.requests,
        dict.fromkeys(subs, limit(options, source)),
        shown_as="r/{}",
        media=options.crawl.media,
    )


def run(options: Options, command: str, runner: Runner | None = None) -> Summary:
    """Collect what the options ask for; return the summary. `command` is noted in the store.

    Raises `AffectoryError`. `runner`: how the crawl is run (default: as a command).
    """
    subs = subreddits(options)
    paths = check(options)
    if options.source == AUTO:
        name, why = choose()
        tell(f"source  {name}: {why}")
        options = replace(options, source=name)
    with Steps("loading"):
        from collectors.crawl.crawl import run_command  # aiohttp and Pillow: not for --help

    return (runner or run_command)(lambda: collect(options, subs, paths, command))


def subreddits(options: Options) -> list[str]:
    """Return the subreddits' names in lower case without repeats. Raises `InputError`."""
    subs = subreddit_names(options.subs)
    if not subs:
        raise InputError("--subs is empty: name at least one subreddit, as in --subs happy creepy")
    return subs


def check(options: Options) -> list[Path]:
    """Return the files that the source reads. Raises `InputError` for an option that can't be used."""
    at_least_1("--limit", options.limit)
    options.crawl.check()
    EngineChoice(options.engine, options.address).check()
    if options.source not in (AUTO, *SOURCES):
        known = meant(options.source, [AUTO, *SOURCES])
        raise InputError(f"there is no --source {options.source!r}; {known}")
    source = SOURCES[choose()[0] if options.source == AUTO else options.source]
    if options.engine == "ray" and not source.on_engine:
        names = " or ".join(name for name, one in SOURCES.items() if one.on_engine)
        raise InputError(f"--engine ray reads files of submissions: use it with --source {names}")
    listings = [name for name in subreddits(options) if name in LISTINGS]
    if listings and source.login != "always":
        raise InputError(
            f"--subs {listings[0]} is a listing of Reddit's, not a subreddit: use --source oauth, or name "
            "the subreddits"
        )
    shard = options.crawl.part
    if not shard.is_all and not source.suffixes:
        names = " or ".join(_WITH_FILES)
        raise InputError(
            f"--shard {shard} divides files of posts (--source {names}), not whole subreddits: give each run "
            "other --subs instead"
        )
    if not shard.is_all and options.limit is not None:
        raise InputError(
            f"--limit {options.limit} can't be combined with --shard {shard}, which doesn't know the others' "
            "scores: leave it out, or use --min-ups"
        )
    if options.path and not source.suffixes:
        names = " or ".join(name for name, one in SOURCES.items() if one.suffixes)
        raise InputError(f"--path can be used with --source {names}, not with {options.source}")
    if source.suffixes and not options.path:
        raise InputError(f"--source {options.source} needs --path FILE_OR_FOLDER")
    paths = files("--path", options.path, source.suffixes)
    if source.login == "always" and not (options.crawl.sandboxed or has_credentials()):
        raise InputError(NO_CREDENTIALS)
    return paths


def limit(options: Options, source: RedditSource) -> int | None:
    """Return the most posts of a subreddit, those with the highest score; None for all."""
    is_limited = options.min_ups is None and options.crawl.part.is_all
    return source.limit if options.limit is None and is_limited else options.limit


async def collect(options: Options, subs: list[str], paths: list[Path], command: str) -> Summary:
    """Run the crawl that the options describe, with a source of `SOURCES`; return its `Summary`."""
    from collectors.crawl.crawl import crawl

    source = SOURCES[options.source]
    with options.crawl.sandbox_address() as sandbox:
        plan = replace(
            options.crawl.plan(options.folder, command, subs),
            limit=limit(options, source),
            min_ups=options.min_ups,
            since=int(time.time()) - _SECONDS[options.time] if options.time != "all" else None,
            imgur_client_id="sandbox" if sandbox else os.environ.get("IMGUR_CLIENT_ID", "").strip() or None,
            shown_as="r/{}",
            rejected_shown=REJECTED_SHOWN,
        )
        engine = EngineChoice(options.engine, options.address)
        make = make_source(source, plan, paths, options.time, sandbox, engine)
        return await crawl(plan, options.crawl.client(sandbox), make)


if __name__ == "__main__":
    sys.exit(main())
