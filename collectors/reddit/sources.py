"""The table of Reddit sources, and how the one that was asked for is built.

A new source is a file with a function `make(asked)`, and a line here. Modules are named by dotted paths, so
that only the source that was asked for is imported.
"""

from __future__ import annotations

import pkgutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from affectory.core.engine.choice import LOCAL, EngineChoice
from collectors.reddit.api import RedditApi, connect, has_credentials

if TYPE_CHECKING:
    from collectors.crawl.crawl import MakeSource, Plan
    from collectors.crawl.source import Source
    from collectors.http.client import Client
    from collectors.store import Store
    from collectors.store.record import Post

#: The paper took the 1,000 best-scored posts of each subreddit (Duong et al. 2017, section 5.2).
TOP = 1000


@dataclass(frozen=True, slots=True)
class RedditSource:
    """A source of Reddit's posts: `make` is the function that builds it, `does` its line of help.

    With `suffixes` it reads files with these endings, which `--path` names. `login` says whether it uses
    Reddit's API: always, if the user has credentials, or never; the sandbox changes nothing about that, but
    accepts a login without any. `limit` is the default of `--limit`. `on_engine`: `--engine` can read it.
    `requests` says what its posts cost.
    """

    make: str
    does: str
    suffixes: tuple[str, ...] = ()
    login: Literal["always", "if possible", "never"] = "never"
    limit: int | None = TOP
    on_engine: bool = False
    requests: str = "not known before they are made"


#: By the name that `--source` takes.
SOURCES: dict[str, RedditSource] = {
    "oauth": RedditSource(
        "collectors.reddit.listings:make",
        "Reddit's API, with credentials in praw.ini or the environment",
        requests="100 posts each: at most 10 a subreddit; about 100 with --min-ups",
        login="always",
    ),
    "archive": RedditSource(
        "collectors.reddit.archive:make",
        "the public Arctic Shift archive, no credentials",
        requests="100 posts each, from a subreddit's oldest post to its newest, whatever the limit",
        login="if possible",
    ),
    "dump": RedditSource(
        "collectors.reddit.dump:make",
        "files of raw submissions, one a line, packed (.zst, .gz, .xz) or not",
        requests="none for posts: files are read",
        suffixes=(".zst", ".gz", ".xz", ".jsonl", ".ndjson", ".json"),
        on_engine=True,
    ),
    "index": RedditSource(
        "collectors.reddit.index:make",
        "published lists, CSV tables or files of ids (posts by id: Reddit's API, else the archive)",
        requests="100 ids each, where a file has ids alone",
        suffixes=(".csv", ".txt"),
        login="if possible",
        limit=None,
    ),
}


#: The name of `--source` that chooses: what it means here is said in one line.
AUTO = "auto"


def choose() -> tuple[str, str]:
    """Return the source that `auto` means on this machine, and why."""
    where = "praw.ini or the environment"
    if has_credentials():
        return "oauth", f"there are credentials of a Reddit app in {where}"
    return "archive", (
        f"no credentials of a Reddit app in {where}; scores and deletions are those that Arctic Shift has "
        "seen"
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a source is built from: what was asked for, and the resources of the crawl.

    `key` hashes authors' names, `resume` returns a walk's position from an earlier run, `stored` how many
    posts of a community the store has by year, `held` those of some posts that it has, `note_dumps` adds to
    the store's list of dump files, `api` is None without a login, and `engine` reads files of submissions.
    """

    plan: Plan
    files: Sequence[Path]
    window: str
    client: Client
    api: RedditApi | None
    key: bytes
    resume: Callable[[str], str | None]
    stored: Callable[[str, int], Counter[int | None]]
    held: Callable[[Sequence[str]], Mapping[str, Post]]
    note_dumps: Callable[[Iterable[tuple[str, str, str]]], None]
    engine: EngineChoice

    @property
    def beyond_top(self) -> bool:
        """Whether to look beyond the 1,000 posts that a listing shows."""
        return self.plan.min_ups is not None

    @property
    def scope(self) -> str:
        """What distinguishes this walk over a subreddit from those with other limits."""
        return f"{self.plan.limit}:{self.plan.min_ups}:{self.window}"


def make_source(
    source: RedditSource,
    plan: Plan,
    files: Sequence[Path],
    window: str,
    sandbox: str | None,
    engine: EngineChoice = LOCAL,
) -> MakeSource:
    """Return the function that builds the source; `sandbox` is the address of the sandbox, if any."""

    async def make(store: Store, client: Client, stack: AsyncExitStack) -> Source:
        api: RedditApi | None = None
        if source.login == "always" or (source.login == "if possible" and has_credentials()):
            api = await stack.enter_async_context(connect(sandbox))
        asked = Asked(
            plan,
            files,
            window,
            client,
            api,
            store.author_key(),
            store.cursor,
            store.by_year,
            store.posts,
            store.add_dumps,
            engine,
        )
        built: Source = pkgutil.resolve_name(source.make)(asked)
        return built

    return make
