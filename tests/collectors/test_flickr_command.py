"""The command `python -m collectors.flickr`, on the sandbox."""

import asyncio

import pytest

from benchmarks import flickr as crash
from benchmarks.crash import contents
from collectors.crawl.crawl import Plan, crawl
from collectors.flickr.__main__ import main
from collectors.flickr.api import OtherSize
from collectors.flickr.sources import Asked, make_source
from collectors.flickr.votes import read_votes
from collectors.http.client import client_for
from collectors.sandbox import running
from collectors.sandbox.generated.flickr_corpus import FlickrCorpus
from collectors.sandbox.own_lists import fetch_lists
from tests.collectors.flickr_runs import calls, rows

pytestmark = pytest.mark.slow

INFO = "/api.flickr.com/services/rest/ flickr.photos.getInfo"


@pytest.fixture(autouse=True)
def no_key(monkeypatch, tmp_path):
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    return code, *capsys.readouterr()


def test_the_sandboxs_votes_become_posts_and_a_second_run_asks_nothing(capsys, tmp_path):
    fates = [photo.fate for photo in FlickrCorpus(0, 200).photos.values()]
    with running(posts=200) as base:
        code, out, _ = run(capsys, "--sandbox-url", base, "--store", tmp_path / "s")
        asked = calls(base)
        again, out_again, _ = run(capsys, "--sandbox-url", base, "--store", tmp_path / "s")
        # The images that are gone are not tried again either.
        assert calls(base) == asked
    assert (code, again) == (0, 0)
    listed = sum(len(photo.votes) for photo in FlickrCorpus(0, 200).photos.values())
    extra = f" + {listed - 200} rows of a photo listed before"
    assert out.splitlines()[0] == f"posts   asked {listed} = 200 new{extra}"
    assert out_again.splitlines()[0] == f"posts   asked {listed} = 200 known{extra}"
    assert sum(name.startswith(INFO) for name in asked) == 200
    assert set(asked.values()) == {1}
    removed = dict(rows(tmp_path / "s", "select removed, count(*) from posts group by 1"))
    assert removed.pop("not_found") == fates.count("not_found")
    assert removed.pop("private") == fates.count("private")
    stored = rows(tmp_path / "s", "select count(*) from media where status = 'stored'")[0][0]
    assert stored == fates.count("public") + fates.count("replaced")


def test_the_store_holds_when_a_photo_was_taken_asked_for_or_searched(capsys, tmp_path, sandbox):
    fetch_lists(sandbox, tmp_path / "lists")
    run(capsys, "--sandbox-url", sandbox, "--no-media", "--store", tmp_path / "asked")
    pairs = ["--vso", tmp_path / "lists" / "pairs.txt"]
    run(capsys, *pairs, "--sandbox-url", sandbox, "--no-media", "--store", tmp_path / "searched")
    asked = dict(rows(tmp_path / "asked", "select post_id, taken from posts"))
    assert [asked[f"flickr:{n}"] for n in (2102000034, 2561000187, 6794001598, 4652000884, 2051000017)] == [
        "2010-03-22 12:11:35",
        "2014-04",
        "2011",
        "2010",  # "about 2010"
        None,
    ]
    searched = dict(rows(tmp_path / "searched", "select post_id, taken from posts where removed is null"))
    assert {post_id: asked[post_id] for post_id in searched} == searched


def test_an_image_that_is_gone_is_fetched_in_another_size(capsys, tmp_path, sandbox):
    run(capsys, "--sandbox-url", sandbox, "--store", tmp_path / "s")
    replaced = [p for p in FlickrCorpus(0, 600).photos.values() if p.fate == "replaced"]
    assert replaced
    found = dict(rows(tmp_path / "s", "select post_id, final_url from media where status = 'stored'"))
    for photo in replaced:
        # Of those up to 1,024 pixels the largest: 500.
        url = f"https://live.staticflickr.com/{photo.server}/{photo.id}_{photo.secret}.jpg"
        assert found[f"flickr:{photo.id}"] == url


