"""The options that all commands which crawl a site share, and the checks of options and files.

A site's own options come first; it holds these in a field `crawl: OmitArgPrefixes[CrawlOptions]`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from tyro.conf import FlagCreatePairsOff, arg

from affectory.core.errors import InputError
from collectors.crawl.shard import Shard

if TYPE_CHECKING:
    from collectors.crawl.crawl import Plan
    from collectors.crawl.summary import Summary
    from collectors.http.client import Client

#: Runs a crawl to its end: `run_command` or `run_in_thread` of `collectors.crawl.crawl`.
Runner: TypeAlias = "Callable[[Callable[[], Awaitable[Summary]]], Summary]"


@dataclass(frozen=True)
class CrawlOptions:
    """Where posts and images go, and how images are fetched."""

    store: Annotated[
        Path | None,
        arg(metavar="DIR", help_behavior_hint="(default: data/SITE; data/sandbox… with --sandbox)"),
    ] = None
    """The crawl store's folder."""

    media: bool = True
    """Fetch the images; --no-media keeps their links for a later run."""

    max_side: Annotated[
        int | None, arg(metavar="PIXELS", help_behavior_hint="(default: keep the original bytes)")
    ] = None
    """Keep larger images as JPEGs whose longer side has this length."""

    honour_robots: bool = True
    """Leave out images that may not be used for AI: by robots.txt, X-Robots-Tag (noai, noimageai, noml),
    tdm-reservation or Content-Usage (train-ai=n)."""

    shard: Annotated[str | None, arg(metavar="I/N", help_behavior_hint="(default: all posts)")] = None
    """Of lists, vote tables and dumps only part I of N, by the posts' ids. affectory merge joins
    the stores."""

    workers: Annotated[int, arg(metavar="N")] = min(4, os.cpu_count() or 1)
    """Number of processes that decode images, and that read several large dumps."""

    new_author_key: FlagCreatePairsOff[bool] = False
    """Make a new author.key if the store's is lost or damaged. The same author then has another hash in new
    posts than in earlier ones."""

    sandbox: FlagCreatePairsOff[bool] = False
    """Collect from a stand-in on this machine instead of the site: generated posts, no keys, no network."""

    sandbox_url: Annotated[str | None, arg(metavar="URL", help_behavior_hint="")] = None
    """A sandbox that is already running (affectory sandbox), instead of a new one."""

    @property
    def sandboxed(self) -> bool:
        """Whether a sandbox stands in for the site."""
        return self.sandbox or self.sandbox_url is not None

    @property
    def part(self) -> Shard:
        """The part of all posts that is collected. Raises `InputError`."""
        return Shard() if self.shard is None else Shard.parse(self.shard)

    def check(self) -> None:
        """Raise `InputError` for a value that can't be used."""
        at_least_1("--max-side", self.max_side)
        at_least_1("--workers", self.workers)
        if self.shard is not None:
            Shard.parse(self.shard)

    @contextmanager
    def sandbox_address(self) -> Iterator[str | None]:
        """Yield the address of the sandbox, which is started if needed; None without one."""
        if self.sandbox_url is not None or not self.sandbox:
            yield self.sandbox_url
            return
        from collectors.sandbox import running

        with running() as address:
            yield address

    def plan(self, folder: Path, command: str, communities: Sequence[str]) -> Plan:
        """Return the plan of a crawl with these options; a site replaces what else it needs."""
        from collectors.crawl.crawl import Plan
        from collectors.crawl.decode import ImagePolicy

        return Plan(
            folder,
            command,
            communities,
            media=self.media,
            images=ImagePolicy(max_side=self.max_side),
            processes=self.workers,
            shard=self.part,
            generated=self.sandboxed,
            new_author_key=self.new_author_key,
        )

    def client(self, sandbox: str | None) -> Client:
        """Return the HTTP client of a crawl, given the sandbox's address if there is one."""
        from collectors.http.client import client_for
        from collectors.sites import budgets

        return client_for(sandbox, self.honour_robots, budgets())


def at_least_1(flag: str, value: int | None) -> None:
    """Raise `InputError` for a number below 1."""
    if value is not None and value < 1:
        raise InputError(f"{flag} {value} is below 1")


def files(flag: str, paths: Sequence[Path], suffixes: Sequence[str]) -> list[Path]:
    """Return the files that a flag names, and of a folder those with these suffixes, sorted by name.

    Raises `InputError` for a path that doesn't exist and a folder without such a file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes)
            if not inside:
                *others, last = suffixes
                kinds = f"{', '.join(others)} or {last}" if others else last
                raise InputError(f"{flag} {str(path)!r} holds no {kinds} file")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"{flag} {str(path)!r} doesn't exist")
    return found
