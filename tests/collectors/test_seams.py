"""A site and a Reddit source are added by a file and one line in a table, without any other change."""

import asyncio
import sqlite3
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

from affectory.cli import main as affectory
from collectors.crawl.source import Page
from collectors.http.rates import Budget
from collectors.reddit.__main__ import main as collect_reddit
from collectors.reddit.post import parse_post
from collectors.reddit.sources import SOURCES, RedditSource
from collectors.sandbox.server import make_sandbox, serving
from collectors.sites import SITES, Site, budgets
from curation.rows.attribution import attribution

# -- a site ------------------------------------------------------------------------------------

TOYS = Site(
    "tests.collectors.toy_site",
    "Collect toys.",
    budgets={"toys.example": Budget(rate=1, max_rate=2, at_once=3)},
    attribution="Toy {id} from {permalink}; {licence}",
    sandbox="tests.collectors.toy_site:HOSTS",
)


@contextmanager
def sandbox_with_the_tables_of_this_process():
    """Serve a sandbox from a thread, so that it sees the toy's line; yields its address."""
    ready, stop, address = threading.Event(), None, ""

    async def serve():
        nonlocal stop, address
        stop = asyncio.Event()
        async with serving(make_sandbox(posts=5)) as address:
            loop.call_soon(ready.set)
            await stop.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(30)
        yield address
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def rows(store, query):
    with sqlite3.connect(store / "crawl.sqlite") as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def test_a_toy_site_is_collected_with_its_images_through_the_command(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(SITES, "toys", TOYS)
    with sandbox_with_the_tables_of_this_process() as base:
        arguments = ["collect", "toys", "--shelves", "bears", "cars", "--sandbox-url", base]
        code = affectory([*arguments, "--workers", "1", "--store", str(tmp_path / "s")])
    assert (code, capsys.readouterr().out.splitlines()[:4]) == (
        0,
        [
            "posts   asked 6 = 6 new",
            "        bears 3 · cars 3",
            "images  linked 6 = 6 stored",
            "        in this run: 6 stored",
        ],
    )
    assert rows(tmp_path / "s", "select post_id, title from posts order by 1 limit 2") == [
        ("toys:bears-0", "Toy bears-0"),
        ("toys:bears-1", "Toy bears-1"),
    ]
    assert len(list((tmp_path / "s" / "media").glob("??/*.jpg"))) == 6


def test_a_toy_sites_line_gives_its_help_its_rates_and_its_attribution(monkeypatch, capsys):
    monkeypatch.setitem(SITES, "toys", TOYS)
    assert affectory(["--help"]) == 0
    assert "  collect toys    Collect toys.\n" in capsys.readouterr().out
    assert budgets()["toys.example"] == Budget(rate=1, max_rate=2, at_once=3)
    assert attribution("toys", "toys:bears-0", "bears", "https://toys.example/bears-0", None, None) == (
        "Toy bears-0 from https://toys.example/bears-0; licence not known"
    )


# -- a Reddit source -----------------------------------------------------------------------------

PINS = RedditSource("tests.collectors.test_seams:make_pins", "boards of pins", suffixes=(".pins",))


@dataclass(frozen=True)
class Pins:
    """A source that reads lines of id, subreddit and number of a picture."""

    asked: object

    async def pages(self):
        for sub in self.asked.plan.communities:
            posts = []
            for path in self.asked.files:
                for line in path.read_text().splitlines():
                    post_id, name, number = line.split()
                    link = f"https://bench.example/{number}.jpg"
                    child = {"id": post_id, "subreddit": name, "title": f"Pin {post_id}", "url": link}
                    if name == sub:
                        posts.append(parse_post(child, key=self.asked.key, collected_at=int(time.time())))
            yield Page(sub, f"pins:{sub}:{self.asked.scope}", posts, last=True)


def make_pins(asked):
    return Pins(asked)


def test_a_toy_reddit_source_is_collected_with_its_images(monkeypatch, capsys, tmp_path, sandbox):
    monkeypatch.setitem(SOURCES, "pins", PINS)
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "a.pins").write_text("abc1 happy 1\nabc2 gore 2\n")
    (tmp_path / "boards" / "b.pins").write_text("abc3 happy 3\n")
    (tmp_path / "boards" / "c.txt").write_text("no board\n")
    arguments = ["--subs", "happy", "gore", "--source", "pins", "--path", str(tmp_path / "boards")]
    code = collect_reddit([*arguments, "--sandbox-url", sandbox, "--store", str(tmp_path / "s")])
    assert (code, capsys.readouterr().out.splitlines()[:3]) == (
        0,
        ["posts   asked 3 = 3 new", "        r/happy 2 · r/gore 1", "images  linked 3 = 3 stored"],
    )
    assert rows(tmp_path / "s", "select post_id, url from posts join media using (post_id) order by 1") == [
        ("reddit:abc1", "https://bench.example/1.jpg"),
        ("reddit:abc2", "https://bench.example/2.jpg"),
        ("reddit:abc3", "https://bench.example/3.jpg"),
    ]


def test_what_a_toy_reddit_source_needs_is_read_from_its_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(SOURCES, "pins", PINS)
    (tmp_path / "empty").mkdir()
    subs = ["--subs", "happy", "--source"]
    assert collect_reddit([*subs, "pins"]) == 2
    assert collect_reddit([*subs, "pins", "--path", str(tmp_path / "empty")]) == 2
    assert collect_reddit([*subs, "archive", "--path", str(tmp_path)]) == 2
    assert collect_reddit([*subs, "needles"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: --source pins needs --path FILE_OR_FOLDER",
        f"error: --path '{tmp_path}/empty' holds no .pins file",
        "error: --path can be used with --source dump or index or pins, not with archive",
        "error: there is no --source 'needles'; it is one of auto, oauth, archive, dump, index, pins",
    ]
