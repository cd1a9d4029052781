"""Collect subreddits' posts and their images into a crawl store.

    python -m collectors.reddit --subs happy creepy rage gore
    python -m collectors.reddit --subs happy creepy rage gore --sandbox        (no keys, no network)
    python -m collectors.reddit --subs happy --source archive --min-ups 100
    python -m collectors.reddit --subs happy --source dump --path happy_submissions.zst
    python -m collectors.reddit --subs happy creepy rage gore --source index --path LISTS/

It can be stopped at any moment (Ctrl-C, or worse) and started again: it goes on where it stopped.
"""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import FlagCreatePairsOff, arg

from affectory.core.command import finish
from affectory.core.errors import InputError
from collectors.reddit.api import NO_CREDENTIALS, has_credentials

if TYPE_CHECKING:
    from collectors.crawl.summary import Summary

Window = Literal["all", "year", "month", "week", "day", "hour"]
_SECONDS = {"year": 365 * 86400, "month": 30 * 86400, "week": 7 * 86400, "day": 86400, "hour": 3600}
_NAME = re.compile(r"[A-Za-z0-9_]{2,32}")

#: The paper took the 1,000 best-scored posts of each subreddit (Duong et al. 2017, section 4.1).
TOP = 1000


@dataclass(frozen=True)
class Options:
    """Collect subreddits' posts and their images into a crawl store.

    Everything is resumable: stop it at any moment, run the same command again, and it goes on. A rerun
    tries again only the images that failed for a passing reason.
    """

    subs: Annotated[tuple[str, ...], arg(metavar="NAME …")]
    """Subreddits, for example: --subs happy creepy rage gore"""

    source: Literal["oauth", "archive", "dump", "index"] = "oauth"
    """Where posts come from. oauth: Reddit's API, with credentials in praw.ini or the environment;
    archive: the public Arctic Shift archive, no credentials; dump: .zst files of raw submissions;
    index: published lists, CSV tables or files of ids."""

    path: Annotated[tuple[Path, ...], arg(metavar="FILE_OR_FOLDER …", help_behavior_hint="")] = ()
    """Files or folders to read (dump, index)."""

    limit: Annotated[
        int | None,
        arg(metavar="N", help_behavior_hint="(default: 1000; all with --min-ups or --source index)"),
    ] = None
    """At most so many posts a subreddit, the best-scored first."""

    min_ups: Annotated[int | None, arg(metavar="N", help_behavior_hint="(default: any)")] = None
    """Only posts with at least so many upvotes. With oauth, looks beyond the 1,000 that a listing shows."""

    time: Window = "all"
    """Only posts of the last hour, day, week, month or year."""

    store: Annotated[
        Path | None,
        arg(metavar="DIR", help_behavior_hint="(default: data/reddit; data/sandbox with --sandbox)"),
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
    """Ask a stand-in for Reddit and the image hosts on this machine: generated posts, no keys."""

    sandbox_url: Annotated[str | None, arg(metavar="URL", help_behavior_hint="")] = None
    """A sandbox that runs already (python -m collectors.sandbox), instead of one of its own."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m collectors.reddit") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    options = tyro.cli(Options, prog=prog, args=given)
    return finish(lambda: _crawl(options, " ".join([prog, *given])))


def _crawl(options: Options, command: str) -> Summary:
    subs = check(options)
    from collectors.crawl.crawl import run_command  # aiohttp and Pillow: not for --help

    return run_command(lambda: collect(options, subs, command))


def check(options: Options) -> list[str]:
    """Return the subreddits' names in lower case, each once; raise `InputError` for a bad option."""
    subs = list(dict.fromkeys(re.sub(r"^/?r/|/$", "", name).lower() for name in options.subs))
    if not subs:
        raise InputError("--subs is empty: name at least one subreddit, as in --subs happy creepy")
    for name in subs:
        if not _NAME.fullmatch(name):
            raise InputError(f"--subs {name!r} is no subreddit's name: 2 to 32 letters, digits and '_'")
    for flag, value in (("--limit", options.limit), ("--max-side", options.max_side)):
        if value is not None and value < 1:
            raise InputError(f"{flag} {value} is below 1")
    if options.workers < 1:
        raise InputError(f"--workers {options.workers} is below 1")
    if options.path and options.source not in ("dump", "index"):
        raise InputError(f"--path goes with --source dump or index, not {options.source}")
    if options.source in ("dump", "index"):
        files(options)
    if options.source == "oauth" and not (options.sandbox or options.sandbox_url or has_credentials()):
        raise InputError(NO_CREDENTIALS)
    return subs


def files(options: Options) -> list[Path]:
    """Return the files that --path names, folders opened; raise `InputError` where there is none."""
    kind = {"dump": (".zst",), "index": (".csv", ".txt")}[options.source]
    if not options.path:
        raise InputError(f"--source {options.source} needs --path FILE_OR_FOLDER")
    found: list[Path] = []
    for path in options.path:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in kind)
            if not inside:
                raise InputError(f"--path {str(path)!r} holds no {' or '.join(kind)} file")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"--path {str(path)!r} doesn't exist")
    return found


async def collect(options: Options, subs: list[str], command: str) -> Summary:
    """Run the crawl that the options describe; return its `Summary`."""
    from collectors.crawl.crawl import Plan, crawl
    from collectors.crawl.images import ImagePolicy
    from collectors.http.client import client_for
    from collectors.reddit.sources import Choice, make_source
    from collectors.sandbox import running

    with ExitStack() as stack:
        sandbox = options.sandbox_url
        if sandbox is None and options.sandbox:
            sandbox = stack.enter_context(running())
        limit = options.limit
        if limit is None and options.min_ups is None and options.source != "index":
            limit = TOP
        plan = Plan(
            folder=options.store or Path("data/sandbox" if sandbox else "data/reddit"),
            command=command,
            communities=subs,
            media=options.media,
            limit=limit,
            min_ups=options.min_ups,
            since=int(time.time()) - _SECONDS[options.time] if options.time != "all" else None,
            images=ImagePolicy(max_side=options.max_side),
            processes=options.workers,
            imgur_client_id="sandbox" if sandbox else os.environ.get("IMGUR_CLIENT_ID", "").strip() or None,
            generated=sandbox is not None,
        )
        choice = Choice(
            options.source,
            files(options) if options.path else [],
            options.time,
            options.min_ups is not None,
            sandbox,
        )
        return await crawl(plan, client_for(sandbox, options.honour_noai), make_source(choice, plan))


if __name__ == "__main__":
    sys.exit(main())
