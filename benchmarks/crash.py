"""Kill a crawl again and again, and see whether anything is lost or fetched twice.

    uv run python benchmarks/crash.py --posts 2000 --kills 20

A crawl of the sandbox (with faults) is killed with SIGKILL at random instants and started again, then
left to end. Its store must equal that of an undisturbed crawl, and no image that stood in the
store at a kill may be asked for again, as counted by the server.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import tyro

from collectors.sandbox import running

SUBS = ("happy", "creepy", "rage", "gore")
FAULTS = ("429=0.02", "500=0.02", "truncated=0.02", "reset=0.01", "removed=0.03", "html=0.01")


@dataclass(frozen=True)
class Verdict:
    """What a killed crawl came to, beside an undisturbed one. `refetched` counts image requests."""

    kills: int
    posts: int
    images: int
    differences: list[str]
    refetched: int
    stored_at_kills: list[int]
    seconds: float


def start(base: str, store: Path) -> subprocess.Popen[bytes]:
    """Start a collector on a store."""
    command = [sys.executable, "-m", "collectors.reddit", "--subs", *SUBS, "--sandbox-url", base]
    return subprocess.Popen(
        [*command, "--store", str(store)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def finish(base: str, store: Path) -> None:
    """Run a collector to its end."""
    process = start(base, store)
    _, errors = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(errors.decode())


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
            found = db.execute("select distinct url from media where status = 'stored'").fetchall()
        except sqlite3.OperationalError:  # killed before the tables were there
            found = []
    db.close()
    parts = [urlsplit(url) for (url,) in found]
    return {f"/{p.hostname}{p.path}" for p in parts}


def run(posts: int, kills: int, seed: int, folder: Path) -> Verdict:
    """Crawl undisturbed, then with kills; return how they compare."""
    began, rng = time.monotonic(), random.Random(seed)
    calm, killed = folder / "calm", folder / "killed"
    for store in (calm, killed):  # the same key, or the authors' hashes would differ
        store.mkdir()
        (store / "author.key").write_bytes(b"k" * 32)
    with running(posts=posts, faults=FAULTS) as base:
        finish(base, calm)
        span = time.monotonic() - began
    asked_when_stored: dict[str, int] = {}
    stored_at_kills = []
    with running(posts=posts, faults=FAULTS) as base:
        for _ in range(kills):
            process = start(base, killed)
            time.sleep(rng.uniform(0.1, max(1.5, 2 * span / kills)))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            stored, counts = stored_paths(killed), requests_by_path(base)
            stored_at_kills.append(len(stored))
            for path in stored - asked_when_stored.keys():
                asked_when_stored[path] = counts.get(path, 0)
        finish(base, killed)
        after = requests_by_path(base)
    refetched = sum(after.get(path, 0) - n for path, n in asked_when_stored.items())
    ours, theirs = contents(killed), contents(calm)
    differences = [f"{table}: {row}" for table in theirs for row in set(ours[table]) ^ set(theirs[table])]
    return Verdict(
        kills,
        len(ours["posts"]),
        len(ours["files"]),
        differences,
        refetched,
        stored_at_kills,
        time.monotonic() - began,
    )


def main(posts: int = 2000, kills: int = 20, seed: int = 0) -> int:
    """Kill a crawl `kills` times and compare it with an undisturbed one."""
    folder = Path(tempfile.mkdtemp())
    try:
        verdict = run(posts, kills, seed, folder)
    finally:
        shutil.rmtree(folder)
    print(f"killed {verdict.kills} times, with {verdict.stored_at_kills} images stored at the kills")
    print(f"then {verdict.posts:,} posts, {verdict.images:,} image files ({verdict.seconds:.0f} s in all)")
    print(f"differences to an undisturbed crawl: {len(verdict.differences)}")
    print(f"requests for images that stood in the store already: {verdict.refetched}")
    for difference in verdict.differences[:10]:
        print(f"  {difference}")
    return 1 if verdict.differences or verdict.refetched else 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
