"""What a crawl of Reddit gives, as users type it: posts, images, and a summary that adds up."""

import asyncio
import json
import re
import sqlite3
from pathlib import Path

import pytest

from benchmarks import crash
from collectors.crawl.options import CrawlOptions
from collectors.reddit.__main__ import Options, collect
from collectors.sandbox import running
from collectors.sandbox.generated.corpus import Corpus
from tests.collectors.raw import raw_site, with_headers
from tests.collectors.reddit_runs import oauth, run, without_credentials
from tests.conftest import SHARED

SUBS = ["--subs", "happy", "creepy", "rage", "gore"]


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch, tmp_path):
    without_credentials(monkeypatch, tmp_path)


def communities(store):
    with sqlite3.connect(Path(store) / "crawl.sqlite") as db:
        found = dict(db.execute("select community, count(*) from posts group by 1").fetchall())
    db.close()
    return found


@pytest.mark.slow
def test_the_published_index_gives_its_3267_posts(capsys, tmp_path):
    index = SHARED / "reddit_emotion_index"
    if not index.is_dir():
        pytest.skip(f"needs the published index in {index.name}")
    arguments = ["--source", "index", "--path", index, *SUBS, "--no-media", "--store", tmp_path / "s"]
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert out.splitlines()[:3] == [
        "posts   asked 3,267 = 3,267 new",
        "        r/happy 1,124 · r/creepy 698 · r/rage 615 · r/gore 830",
        "images  linked 3,270 = 3,270 pending",
    ]
    assert communities(tmp_path / "s") == {"happy": 1124, "creepy": 698, "rage": 615, "gore": 830}


@pytest.mark.slow
def test_the_recorded_dump_gives_its_posts_with_the_sources_removals(capsys, tmp_path):
    dump = SHARED / "pushshift" / "science_submissions.zst"
    if not dump.is_file():
        pytest.skip(f"needs {dump.name}")
    arguments = ["--source", "dump", "--path", dump, "--subs", "science", "--no-media", "--limit", "2000"]
    code, out, _ = run(capsys, *arguments, "--store", tmp_path / "s")
    assert code == 0
    with sqlite3.connect(tmp_path / "s" / "crawl.sqlite") as db:
        removed = dict(db.execute("select removed, count(*) from posts group by 1").fetchall())
    db.close()
    # 12 lines hold crossposted parents of other subreddits.
    assert out.startswith("posts   asked 1,600 = 1,588 new + 12 other subreddit")
    assert removed == {None: 1016, "moderator": 374, "reddit": 120, "deleted": 65, "automod_filtered": 13}


@pytest.mark.slow
def test_a_crawl_of_the_sandbox_adds_up_and_a_second_one_fetches_nothing(capsys, tmp_path, sandbox):
    arguments = [*SUBS, *oauth(sandbox), "--store", tmp_path / "s"]
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert out.splitlines()[:4] == [
        "posts   asked 586 = 586 new",
        "        r/happy 203 · r/creepy 126 · r/rage 109 · r/gore 148",
        "images  linked 770 = 717 stored + 19 not image: video + 14 not image: text post + "
        "12 not image: external page + 5 failed: gallery item failed + 3 gone: gallery item deleted",
        "        in this run: 717 stored + 49 albums opened",
    ]
    before = crash.requests_by_path(sandbox)
    code, out, _ = run(capsys, *arguments)
    assert (code, out.splitlines()[0]) == (0, "posts   asked 586 = 586 known")
    after = crash.requests_by_path(sandbox)
    assert {path for path in after if after[path] != before.get(path)} <= {
        "/www.reddit.com/api/v1/access_token",
        *(f"/oauth.reddit.com/r/{sub}/top" for sub in SUBS[1:]),
    }


