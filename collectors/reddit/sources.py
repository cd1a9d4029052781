"""The four sources behind one command: which one a crawl reads, and what it needs for that."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from collectors.crawl.crawl import MakeSource, Plan
from collectors.crawl.source import Source
from collectors.http.client import Client
from collectors.reddit.api import RedditApi, connect, has_credentials
from collectors.reddit.archive import Archive
from collectors.reddit.dump import Dump
from collectors.reddit.index import Index
from collectors.reddit.listings import Listings
from collectors.store import Store


@dataclass(frozen=True, slots=True)
class Choice:
    """The source that was asked for. `sandbox` is the address of the stand-in, if any."""

    name: Literal["oauth", "archive", "dump", "index"]
    files: Sequence[Path]
    window: str
    beyond_top: bool
    sandbox: str | None


def make_source(choice: Choice, plan: Plan) -> MakeSource:
    """Return what builds the source once the crawl's store and client are there."""

    async def make(store: Store, client: Client, stack: AsyncExitStack) -> Source:
        key, subs = store.author_key(), plan.communities
        scope = f"{plan.limit}:{plan.min_ups}:{choice.window}"
        if choice.name == "dump":
            return Dump(choice.files, subs, key, scope)
        api: RedditApi | None = None
        if choice.name == "oauth" or choice.sandbox is not None or has_credentials():
            api = await stack.enter_async_context(connect(choice.sandbox))
        if choice.name == "archive":
            return Archive(client, subs, key, plan.since, scope, store.cursor, api)
        if choice.name == "index":
            return Index(choice.files, subs, key, scope, api)
        assert api is not None
        return Listings(api, subs, key, plan.limit, choice.window, choice.beyond_top, store.cursor)

    return make
