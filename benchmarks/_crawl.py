"""Crawl the benchmark's pictures with the real collector, in a separate process.

    python benchmarks/_crawl.py '{"folder": "/tmp/s", "hosts": {"a.example": ["http://127.0.0.1:8300", 300]}}'

It prints one line of JSON: the seconds of the crawl without the start of the interpreter, and the number of
images by outcome. `https://HOST/17.jpg` is requested from HOST's sandbox as `bench.example/17.jpg`.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from collectors.crawl.crawl import Plan, crawl
from collectors.crawl.decode import ImagePolicy
from collectors.crawl.source import Failure, Page
from collectors.http.client import Client, Limits
from collectors.http.rates import Budget
from collectors.store import Store
from collectors.store.record import Media, Post

COMMUNITY, PAGE = "bench", 100


class Job(msgspec.Struct):
    """What to crawl: a sandbox's address and a number of pictures for each logical host."""

    folder: str
    hosts: dict[str, tuple[str, int]]
    at_once: int | None = None  # None: the collector's own budget, as polite as it is by default
    deadline: float | None = None
    side: int | None = 256
    processes: int = 2


@dataclass(frozen=True, slots=True)
class Pictures:
    """A source of posts with one picture each, host by host."""

    hosts: dict[str, tuple[str, int]]

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Give a hundred posts at a time, as Reddit's listings do."""
        for host, (_, count) in self.hosts.items():
            for first in range(0, count, PAGE):
                posts = [_post(host, i) for i in range(first, min(first + PAGE, count))]
                yield Page(COMMUNITY, f"bench/{host}", posts, cursor=str(first), last=first + PAGE >= count)


def _post(host: str, number: int) -> Post:
    picture = Media(f"https://{host}/{number}.jpg", 0, "image")
    return Post(f"bench:{host}:{number}", "bench", COMMUNITY, f"Picture {number}", media=(picture,))


async def work(job: Job) -> dict[str, object]:
    """Crawl, and return what is to be printed."""

    def route(url: str) -> str:
        parts = urlsplit(url)
        return f"{job.hosts[parts.netloc][0]}/bench.example{parts.path}"

    async def make_source(store: Store, client: Client, stack: AsyncExitStack) -> Pictures:
        return Pictures(job.hosts)

    client = Client(limits=Limits() if job.deadline is None else Limits(deadline=job.deadline), route=route)
    if job.at_once is not None:
        client.default_budget = Budget(rate=1e5, max_rate=1e5, at_once=job.at_once)
    images = ImagePolicy(max_side=job.side)
    plan = Plan(Path(job.folder), "benchmark", [COMMUNITY], images=images, processes=job.processes)
    began, started = time.perf_counter(), time.time()
    summary = await crawl(plan, client, make_source)
    seconds = time.perf_counter() - began
    outcomes = {reason or status: n for (status, reason), n in sorted(summary.media.items(), key=str)}
    return {"seconds": seconds, "images": outcomes, "hosts": _hosts(plan.folder, started)}


def _hosts(folder: Path, started: float) -> dict[str, float]:
    """Return the second of the crawl in which each host's last image was settled, to the second."""
    with closing(sqlite3.connect(folder / "crawl.sqlite")) as db:
        found = db.execute("select host, max(fetched_at) from media group by host")
        return {host: last + 1 - started for host, last in found}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(work(msgspec.json.decode(sys.argv[1], type=Job)))))
