"""Posts that the sandbox gives are marked in the store, whichever collector and source asked for them."""

import json

import pytest
import zstandard

from collectors.flickr.__main__ import main as flickr
from collectors.reddit.__main__ import main as reddit
from collectors.sandbox.generated.corpus import Corpus
from collectors.sandbox.own_lists import fetch_lists
from tests.collectors.flickr_runs import rows

COUNTED = "select generated, count(*) from posts where removed is null group by 1"


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


def links(store):
    return [link for (link,) in rows(store, "select permalink from posts where removed is null order by 1")]


def images(store):
    return rows(store, "select distinct host from media where kind = 'image' order by 1")


@pytest.mark.slow
@pytest.mark.parametrize("source", ["oauth", "archive", "index"])
def test_reddits_posts_are_marked_whatever_the_source(tmp_path, sandbox, source):
    more = []
    if source == "index":
        (tmp_path / "ids.txt").write_text(
            "".join(f"{post.id}\n" for post in Corpus(0, 600).posts if post.sub == "gore")
        )
        more = ["--path", "ids.txt"]
    arguments = ["--subs", "gore", "--source", source, *more, "--sandbox-url", sandbox, "--no-media"]
    assert reddit([*arguments, "--store", "s"]) == 0
    [(mark, posts)] = rows("s", COUNTED)
    assert (mark, posts > 100) == (1, True)
    assert {link.rpartition("/comments/")[0] for link in links("s")} == {
        "https://sandbox.invalid/www.reddit.com/r/gore"
    }
    # The crawl fetches images by the addresses that the sandbox answers for.
    assert ("i.redd.it",) in images("s")
    assert reddit([*arguments, "--store", "s"]) == 0
    assert rows("s", COUNTED) == [(mark, posts)]


@pytest.mark.slow
def test_flickrs_photos_are_marked_asked_for_and_searched(tmp_path, sandbox, capsys):
    fetch_lists(sandbox, tmp_path / "lists")
    for store, more in (("voted", []), ("searched", ["--vso", "lists/pairs.txt"])):
        arguments = [*more, "--sandbox-url", sandbox, "--no-media", "--store", store]
        assert flickr(arguments) == 0
        [(mark, posts)] = rows(store, COUNTED)
        assert (mark, posts > 100) == (1, True)
        assert {link.rpartition("=")[0] for link in links(store)} == {
            "https://sandbox.invalid/www.flickr.com/photo.gne?id"
        }
    capsys.readouterr()
    assert flickr(["--sandbox-url", sandbox, "--no-media", "--store", "voted"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert "known" in first and "updated" not in first and "new" not in first


def test_posts_of_a_dump_alone_are_not_marked(tmp_path):
    post = {"id": "18lpjb", "subreddit": "happy", "title": "So happy"}
    post["permalink"] = "/r/happy/comments/18lpjb/"
    (tmp_path / "dump.zst").write_bytes(zstandard.compress(json.dumps(post).encode() + b"\n"))
    arguments = ["--subs", "happy", "--source", "dump", "--path", "dump.zst", "--no-media", "--store", "s"]
    assert reddit(arguments) == 0
    marked = "select generated, permalink from posts"
    assert rows("s", marked) == [(None, "https://www.reddit.com/r/happy/comments/18lpjb/")]
