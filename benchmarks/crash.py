"""Kill a crawl, build, purge, hydration or training repeatedly, and compare it with an uninterrupted one.

    uv run python -m benchmarks.crash --posts 2000 --kills 20
    uv run python -m benchmarks.crash --stage build --posts 600        (also purge, hydrate, train)

A crawl of the sandbox (with faults) is killed with SIGKILL at random instants, started again, and finally run
to its end. Its store must equal that of an uninterrupted crawl, and no image that was in the store at a kill
may be requested again, as counted by the server.

The other stages work on posts of the sandbox. After each kill no worker process may be running, no file may
be incomplete under its final name, and each version must have the files in its manifest. In the end all files
must equal those of an uninterrupted run, byte by byte except for dates and seconds in results, and no
temporary file may be left.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import tyro

from benchmarks import _stages
from benchmarks._measure import machine
from collectors.sandbox import running

SUBS = ("happy", "creepy", "rage", "gore")
#: As with credentials, whether this machine has any or not.
SOURCE = ("--source", "oauth")
FAULTS = ("429=0.02", "500=0.02", "truncated=0.02", "reset=0.01", "removed=0.03", "html=0.01")


@dataclass(frozen=True)
class Verdict:
    """The result of a killed crawl, compared with an uninterrupted one.

    Of the kills, `early` fell before the crawl had stored anything new; `late` crawls ended before their
    kill. `refetched` counts image requests.
    """

    kills: int
    early: int
    late: int
    posts: int
    images: int
    differences: list[str]
    refetched: int
    stored_at_kills: list[int]
    seconds: float


def start(base: str, store: Path) -> subprocess.Popen[bytes]:
    """Start a collector on a store."""
    command = [sys.executable, "-m", "collectors.reddit", "--subs", *SUBS, *SOURCE, "--sandbox-url", base]
    return subprocess.Popen(
        [*command, "--store", str(store)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(base: str, store: Path) -> None:
    """Run a collector to its end, and again as long as that mends images that failed in passing."""
    before, left = math.inf, math.inf
    while left:
        process = start(base, store)
        _, errors = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(errors.decode())
        before, left = left, _to_be_asked_again(store)
        if left >= before:
            return


def _to_be_asked_again(store: Path) -> int:
    with closing(sqlite3.connect(store / "crawl.sqlite", timeout=30)) as db:
        return int(db.execute("select count(*) from media where retry").fetchone()[0])


def measured(base: str, store: Path) -> float:
    """Run a collector to its end; return its processor time, in seconds."""
    process = start(base, store)
    span = _stages.work_until(process)
    _, errors = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(errors.decode())
    return span


def contents(store: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return what a store holds, without the times at which it came there."""
    with sqlite3.connect(store / "crawl.sqlite") as db:
        posts = db.execute(
            "select post_id, community, title, body, author, created_at, taken, score, num_comments, "
            "permalink, over_18, removed, votes, label, licence, tags, media_key from posts order by 1"
        ).fetchall()
        media = db.execute(
            "select post_id, position, url, kind, status, reason, sha256, mime, width, height, frames, "
            "bytes, claimed_by from media order by 1, 2"
        ).fetchall()
    db.close()
    files = sorted((str(p.relative_to(store)),) for p in (store / "media").rglob("*") if p.is_file())
    return {"posts": posts, "media": media, "files": files}


def requests_by_path(base: str) -> dict[str, int]:
    """Ask the sandbox how often each of its paths was asked for."""
    with urllib.request.urlopen(f"{base}/~stats") as answer:
        counts: dict[str, int] = json.load(answer)["by_path"]
    return counts


def stored_paths(store: Path) -> set[str]:
    """Return the sandbox's paths of the images that a store holds."""
    if not (store / "crawl.sqlite").exists():
        return set()
    with sqlite3.connect(store / "crawl.sqlite", timeout=30) as db:
        try:
            # A preview with `retry` stands for an original that a rerun asks for.
            wanted = "select distinct url from media where status = 'stored' and not retry"
            found = db.execute(wanted).fetchall()
        except sqlite3.OperationalError:  # killed before the tables were there
            found = []
    db.close()
    parts = [urlsplit(url) for (url,) in found]
    return {f"/{p.hostname}{p.path}" for p in parts}


