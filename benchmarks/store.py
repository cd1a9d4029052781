"""Measure what a large crawl store costs a crawl.

    uv run python -m benchmarks.store                      # 100,000 posts: two minutes
    uv run python -m benchmarks.store --posts 20000

`first`   posts come into the store for the first time
`rerun`   the same posts again, which the store knows
`look`    one look for the hosts with pending images, which a crawl makes up to twice a second: for all
          communities of the store, and for one of two

The posts have a text of 300 characters and a pending image each. They are made before the clock starts, and
no image is fetched. CPU seconds say more than seconds if other programs are at work.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks._measure import machine, middle, show
from collectors.crawl.crawl import Plan, crawl
from collectors.crawl.source import Failure, Page
from collectors.http.client import Client
from collectors.store import Store
from collectors.store.record import Media, Post

COMMUNITIES = ("other", "asked")
PAGE = 100
HOSTS = 50


@dataclass(frozen=True, slots=True)
class Posts:
    """A source of posts, a hundred at a time."""

    posts: Sequence[Post]

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Yield the posts of each community, as one walk."""
        for name in COMMUNITIES:
            posts = [post for post in self.posts if post.community == name]
            for first in range(0, len(posts), PAGE):
                last = first + PAGE >= len(posts)
                yield Page(name, f"bench:{name}", posts[first : first + PAGE], cursor=str(first), last=last)


def _post(number: int, count: int) -> Post:
    name = f"{number * 7919 % count:07}"  # not in the order of their ids
    image = Media(f"https://host{number % HOSTS}.example/{name}.jpg", 0, "image")
    return Post(
        f"reddit:{name}",
        "reddit",
        COMMUNITIES[2 * number >= count],
        f"Picture {name}",
        body="some words " * 27,
        author="0" * 32,
        created_at=1_500_000_000 + number,
        score=number,
        num_comments=number % 50,
        permalink=f"https://www.reddit.com/r/x/comments/{name}/",
        over_18=False,
        media=(image,),
        collected_at=1_700_000_000,
    )


@dataclass(frozen=True, slots=True)
class Cost:
    """The seconds that something took, and those of the processor."""

    seconds: float
    cpu: float


def cost(work: Callable[[], object]) -> Cost:
    """Do the work and return its cost."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - began, time.process_time() - cpu)


def crawled(folder: Path, posts: Sequence[Post]) -> None:
    """Crawl the posts without their images."""

    async def make_source(store: Store, client: Client, stack: AsyncExitStack) -> Posts:
        return Posts(posts)

    asyncio.run(crawl(Plan(folder, "benchmark", COMMUNITIES, media=False), Client(), make_source))


def main(posts: int = 100_000, turns: int = 5) -> None:
    """Measure a rerun over known posts, and the looks for pending images."""
    print(machine())
    made = [_post(number, posts) for number in range(posts)]
    with tempfile.TemporaryDirectory(prefix="affectory-bench-") as name:
        folder = Path(name) / "store"
        found = [("first", [cost(lambda: crawled(folder, made))])]
        found.append(("rerun", [cost(lambda: crawled(folder, made)) for _ in range(3)]))
        with Store.open(folder) as store:
            for what, asked in (("look, all posts", COMMUNITIES), ("look, half of them", COMMUNITIES[1:])):
                found.append((what, [cost(lambda: store.pending_hosts(asked)) for _ in range(turns)]))  # noqa: B023
    rows: list[Sequence[object]] = [
        [what, *(f"{middle([getattr(one, kind) for one in costs]):.2f}" for kind in ("seconds", "cpu"))]
        for what, costs in found
    ]
    columns = ["", "seconds", "CPU seconds"]
    show(f"a store of {posts:,} posts with a pending image each; medians", columns, rows)


if __name__ == "__main__":
    tyro.cli(main, prog="python -m benchmarks.store")
