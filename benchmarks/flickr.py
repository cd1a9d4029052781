"""Kill a Flickr crawl repeatedly, and compare its calls with the hourly limit.

    uv run python -m benchmarks.flickr --photos 5000 --kills 10

First a crawl of the sandbox (faults on 1% of the addresses) is killed with SIGKILL at random instants,
started again, and finally run to its end. Its store must equal that of an uninterrupted crawl, and no photo
or image that was in the store at a kill may be requested again. Then the same crawl runs with a simulated
clock and restarts: no hour may have more than 3,600 calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from benchmarks._measure import machine
from benchmarks.crash import contents, requests_by_path, stored_paths
from collectors.crawl.crawl import Plan, crawl
from collectors.flickr.api import HOUR, REST
from collectors.flickr.lists import Lists
from collectors.flickr.sources import Asked, make_source
from collectors.flickr.votes import read_votes
from collectors.http.client import Client, client_for
from collectors.http.quota import Quota
from collectors.http.rates import Budget
from collectors.sandbox import running
from collectors.sandbox.own_lists import fetch_lists

#: 1% in all: each of these strikes every 500th address once.
FAULTS = ("429=0.002", "500=0.002", "reset=0.002", "truncated=0.002", "flickr_down=0.002")
INFO = "/api.flickr.com/services/rest/ flickr.photos.getInfo"


@dataclass(frozen=True)
class Killed:
    """What a killed crawl came to, beside an undisturbed one."""

    posts: int
    images: int
    differences: list[str]
    asked_again: int
    fetched_again: int
    answered_at_kills: list[int]
    seconds: float


@dataclass(frozen=True)
class Metered:
    """What a crawl asked under a simulated clock."""

    posts: int
    calls: int
    most_in_an_hour: int
    hours: float


def start(base: str, store: Path) -> subprocess.Popen[bytes]:
    """Start a collector on a store."""
    command = [sys.executable, "-m", "collectors.flickr", "--sandbox-url", base, "--store", str(store)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(base: str, store: Path) -> None:
    """Run a collector to its end."""
    process = start(base, store)
    _, errors = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(errors.decode())


def answered(store: Path) -> set[str]:
    """Return the ids of the photos that a store has Flickr's answer for."""
    if not (store / "crawl.sqlite").exists():
        return set()
    db = sqlite3.connect(store / "crawl.sqlite", timeout=30)
    try:
        found = db.execute("select post_id from posts where licence is not null or removed is not null")
        return {post_id.removeprefix("flickr:") for (post_id,) in found.fetchall()}
    except sqlite3.OperationalError:  # killed before the tables were there
        return set()
    finally:
        db.close()


def killed(photos: int, kills: int, seed: int, folder: Path) -> Killed:
    """Crawl undisturbed, then with kills; return how they compare."""
    began, rng = time.monotonic(), random.Random(seed)
    calm, torn = folder / "calm", folder / "torn"
    for store in (calm, torn):  # the same key, or the owners' hashes would differ
        store.mkdir()
        (store / "author.key").write_bytes(b"k" * 32)
    with running(posts=photos, faults=FAULTS) as base:
        finish(base, calm)
        span = time.monotonic() - began
    asked_when_known: dict[str, int] = {}
    answered_at_kills: list[int] = []
    with running(posts=photos, faults=FAULTS) as base:
        for _ in range(kills):
            before = sum(requests_by_path(base).values())
            process = start(base, torn)
            while process.poll() is None and sum(requests_by_path(base).values()) == before:
                time.sleep(0.02)  # the start of the interpreter is no work that could be lost
            time.sleep(rng.uniform(0.1, max(1.2, 1.6 * span / kills)))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            known, counts = answered(torn), requests_by_path(base)
            answered_at_kills.append(len(known))
            for name in {f"{INFO} {photo_id}" for photo_id in known} | stored_paths(torn):
                asked_when_known.setdefault(name, counts.get(name, 0))
        finish(base, torn)
        after = requests_by_path(base)
    again = {name: after.get(name, 0) - n for name, n in asked_when_known.items()}
    ours, theirs = contents(torn), contents(calm)
    return Killed(
        posts=len(ours["posts"]),
        images=len(ours["files"]),
        differences=[f"{table}: {row}" for table in theirs for row in set(ours[table]) ^ set(theirs[table])],
        asked_again=sum(n for name, n in again.items() if name.startswith(INFO)),
        fetched_again=sum(n for name, n in again.items() if not name.startswith(INFO)),
        answered_at_kills=answered_at_kills,
        seconds=time.monotonic() - began,
    )


