"""Reddit's sources that read files, run to their end."""

import asyncio
import os
from contextlib import AsyncExitStack

from collectors.crawl.source import Failure, Page
from collectors.http.client import client_for
from collectors.reddit.__main__ import main
from collectors.reddit.api import connect
from collectors.reddit.arctic_shift import ArcticShift
from collectors.reddit.dump import Dump
from collectors.reddit.index import Index
from collectors.reddit.json_lines import blocks

KEY = b"k" * 32
HEADER = "id,name,url,ups,downs,created_utc,title,permalink,subreddit,num_comments,author\n"


def gather(make):
    """Run a source made by `make(stack)` to its end; return its pages and failures."""

    async def run():
        async with AsyncExitStack() as stack:
            source = await make(stack)
            return [page async for page in source.pages()]

    found = asyncio.run(run())
    return [p for p in found if isinstance(p, Page)], [p for p in found if isinstance(p, Failure)]


def posts_of(pages):
    return [post for page in pages for post in page.posts]


def lines(path, **options):
    """Return a file's lines that aren't blank, with their numbers and without their ends."""
    found = [one for first, block in blocks(path, **options) for one in enumerate(block, first)]
    return [(number, line and line.strip()) for number, line in found if line is None or line.strip()]


def no_cursor(walk):
    return None


def dump(paths, subs, noted=None, **options):
    async def make(stack):
        return Dump(paths, subs, KEY, "scope", ([] if noted is None else noted).extend, **options)

    return gather(make)


def index(paths, subs, base=None, *, keyless=False, held=()):
    async def make(stack):
        client = await stack.enter_async_context(client_for(base, True))
        api = await stack.enter_async_context(connect(base)) if base and not keyless else None
        by_id = {post.post_id: post for post in held}

        def of_store(ids):
            return {post_id: by_id[post_id] for post_id in ids if post_id in by_id}

        return Index(paths, subs, KEY, "scope", ArcticShift(client), of_store, api)

    return gather(make)


def oauth(sandbox):
    return ["--source", "oauth", "--sandbox-url", sandbox]


def without_credentials(monkeypatch, tmp_path):
    """Leave the machine's credentials out, and work in the test's folder."""
    for name in [name for name in os.environ if name.startswith("praw_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


def run(capsys, *arguments):
    """Type the command; return its exit code, output and errors."""
    code = main([str(a) for a in arguments])
    return code, *capsys.readouterr()