def test_without_text_the_images_alone_are_fetched_and_a_later_run_adds_the_text(capsys, tmp_path):
    with running(posts=60) as base:
        lists = fetch_lists(base, tmp_path / "lists")
        code, out, _ = run(
            capsys, "--votes", *lists, "--sandbox-url", base, "--no-text", "--store", tmp_path / "s"
        )
        assert (code, calls(base)) == (0, {})
        before = rows(tmp_path / "s", "select url, sha256, fetched_at from media where status = 'stored'")
        assert len(before) > 40
        assert rows(tmp_path / "s", "select distinct title, licence from posts") == [("", None)]
        code, out, _ = run(capsys, "--votes", *lists, "--sandbox-url", base, "--store", tmp_path / "s")
        assert (code, "60 updated" in out.splitlines()[0]) == (0, True)
        after = rows(tmp_path / "s", "select url, sha256, fetched_at from media where status = 'stored'")
    assert set(before) <= set(after)
    assert rows(tmp_path / "s", "select count(*) from posts where title != ''")[0][0] > 40


def test_an_image_that_is_gone_waits_for_a_key(capsys, tmp_path):
    fates = [photo.fate for photo in FlickrCorpus(0, 200).photos.values()]
    waiting = "select count(*) from media where reason = 'gone_needs_flickr_key' and status = 'failed'"
    with running(posts=200) as base:
        lists = fetch_lists(base, tmp_path / "lists")
        arguments = ["--votes", *lists, "--sandbox-url", base, "--store", tmp_path / "s"]
        run(capsys, *arguments, "--no-text")
        assert rows(tmp_path / "s", waiting)[0][0] == len(fates) - fates.count("public")
        before = crash.requests_by_path(base)
        run(capsys, *arguments, "--no-text")  # no key yet: not tried again
        assert crash.requests_by_path(base) == before
        run(capsys, *arguments)
    stored = rows(tmp_path / "s", "select count(*) from media where status = 'stored'")[0][0]
    assert stored == fates.count("public") + fates.count("replaced")
    assert rows(tmp_path / "s", waiting)[0][0] == 0


def test_a_key_that_is_refused_while_images_are_fetched_ends_the_crawl(capsys, tmp_path):
    with running(posts=200) as base:
        lists = fetch_lists(base, tmp_path / "lists")
        arguments = ["--votes", *lists, "--sandbox-url", base, "--store", tmp_path / "s"]
        run(capsys, *arguments, "--no-text")
        plan = Plan(
            tmp_path / "s",
            "test",
            read_votes(lists).communities,
            find_another={"flickr_photo": OtherSize("wrong")},
        )
        asked = Asked(read_votes(lists), key=None)
        summary = asyncio.run(crawl(plan, client_for(base, False), make_source(asked)))
        assert 1 <= sum(calls(base).values()) <= 16  # those that were under way at once
    assert summary.exit_code == 1  # the posts were known, and what had been fetched stays
    assert str(summary.trouble).startswith("FLICKR_API_KEY is refused: Flickr says 'Invalid API Key")


def test_a_table_that_comes_later_adds_its_votes_without_a_call(capsys, tmp_path):
    with running(posts=200) as base:
        *others, last = sorted(fetch_lists(base, tmp_path / "lists"))
        options = ["--sandbox-url", base, "--no-media", "--store", tmp_path / "s"]
        run(capsys, "--votes", *others, *options)
        before = calls(base)
        run(capsys, "--votes", last, *options)
        new = calls(base).keys() - before.keys()
    several = [p for p in FlickrCorpus(0, 200).photos.values() if len(p.votes) == 2 and "sadness" in p.votes]
    assert several
    assert not {f"{INFO} {photo.id}" for photo in several} & new
    for photo in several:
        if photo.fate == "public":
            (votes,) = rows(tmp_path / "s", f"select votes from posts where post_id = 'flickr:{photo.id}'")[0]
            assert '"sadness"' in votes and len(photo.votes) == votes.count(":")


