"""Crawls of Reddit as processes: interrupted, two at once, killed."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from affectory.core.command import finish
from benchmarks import crash
from collectors.crawl.crawl import run_command
from collectors.crawl.summary import Summary
from collectors.sandbox import running

SUBS = ["--subs", "happy", "creepy", "rage", "gore"]


def start(base, store, *more):
    command = [
        sys.executable,
        "-m",
        "collectors.reddit",
        *SUBS,
        "--source",
        "oauth",
        "--sandbox-url",
        base,
        "--store",
        str(store),
    ]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def wait_for_images(base, n):
    """Wait until the sandbox has been asked for `n` images; it is asked, not slept on."""
    while sum(k for path, k in crash.requests_by_path(base).items() if path.startswith("/i.")) < n:
        pass


@pytest.mark.slow
def test_ctrl_c_ends_within_two_seconds_with_a_summary_and_the_next_run_goes_on(tmp_path):
    with running(posts=200, host_limits=["i.redd.it=20", "i.imgur.com=20"]) as base:
        process = start(base, tmp_path / "s")
        wait_for_images(base, 20)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - began < 2
    assert process.returncode == 130
    assert "Traceback" not in err
    assert re.search(r"^posts   asked \d+ = \d+ new$", out, re.MULTILINE)
    assert "interrupted" in out
    assert out.endswith("next    run the same command again to continue\n")
    assert list((tmp_path / "s" / "runs").iterdir()) == []
    with running(posts=200) as base:
        out, _ = start(base, tmp_path / "s").communicate(timeout=60)
    assert "pending" not in out
    assert "images  linked 259 = 239 stored" in out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_crawl_that_is_stopped_ends_with_the_exit_code_of_the_signal(number, code, tmp_path):
    async def crawling():
        signal.raise_signal(number)
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return Summary(
            asked=0,
            posts=Counter(),
            by_community={},
            media=Counter(),
            fetched=Counter(),
            failures=(),
            trouble=None,
            folder=tmp_path,
            seconds=1,
            interrupted=True,
        )

    async def not_yet():
        signal.raise_signal(number)
        await asyncio.Event().wait()

    assert run_command(crawling).exit_code == code
    assert finish(lambda: run_command(not_yet)) == code


@pytest.mark.slow
def test_two_collectors_on_one_store_share_the_work(tmp_path):
    with running(posts=200) as base:
        both = [start(base, tmp_path / "both"), start(base, tmp_path / "both")]
        for process in both:
            _, err = process.communicate(timeout=60)
            assert (process.returncode, err.count("Traceback")) == (0, 0)
        images = {p: n for p, n in crash.requests_by_path(base).items() if p.startswith(("/i.", "/preview"))}
        robots = {path: images.pop(path) for path in [*images] if path.endswith("/robots.txt")}
        assert set(robots.values()) == {2}  # once for each of them
        assert [path for path, n in images.items() if n > 1] == []
    with sqlite3.connect(tmp_path / "both" / "crawl.sqlite") as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        assert db.execute("select count(*) from media where status = 'pending'").fetchone() == (0,)
    db.close()


@pytest.mark.slow
def test_a_crawl_killed_again_and_again_ends_with_the_same_store_and_fetches_nothing_twice(tmp_path):
    verdict = crash.run(posts=120, kills=3, seed=0, folder=tmp_path)
    assert (verdict.differences, verdict.refetched) == ([], 0)
    assert verdict.images > 100


@pytest.mark.slow
def test_a_dump_whose_reading_was_killed_is_completed_by_the_same_command(tmp_path):
    lines = [
        b'{"id": "%x", "subreddit": "happy", "title": "Title", "score": %d}' % (n, n) for n in range(5000)
    ]
    (tmp_path / "RS.jsonl").write_bytes(b"\n".join(lines))
    command = [sys.executable, "-m", "collectors.reddit", "--subs", "happy", "--source", "dump", "--no-media"]
    command += ["--path", str(tmp_path / "RS.jsonl"), "--store", str(tmp_path / "s"), "--min-ups", "0"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    while (before := stored(tmp_path / "s")) == 0:
        assert killed.poll() is None
    killed.kill()
    killed.wait()
    assert before < 5000
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    found = re.match(r"posts   asked 5,000 = ([0-9,]+) new \+ ([0-9,]+) known\n", done.stdout)
    assert (done.returncode, done.stderr, stored(tmp_path / "s")) == (0, "", 5000)
    assert found is not None
    assert int(found[2].replace(",", "")) >= before


def stored(store):
    """Return how many posts a store has, 0 if it is about to be made."""
    with suppress(sqlite3.OperationalError):
        with sqlite3.connect(f"file:{store / 'crawl.sqlite'}?mode=ro", uri=True) as db:
            found = db.execute("select count(*) from posts").fetchone()[0]
        db.close()
        return found
    return 0