@dataclass(slots=True)
class SimulatedClock:
    """Time that passes when somebody sleeps."""

    time: float = 1_700_000_000.0

    def now(self) -> float:
        """Return the time in seconds."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds
        await asyncio.sleep(0)


@dataclass(slots=True)
class Meter:
    """A client's way to the sandbox, which notes the moment of each call."""

    base: str
    clock: SimulatedClock
    limit: int | None = None
    times: list[float] = field(default_factory=list)

    def client(self) -> Client:
        """Return a client under the simulated clock that asks faster than the quota allows."""
        client = client_for(self.base, True)
        to_sandbox = client.route
        assert to_sandbox is not None

        def route(url: str) -> str:
            if url.startswith(REST):
                if self.limit is not None and len(self.times) >= self.limit:
                    raise Stopped
                self.times.append(self.clock.time)
            return to_sandbox(url)

        client.route, client.clock = route, self.clock
        client.default_budget = Budget(rate=20, max_rate=20, at_once=4)
        return client


class Stopped(Exception):
    """The crawl is cut short here, in the middle of its calls."""


def metered(photos: int, restarts: int, seed: int, folder: Path, calls: int = 3600) -> Metered:
    """Crawl under a simulated clock at 20 calls a second, cut short and restarted at random calls."""
    rng, store = random.Random(seed), folder / "metered"
    with running(posts=photos, faults=FAULTS) as base:
        lists = read_votes(fetch_lists(base, folder / "lists"))
        meter = Meter(base, SimulatedClock())
        for limit in [*sorted(rng.sample(range(1, photos), restarts)), None]:
            meter.limit = limit
            _crawl(meter, store, lists, calls)
    return Metered(
        posts=len(answered(store)),
        calls=len(meter.times),
        most_in_an_hour=most_in_any(meter.times, HOUR),
        hours=(meter.times[-1] - meter.times[0]) / HOUR,
    )


def _crawl(meter: Meter, store: Path, lists: Lists, calls: int) -> None:
    """Run one crawl in this process, until its end or the meter's limit."""

    def quota(folder: Path) -> Quota:
        return Quota(folder / "flickr.calls", calls, HOUR, now=meter.clock.now)

    plan = Plan(store, "benchmark", lists.communities, media=False, shown_as="{}")
    asked = Asked(lists, key="sandbox", quota=quota)
    with contextlib.suppress(Stopped):
        asyncio.run(crawl(plan, meter.client(), make_source(asked)))


def most_in_any(times: Sequence[float], seconds: float) -> int:
    """Return how many moments the fullest span of so many seconds holds."""
    times = sorted(times)
    most, first = 0, 0
    for last, moment in enumerate(times):
        while moment - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def main(photos: int = 5000, kills: int = 10, seed: int = 0) -> int:
    """Kill a Flickr crawl `kills` times, then run it under a simulated clock with as many restarts."""
    folder = Path(tempfile.mkdtemp())
    try:
        torn = killed(photos, kills, seed, folder)
        timed = metered(photos, kills, seed, folder)
    finally:
        shutil.rmtree(folder)
    print(machine())
    print(f"killed {kills} times, with {torn.answered_at_kills} photos answered at the kills")
    print(f"then {torn.posts:,} posts, {torn.images:,} image files ({torn.seconds:.0f} s in all)")
    print(f"differences to an undisturbed crawl: {len(torn.differences)}")
    print(f"calls for photos that were answered already: {torn.asked_again}")
    print(f"requests for images that were in the store already: {torn.fetched_again}")
    print(f"under a simulated clock, {kills} restarts: {timed.posts:,} photos, {timed.calls:,} calls")
    print(f"in {timed.hours:.2f} hours, at most {timed.most_in_an_hour:,} in any hour")
    for difference in torn.differences[:10]:
        print(f"  {difference}")
    return 1 if torn.differences or torn.asked_again or torn.fetched_again else 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