def test_without_credentials_auto_is_the_archive_and_the_store_is_compared_with_its_counts(
    capsys, tmp_path, sandbox
):
    before = crash.requests_by_path(sandbox)
    arguments = ["--subs", "rage", "--sandbox-url", sandbox, "--no-media", "--store", tmp_path / "s"]
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    source, posts, of, _, coverage, *_ = out.splitlines()
    assert source == (
        "source  archive: no credentials of a Reddit app in praw.ini or the environment; scores and "
        "deletions are those that Arctic Shift has seen"
    )
    assert (posts, of) == ("posts   asked 114 = 114 new", "        r/rage 114")
    assert coverage.startswith("note    r/rage: stored 114 of the archive's 114 posts: 2012 ")
    assert coverage.endswith(" · 2024 19/19")
    after = crash.requests_by_path(sandbox)
    asked = {path for path in after if after[path] != before.get(path)}
    assert asked == {f"/arctic-shift.photon-reddit.com/api/posts/search{more}" for more in ("", "/aggregate")}
    code, out, _ = run(capsys, *arguments)
    assert (code, out.splitlines()[1]) == (0, "posts   asked 114 = 114 known")
    with sqlite3.connect(tmp_path / "s" / "crawl.sqlite") as db:
        seen = db.execute("select distinct observed_from, observed_at > created_at from posts").fetchall()
    db.close()
    assert seen == [("archive", 1)]


def test_with_credentials_auto_is_reddit(capsys, tmp_path, sandbox, monkeypatch):
    monkeypatch.setenv("praw_client_id", "anything")
    arguments = ["--subs", "rage", "--sandbox-url", sandbox, "--no-media", "--store", tmp_path / "s"]
    code, out, _ = run(capsys, *arguments)
    assert (code, out.splitlines()[:2]) == (
        0,
        [
            "source  oauth: there are credentials of a Reddit app in praw.ini or the environment",
            "posts   asked 109 = 109 new",
        ],
    )


def stored(store):
    with sqlite3.connect(Path(store) / "crawl.sqlite") as db:
        found = db.execute(
            "select post_id, score, removed, observed_from from posts order by post_id"
        ).fetchall()
    db.close()
    return found


@pytest.mark.slow
def test_reddits_answer_replaces_the_archives_and_not_the_other_way_round(capsys, tmp_path, sandbox):
    both = ["--subs", "rage", "--sandbox-url", sandbox, "--no-media", "--store", tmp_path / "s"]
    archive, reddit = [*both, "--source", "archive"], [*both, "--source", "oauth"]
    run(capsys, *archive)
    first = stored(tmp_path / "s")
    run(capsys, *reddit)
    refreshed = stored(tmp_path / "s")
    assert {row[3] for row in refreshed} == {"oauth", "archive"}  # a listing leaves out removed posts
    assert [row[0] for row in refreshed] == [row[0] for row in first]
    assert sum(a[1] != b[1] for a, b in zip(first, refreshed, strict=True)) > 20
    code, out, _ = run(capsys, *archive)
    assert (code, out.splitlines()[0]) == (0, "posts   asked 114 = 114 known")
    assert stored(tmp_path / "s") == refreshed


@pytest.mark.slow
def test_an_archives_copy_does_not_bring_back_a_post_that_reddit_has_removed(
    capsys, tmp_path, sandbox, monkeypatch
):
    (tmp_path / "ids.txt").write_text("\n".join(p.id for p in Corpus(0, 600).posts if p.sub == "rage"))
    both = ["--subs", "rage", "--sandbox-url", sandbox, "--no-media", "--store", tmp_path / "s"]
    with monkeypatch.context() as patch:
        patch.setenv("praw_client_id", "anything")
        run(capsys, *both, "--source", "index", "--path", tmp_path / "ids.txt")
    tombstones = [row for row in stored(tmp_path / "s") if row[2]]
    assert len(tombstones) == 5
    for source in (["archive"], ["index", "--path", tmp_path / "ids.txt"]):
        code, out, _ = run(capsys, *both, "--source", *source)
        assert (code, out.splitlines()[0]) == (0, "posts   asked 114 = 114 known")
        assert [row for row in stored(tmp_path / "s") if row[2]] == tombstones
    with sqlite3.connect(tmp_path / "s" / "crawl.sqlite") as db:
        kept = dict(db.execute("select post_id, record from candidates").fetchall())
    db.close()
    assert len(kept) == 114
    assert {json.loads(kept[row[0]])["title"] for row in tombstones} == {""}