def test_pairs_are_searched_and_a_conflict_is_dropped_and_counted(capsys, tmp_path, sandbox):
    fetch_lists(sandbox, tmp_path)
    arguments = ["--vso", tmp_path / "pairs.txt", "--sandbox-url", sandbox, "--no-media"]
    code, out, _ = run(capsys, *arguments, "--store", tmp_path / "s")
    assert code == 0
    assert "conflicting pairs" in out.splitlines()[0]
    posts = rows(tmp_path / "s", "select label, labels, removed, licence from posts")
    assert {label for label, _, removed, _ in posts if removed is None} == {"positive", "negative"}
    conflicts = [post for post in posts if post[2] is not None]
    assert set(conflicts) == {(None, None, "conflicting_pairs", None)}
    before = calls(sandbox)
    code, out, _ = run(capsys, *arguments, "--store", tmp_path / "s")
    assert (code, out.splitlines()[0]) == (0, "posts   asked 0 = 0")
    assert calls(sandbox) == before


def test_a_conflict_found_after_its_image_was_fetched_leaves_the_store_as_one_found_before(
    capsys, tmp_path, sandbox
):
    fetch_lists(sandbox, tmp_path)
    arguments = ["--vso", tmp_path / "pairs.txt", "--sandbox-url", sandbox]
    for name in ("early", "late"):  # the owners' hashes are to be equal
        (tmp_path / name).mkdir()
        (tmp_path / name / "author.key").write_bytes(b"k" * 32)
    run(capsys, *arguments, "--no-media", "--store", tmp_path / "early")
    run(capsys, *arguments, "--store", tmp_path / "early")
    pairs = (tmp_path / "pairs.txt").read_text().splitlines()
    (tmp_path / "first.txt").write_text("\n".join(pairs[: len(pairs) // 2]))
    run(capsys, "--vso", tmp_path / "first.txt", *arguments[2:], "--store", tmp_path / "late")
    before = rows(tmp_path / "late", "select post_id from media where status = 'stored'")
    run(capsys, *arguments, "--store", tmp_path / "late")
    early, late = (contents(tmp_path / name) for name in ("early", "late"))
    conflicts = {post[0] for post in early["posts"] if "conflicting_pairs" in post}
    assert conflicts & {post_id for (post_id,) in before}  # their images had been fetched
    assert early == late


def test_a_search_takes_a_number_of_photos_under_some_licences(capsys, tmp_path, sandbox):
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("\tpeaceful_garden [sentiment: 1.00]\n\tsad_dog [sentiment: -1.00]\n")
    arguments = ["--vso", pairs, "--sandbox-url", sandbox, "--no-media", "--limit", "2"]
    run(capsys, *arguments, "--store", tmp_path / "a")
    found = rows(tmp_path / "a", "select labels, count(*) from posts group by 1")
    assert max(n for _, n in found) == 2
    run(capsys, *arguments, "--licence", "0", "--store", tmp_path / "b")
    assert {name for (name,) in rows(tmp_path / "b", "select licence from posts")} == {"All Rights Reserved"}


def test_photos_by_id_are_asked_for_one_by_one(capsys, tmp_path, sandbox):
    photos = [p for p in FlickrCorpus(0, 600).photos.values() if p.fate == "public"][:3]
    pairs, listed = tmp_path / "pairs.txt", tmp_path / "photos.csv"
    pairs.write_text("\tsad_dog [sentiment: -1.00]\n")
    listed.write_text("".join(f"sad_dog,{photo.id}\n" for photo in photos))
    code, out, _ = run(
        capsys, "--vso", pairs, "--photos", listed, "--sandbox-url", sandbox, "--store", tmp_path / "s"
    )
    assert (code, out.splitlines()[1].strip()) == (0, "positive 0 · negative 3")
    assert rows(tmp_path / "s", "select count(*) from media where status = 'stored'") == [(3,)]


def test_bad_rows_are_shown_with_their_line_and_counted(capsys, tmp_path, sandbox):
    table = tmp_path / "awe_1.csv"
    table.write_text(
        "0,http://farm9.static.flickr.com/8383/1_a_z.jpg,1,4\n1,http://x.example/1.jpg,1,4\n2,3\n"
    )
    code, out, err = run(
        capsys, "--votes", table, "--sandbox-url", sandbox, "--no-media", "--store", tmp_path / "s"
    )
    assert (code, out.splitlines()[0]) == (0, "posts   asked 3 = 1 new + 1 bad row + 1 no flickr photo")
    assert err.splitlines() == [
        "warning: awe_1.csv, line 2: 'http://x.example/1.jpg' is not a Flickr photo: left out "
        "(no flickr photo)",
        "warning: awe_1.csv, line 3: 2 columns, not 4 (_, url, disagree, agree): '2,3': left out (bad row)",
    ]


def test_an_empty_table_is_told_and_counted_beside_others(capsys, tmp_path, sandbox):
    (tmp_path / "awe_1.csv").write_text("0,http://farm9.static.flickr.com/8383/1_a_z.jpg,1,4\n")
    (tmp_path / "fear_1.csv").write_text("")
    options = ["--sandbox-url", sandbox, "--no-media", "--store", tmp_path / "s"]
    code, out, err = run(capsys, "--votes", tmp_path, *options)
    assert (code, out.splitlines()[0]) == (0, "posts   asked 2 = 1 new + 1 empty list")
    assert err == "warning: fear_1.csv holds no row: left out (empty list)\n"
    code, out, err = run(capsys, "--votes", tmp_path / "fear_1.csv", *options)
    assert (code, out, err) == (2, "", f"error: --votes '{tmp_path}/fear_1.csv': no table holds a row\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name what to collect: --votes FILE …, --vso FILE or --ids FILE …, or try it with --sandbox"),
        (
            ["--votes", "awe.csv"],
            "FLICKR_API_KEY is not set, and titles and descriptions come from Flickr's API.",
        ),
        (["--votes", "nowhere.csv", "--no-text"], "--votes 'nowhere.csv' doesn't exist"),
        (
            ["--votes", "a.csv", "--vso", "b.txt"],
            "--votes and --vso are two datasets: collect them one after",
        ),
        (
            ["--ids", "a.txt", "--votes", "b.csv"],
            "--ids can't be combined with --votes or --vso: collect them one after",
        ),
        (
            ["--ids", "a.txt", "--vso", "b.txt"],
            "--ids can't be combined with --votes or --vso: collect them one after",
        ),
        (["--ids", "nowhere.txt", "--no-text"], "--ids 'nowhere.txt' doesn't exist"),
        (
            ["--photos", "a.txt", "--sandbox"],
            "--photos needs --vso FILE, the pairs and their sentiments",
        ),
        (
            ["--vso", "a.txt", "--no-text"],
            "--no-text needs lists of photos: a search is a call of Flickr's API",
        ),
        (["--votes", "a.csv", "--limit", "0"], "--limit 0 is below 1"),
        (["--votes", "a.csv", "--licence", "4"], "--licence needs a search: --vso FILE without --photos"),
        (
            ["--vso", "a.txt", "--licence", "4", "99"],
            "--licence 99 is none of Flickr's; there are 0 All Rights Reserved, 1 CC BY-NC-SA 2.0, ",
        ),
        (
            ["--sandbox-url", "http://127.0.0.1:1"],
            "--sandbox-url 'http://127.0.0.1:1' is not a sandbox with lists: ",
        ),
    ],
)
def test_what_cannot_work_is_one_line_and_exit_code_2(capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {message}")


def test_voted_photos_and_pairs_do_not_mix_in_one_store(capsys, tmp_path, sandbox):
    fetch_lists(sandbox, tmp_path)
    run(capsys, "--sandbox-url", sandbox, "--no-media", "--store", tmp_path / "s")
    code, _, err = run(
        capsys, "--vso", tmp_path / "pairs.txt", "--sandbox-url", sandbox, "--store", tmp_path / "s"
    )
    assert code == 2
    assert "voted photos and VSO's pairs need a store each: name another --store" in err