def _rows_in(store: Path) -> tuple[int, int]:
    """Return how many posts a store holds, and how many of its images are not pending any more."""
    if not (store / "crawl.sqlite").exists():
        return 0, 0
    with closing(sqlite3.connect(store / "crawl.sqlite", timeout=30)) as db:
        try:
            posts = db.execute("select count(*) from posts").fetchone()[0]
            return posts, db.execute("select count(*) from media where status != 'pending'").fetchone()[0]
        except sqlite3.OperationalError:  # killed before the tables were there
            return 0, 0


def _empty_store(store: Path) -> Path:
    store.mkdir()  # with the same key each, or the authors' hashes would differ
    (store / "author.key").write_bytes(b"k" * 32)
    return store


def run(posts: int, kills: int, seed: int, folder: Path) -> Verdict:
    """Crawl undisturbed, then with kills; return how they compare."""
    began, rng = time.monotonic(), random.Random(seed)
    calm = _empty_store(folder / "calm")
    with running(posts=posts, faults=FAULTS) as base:
        span = measured(base, calm)
        finish(base, calm)
    theirs, differences = contents(calm), list[str]()
    stored_at_kills: list[int] = []
    early = late = refetched = 0
    while len(stored_at_kills) < kills:  # a crawl that has ended is followed by one of an empty store
        killed = _empty_store(folder / f"killed{late}")
        asked_when_stored: dict[str, int] = {}
        with running(posts=posts, faults=FAULTS) as base:
            while len(stored_at_kills) < kills:
                size = _rows_in(killed)
                process = start(base, killed)
                _stages.work_until(process, rng.uniform(0, span))
                if process.poll() is not None:
                    process.communicate()
                    late += 1
                    break
                process.send_signal(signal.SIGKILL)
                process.communicate()
                early += _rows_in(killed) == size
                stored, counts = stored_paths(killed), requests_by_path(base)
                stored_at_kills.append(len(stored))
                for path in stored - asked_when_stored.keys():
                    asked_when_stored[path] = counts.get(path, 0)
            finish(base, killed)
            after = requests_by_path(base)
        refetched += sum(after.get(path, 0) - n for path, n in asked_when_stored.items())
        ours = contents(killed)
        differences += [
            f"{table}: {row}" for table in theirs for row in set(ours[table]) ^ set(theirs[table])
        ]
    return Verdict(
        kills,
        early,
        late,
        len(ours["posts"]),
        len(ours["files"]),
        differences,
        refetched,
        stored_at_kills,
        time.monotonic() - began,
    )


def main(
    stage: Literal["crawl", "build", "purge", "hydrate", "train"] = "crawl",
    posts: int = 2000,
    kills: int = 20,
    seed: int = 0,
) -> int:
    """Kill a stage again and again, and compare it with an undisturbed one.

    Args:
        stage: What is killed.
        posts: Posts of the sandbox.
        kills: How often.
        seed: Seed of the instants.
    """
    print(machine())
    folder = Path(tempfile.mkdtemp())
    try:
        if stage == "crawl":
            return _report_crawl(run(posts, kills, seed, folder))
        return _report(stage, _stages.kill(_stages.STAGES[stage], posts, kills, seed, folder))
    finally:
        shutil.rmtree(folder)


def _report_crawl(verdict: Verdict) -> int:
    print(
        f"killed {verdict.kills} times: {verdict.early} before anything new was stored; {verdict.late} "
        f"others had ended before their kill; with {verdict.stored_at_kills} images stored at the kills"
    )
    print(f"then {verdict.posts:,} posts, {verdict.images:,} image files ({verdict.seconds:.0f} s in all)")
    print(f"differences to an undisturbed crawl: {len(verdict.differences)}")
    print(f"requests for images that were in the store already: {verdict.refetched}")
    for difference in verdict.differences[:10]:
        print(f"  {difference}")
    return 1 if verdict.differences or verdict.refetched else 0


def _report(stage: str, verdict: _stages.Verdict) -> int:
    print(f"{stage}, undisturbed: {verdict.span:.1f} s of processor time, {verdict.files:,} files changed")
    print(
        f"killed {verdict.kills} times: {verdict.unwritten} before the first file was written, "
        f"{verdict.at_work} at work; {verdict.ended} others had ended before their kill"
    )
    print(f"wrong at a kill: {len(verdict.broken)}")
    for line, times in Counter(verdict.broken).most_common(10):
        print(f"  {line} ({times} times)")
    print(f"differences to an undisturbed {stage}: {len(verdict.differences)}")
    for line, times in Counter(verdict.differences).most_common(10):
        print(f"  {line} ({times} times)")
    print(f"left in the folder for temporary files: {len(verdict.scratch)}")
    return 1 if verdict.broken or verdict.differences else 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