@pytest.mark.slow
def test_no_authors_name_stands_in_a_store(capsys, tmp_path, sandbox):
    run(capsys, *SUBS, *oauth(sandbox), "--no-media", "--store", tmp_path / "s")
    with sqlite3.connect(tmp_path / "s" / "crawl.sqlite") as db:
        authors = [a for (a,) in db.execute("select distinct author from posts where author is not null")]
        dump = "\n".join(db.iterdump())
    db.close()
    assert len(authors) > 100
    assert all(re.fullmatch("[0-9a-f]{32}", author) for author in authors)
    names = {post.author for post in Corpus(0, 600).posts if post.author}
    assert [name for name in names if f"'{name}'" in dump] == []


@pytest.mark.slow
def test_faults_are_counted_by_their_reasons_and_a_rerun_mends_the_passing_ones(capsys, tmp_path):
    faults = ["500=0.03", "removed=0.06", "html=0.06", "corrupt=0.06", "pixel=0.06", "private_redirect=0.06"]
    store = tmp_path / "s"
    # Four strikes spoil all of a run's attempts at an address, and none of the next run's.
    with running(posts=120, faults=faults, strikes=4, seed=2) as base:
        arguments = [*SUBS, *oauth(base), "--store", store]
        code, out, _ = run(capsys, *arguments)
        assert code == 0
        for reason in (
            "gone: removed placeholder",
            "failed: server error",
            "failed: html instead of image",
            "failed: corrupt image",
            "gone: one pixel",
            "failed: private address",
        ):
            assert reason in out
        lasting = urls_with(store, "corrupt_image", "one_pixel", "html_instead_of_image")
        passing = urls_with(store, "server_error")
        before = crash.requests_by_path(base)
        code, out, _ = run(capsys, *arguments)
        assert (code, "server error" in out) == (0, False)
        after = crash.requests_by_path(base)
        assert len(lasting) > 5
        assert [url for url in lasting if after[path_of(url)] != before[path_of(url)]] == []
        assert [after[path_of(url)] - before[path_of(url)] for url in passing] == [1] * len(passing)


def urls_with(store, *reasons):
    marks = ",".join("?" * len(reasons))
    with sqlite3.connect(store / "crawl.sqlite") as db:
        found = db.execute(f"select distinct url from media where reason in ({marks})", reasons).fetchall()
    db.close()
    return [url for (url,) in found]


def path_of(url):
    return url.removeprefix("https:/").removeprefix("http:/").split("?")[0]


@pytest.mark.slow
def test_a_listing_of_all_subreddits_has_its_images_fetched_and_its_posts_counted_by_subreddit(
    capsys, tmp_path, sandbox
):
    store = [*oauth(sandbox), "--store", tmp_path / "s"]
    code, out, _ = run(capsys, "--subs", "all", "--limit", "40", "--no-media", *store)
    lines = out.splitlines()
    assert (code, lines[0]) == (0, "posts   asked 100 = 40 new + 60 beyond limit")
    counted = {name: int(n) for name, n in re.findall(r"r/(\w+) (\d+)", lines[1])}
    assert counted == communities(tmp_path / "s")
    assert sum(counted.values()) == 40
    assert list(counted.values()) == sorted(counted.values(), reverse=True)
    linked = int(re.match(r"images  linked (\d+) = ", lines[2])[1])
    assert linked >= 40
    # The next run gives no post at all, and fetches the images of those that the first found.
    code, out, _ = run(capsys, "--subs", "r/all", "--min-ups", "1000000", *store)
    found = re.search(rf"images  linked {linked} = (\d+) stored", out)
    assert (code, communities(tmp_path / "s")) == (0, counted)
    assert int(found[1]) > 10
    assert "pending" not in out


