"""Crawls of hosts that refuse the use of their images: kept, left by a rerun, named in the summary."""

import asyncio
import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from collectors.crawl.crawl import crawl
from collectors.crawl.options import CrawlOptions
from collectors.crawl.source import Page
from collectors.crawl.summary import Summary
from collectors.sandbox.server import make_sandbox, serving
from collectors.store.record import Media, Post


class OnePage:
    def __init__(self, asked, posts):
        self.asked, self.posts = asked, posts

    async def pages(self):
        yield Page(self.asked, f"toys:{self.asked}", self.posts, last=True)


def collected(folder, *, faults, honour_robots=True, asked="happy"):
    """Crawl four images of two hosts of a sandbox: (summary, rows of the store, paths asked)."""
    sandbox = make_sandbox(posts=4, faults=faults)
    urls = [f"https://bench.example/{n}.jpg" for n in range(3)]
    urls += ["https://nowhere.example/1.jpg"]
    posts = [
        Post(f"toys:{n}", "toys", "happy", f"Toy {n}", media=(Media(url, 0, "image"),), collected_at=1)
        for n, url in enumerate(urls)
    ]

    async def go():
        options = CrawlOptions(honour_robots=honour_robots, workers=1)
        async with serving(sandbox) as base:

            async def make_source(store, client, stack):
                return OnePage(asked, posts)

            return await crawl(options.plan(folder, "test", [asked]), options.client(base), make_source)

    summary = asyncio.run(go())
    with closing(sqlite3.connect(Path(folder) / "crawl.sqlite")) as db:
        rows = db.execute(
            "select status, reason, signals, refused_by from media where host = 'bench.example' "
            "order by post_id"
        ).fetchall()
    rows = [(status, reason, signals and json.loads(signals), by) for status, reason, signals, by in rows]
    return summary, rows, sandbox.stats.by_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "reason", "signals", "refused_by", "named"),
    [
        (
            "noai",
            "noai",
            {"x-robots-tag": ["noai, noimageai"]},
            "x-robots-tag",
            "X-Robots-Tag: noai, noimageai",
        ),
        (
            "tdm",
            "tdm_reservation",
            {"tdm-reservation": ["1"], "tdm-policy": ["https://daily-feed.example/policy.json"]},
            "tdm-reservation",
            "tdm-reservation: 1",
        ),
        (
            "usage",
            "content_usage",
            {"content-usage": ["train-ai=n"]},
            "content-usage",
            "Content-Usage: train-ai=n",
        ),
        ("disallow", "robots_txt", {"robots.txt": ["Disallow: /"]}, "robots.txt", "robots.txt: Disallow: /"),
        (
            "robots_usage",
            "robots_txt",
            {"robots.txt": ["Content-Usage: train-ai=n"]},
            "robots.txt",
            "robots.txt: Content-Usage: train-ai=n",
        ),
    ],
)
def test_a_refusal_is_kept_named_left_by_a_rerun_and_overridden_by_the_option(
    tmp_path, fault, reason, signals, refused_by, named
):
    line = f"note    bench.example refused 3 images ({named}); --no-honour-robots takes them"
    summary, rows, asked = collected(tmp_path, faults=[f"{fault}=1"])
    assert rows == [("refused", reason, signals, refused_by)] * 3
    assert line in str(summary).splitlines()
    assert summary.exit_code == 0
    assert asked["/bench.example/robots.txt"] == asked["/nowhere.example/robots.txt"] == 1
    assert asked["/bench.example/0.jpg"] == (0 if refused_by == "robots.txt" else 1)

    summary, rows, asked = collected(tmp_path, faults=[])
    assert rows == [("refused", reason, signals, refused_by)] * 3
    assert line in str(summary).splitlines()
    assert dict(asked) == {}

    summary, rows, asked = collected(tmp_path, faults=[f"{fault}=1"], honour_robots=False)
    assert rows == [("stored", None, signals, refused_by)] * 3
    assert "honour-robots" not in str(summary)
    assert {path for path in asked if "bench" not in path} == set()


@pytest.mark.slow
def test_a_host_whose_robots_txt_fails_is_asked_again_by_a_rerun(tmp_path):
    summary, rows, asked = collected(tmp_path, faults=["robots_down=1"])
    assert [row[:2] for row in rows] == [("failed", "server_error")] * 3
    assert (
        "problem bench.example gave no answer for 3 images (server error): check whether it can be reached, "
        "and run the same command again later; if only its robots.txt fails, --no-honour-robots takes them"
    ) in str(summary).splitlines()
    assert "/bench.example/0.jpg" not in asked
    _, rows, _ = collected(tmp_path, faults=[])
    assert rows == [("stored", None, None, None)] * 3


def test_many_refusing_hosts_are_named_in_part(tmp_path):

    refusals = [(f"h{n}.example", "tdm-reservation: 1", 1000 - n) for n in range(7)]
    media = Counter({("refused", "tdm_reservation"): sum(n for *_, n in refusals)})
    summary = Summary(0, Counter(), {}, media, Counter(), [], None, tmp_path, 1.0, False, refusals=refusals)
    said = str(summary).splitlines()
    assert said[2] == (
        "note    h0.example refused 1,000 images (tdm-reservation: 1); --no-honour-robots takes them"
    )
    assert said[7] == "note    2 more hosts refused 1,989 images"


@pytest.mark.slow
def test_images_of_a_listings_communities_are_fetched_and_their_refusals_named(tmp_path):
    line = "note    bench.example refused 3 images (X-Robots-Tag: noai, noimageai)"
    for posts in ("4 new", "4 known"):
        summary, rows, _ = collected(tmp_path, faults=["noai=1"], asked="friends")
        said = str(summary).splitlines()
        assert said[:2] == [f"posts   asked 4 = {posts}", "        happy 4"]
        assert said[2].startswith("images  linked 4 = ")
        assert f"{line}; --no-honour-robots takes them" in said
        assert [status for status, *_ in rows] == ["refused"] * 3
