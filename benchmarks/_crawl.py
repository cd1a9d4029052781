"""Crawl the benchmark's pictures with the real collector, in a separate process.

    python -c "from benchmarks import _crawl; _crawl.main()" JOB

with, for example, '{"folder": "/tmp/s", "hosts": {"a.example": ["http://127.0.0.1:8300", 300]}}' as the job.

It prints one line of JSON: the seconds of the crawl without the start of the interpreter, the processor time
of its main process and of its workers, the images a second from the first stored one to the last, and the
number of images by outcome. `https://HOST/17.jpg` is requested from HOST's sandbox as `bench.example/17.jpg`.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from benchmarks._measure import processor_times
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
    stop_after: float | None = None  # seconds


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


def _post(host: str, number: int, community: str = COMMUNITY) -> Post:
    picture = Media(f"https://{host}/{number}.jpg", 0, "image")
    return Post(f"bench:{host}:{number}", "bench", community, f"Picture {number}", media=(picture,))


def fill(folder: Path, host: str, community: str, count: int) -> None:
    """Make a store of posts whose pictures are pending."""
    with Store.open(folder) as store:
        for first in range(0, count, 1000):
            store.add(_post(host, i, community) for i in range(first, min(first + 1000, count)))


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
    began, started, cpu = time.perf_counter(), time.time(), time.process_time()
    if job.stop_after and (task := asyncio.current_task()):
        asyncio.get_running_loop().call_later(job.stop_after, task.cancel)
    of_workers: dict[int, float] = {}
    watching = asyncio.create_task(_watch(of_workers))
    summary = await crawl(plan, client, make_source)
    watching.cancel()
    seconds = time.perf_counter() - began
    outcomes = {reason or status: n for (status, reason), n in sorted(summary.media.items(), key=str)}
    cpu = time.process_time() - cpu
    hosts, rate = _hosts(plan.folder, started), _rate(plan.folder)
    workers = sum(of_workers.values())
    return {
        "seconds": seconds,
        "cpu": cpu,
        "workers_cpu": workers,
        "rate": rate,
        "images": outcomes,
        "hosts": hosts,
    }


async def _watch(times: dict[int, float]) -> None:
    """Note the workers' processor time, which the system forgets when they end, twenty times a second."""
    while True:
        times |= processor_times([child.pid for child in multiprocessing.active_children() if child.pid])
        await asyncio.sleep(0.05)


def _hosts(folder: Path, started: float) -> dict[str, float]:
    """Return the second of the crawl in which each host's last image was settled, to the second."""
    with closing(sqlite3.connect(folder / "crawl.sqlite")) as db:
        found = db.execute("select host, max(fetched_at) from media where fetched_at is not null group by 1")
        return {host: last + 1 - started for host, last in found}


def _rate(folder: Path) -> float | None:
    """Return the images a second between the first stored one and the last, to the second."""
    with closing(sqlite3.connect(folder / "crawl.sqlite")) as db:
        first, last, stored = db.execute(
            "select min(fetched_at), max(fetched_at), count(*) from media where status = 'stored'"
        ).fetchone()
    return stored / (last - first + 1) if stored else None


def main() -> None:
    """Crawl what the first argument says. Start it with -c: workers would import again what -m starts."""
    print(json.dumps(asyncio.run(work(msgspec.json.decode(sys.argv[1], type=Job)))))