def test_a_listing_names_the_largest_subreddits_and_counts_the_others(tmp_path):
    def answer(head, body):
        if "/api/v1/access_token" in head:
            token = b'{"access_token": "t", "token_type": "bearer", "expires_in": 3600, "scope": "*"}'
            return with_headers(token, Content_Type="application/json")
        posts = [
            {"id": f"{sub:x}0{n}", "subreddit": f"sub{sub:02}", "title": "t", "url": "https://example.org/"}
            for sub in range(12)
            for n in range(2 if sub == 7 else 1)
        ]
        children = [{"kind": "t3", "data": post} for post in posts]
        listing = {"kind": "Listing", "data": {"after": None, "children": children}}
        return with_headers(json.dumps(listing).encode(), Content_Type="application/json")

    async def go():
        async with raw_site(answer) as base:
            crawl = CrawlOptions(store=tmp_path / "s", media=False, sandbox_url=base)
            return await collect(Options(("popular",), "oauth", crawl=crawl), ["popular"], [], "")

    assert asyncio.run(go()).by_community == {
        "r/sub07": 2,
        **{f"r/sub0{n}": 1 for n in (0, 1, 2, 3, 4, 5, 6, 8, 9)},
        "2 others": 2,
    }


def test_a_dump_counts_a_repeated_post_as_that_and_shows_where_a_line_cannot_be_read(capsys, tmp_path):
    post = '{"id": "%s", "subreddit": "happy", "title": "t", "score": %d, "url": "https://example.org/"}'
    rows = [post % ("a", 1), post % ("b", 2), "", "{", post % ("a", 3), post % ("c", 0)]
    (tmp_path / "x.jsonl").write_text("\n".join(rows))
    arguments = ["--source", "dump", "--path", "x.jsonl", "--subs", "happy", "--limit", "2", "--no-media"]
    code, out, _ = run(capsys, *arguments, "--store", tmp_path / "s")
    assert code == 0
    assert out.splitlines()[0] == (
        "posts   asked 5 = 2 new + 1 duplicate id + 1 outside the top 2 + 1 unreadable line"
    )
    assert "note    unreadable line: x.jsonl, line 4: Input data was truncated\n" in out
    with sqlite3.connect(tmp_path / "s" / "crawl.sqlite") as db:
        found = db.execute("select post_id, score from posts order by 1").fetchall()
    db.close()
    assert found == [("reddit:a", 3), ("reddit:b", 2)]


@pytest.mark.parametrize(
    ("option", "first", "later"),
    [
        (("--limit", "10"), "10 new", "10 known"),
        (("--min-ups", "1"), "60 new", "60 known"),
    ],
)
def test_each_repeated_post_of_a_dump_is_counted_as_that(capsys, tmp_path, option, first, later):
    post = '{"id": "a%02d", "subreddit": "happy", "title": "t", "score": %d, "url": "https://example.org/"}'
    rows = [post % (n, n + 1) for n in range(60)]
    (tmp_path / "x.jsonl").write_text("\n".join(rows + rows))
    arguments = ["--source", "dump", "--path", "x.jsonl", "--subs", "happy", *option, "--no-media"]
    outside = " + 50 outside the top 10" if option[0] == "--limit" else ""
    for stored in (first, later):
        code, out, _ = run(capsys, *arguments, "--store", tmp_path / "s")
        assert code == 0
        assert out.splitlines()[0] == f"posts   asked 120 = {stored} + 60 duplicate id{outside}"


def test_an_unclosed_quote_of_a_list_is_shown_with_its_line(capsys, tmp_path):
    rows = [
        "id,title,url,subreddit",
        "a1b2,one,https://example.org/,happy",
        'a1b3,"two,https://example.org/,happy',
    ]
    (tmp_path / "x.csv").write_text("\n".join([*rows, "a1b4,three,https://example.org/,happy", ""]))
    code, out, _ = run(capsys, "--source", "index", "--path", "x.csv", "--subs", "happy", "--no-media")
    assert code == 0
    assert out.splitlines()[0] == "posts   asked 3 = 2 new + 1 unclosed quote"
    assert "note    unclosed quote: x.csv, line 3: " in out
