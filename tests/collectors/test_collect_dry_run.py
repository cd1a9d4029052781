"""`affectory collect SITE --dry-run`: what a crawl would do."""

import json

import pytest

from affectory.cli import main
from collectors.store import Store
from tests.curation.stores import post

END = "dry run: nothing was asked for, and nothing was written\n"


@pytest.fixture(autouse=True)
def place_to_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"PRAW_{name}", raising=False)
    monkeypatch.setenv("FLICKR_API_KEY", "key")


def test_a_crawl_of_reddit_names_its_source_and_what_the_store_has(tmp_path, capsys):
    with Store.open("store") as store:
        store.add([post(1, "happy"), post(2, "happy"), post(3, "creepy")])
    before = (tmp_path / "store" / "crawl.sqlite").read_bytes()
    arguments = ["collect", "reddit", "--subs", "Happy", "gore", "--source", "archive", "--store", "store"]
    assert main([*arguments, "--dry-run"]) == 0
    assert capsys.readouterr().out == (
        "source   archive: the public Arctic Shift archive, no credentials\n"
        "requests 100 posts each, from a subreddit's oldest post to its newest, whatever the limit\n"
        "posts    r/happy  at most 1,000 posts; the store has 2\n"
        "posts    r/gore   at most 1,000 posts; the store has 0\n"
        "images   those of new posts, and 3 images still to fetch\n"
        f"store    store\n{END}"
    )
    assert main([*arguments, "--dry-run", "--json", "--min-ups", "50", "--no-media"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["communities"]["r/happy"] == {"at_most": None, "known": 2}
    assert (found["images"], found["images_waiting"]) == (False, 3)
    assert (tmp_path / "store" / "crawl.sqlite").read_bytes() == before


def test_files_are_named_with_their_size_and_a_new_store_isnt_made(tmp_path, capsys):
    (tmp_path / "happy.jsonl").write_text("{}\n" * 100_000)
    arguments = ["--subs", "happy", "--source", "dump", "--path", "happy.jsonl", "--limit", "1"]
    assert main(["collect", "reddit", *arguments, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "source   dump: 1 file, 0.3 MB",
        "requests none for posts: files are read",
        "posts    r/happy  at most 1 post; the store has 0",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["happy.jsonl"]


def test_a_crawl_of_flickr_counts_calls_and_the_hours_they_take(tmp_path, capsys):
    (tmp_path / "photos.txt").write_text("".join(f"{n}\n" for n in range(1_000, 4_600)))
    assert main(["collect", "flickr", "--ids", "photos.txt", "--store", "new", "--dry-run"]) == 0
    assert capsys.readouterr().out == (
        "source   lists of 3,600 photos, of which 3,600 new\n"
        "requests 3,600 calls of Flickr's API, 3,600 an hour: 60 min\n"
        "posts    photos  at most 3,600 posts; the store has 0\n"
        "images   those of new posts\n"
        f"store    new (a new one)\n{END}"
    )


def test_the_sandboxs_own_lists_are_refused(capsys):
    assert main(["collect", "flickr", "--sandbox", "--dry-run"]) == 2
    assert capsys.readouterr().err == (
        "error: --dry-run needs lists: those of the sandbox are fetched from it\n"
    )


def test_a_folders_rows_are_read_and_counted(place, capsys):
    arguments = ["collect", "local", "mine", "--path", str(place / "folder"), "--store", "new"]
    assert main([*arguments, "--datasets", str(place / "datasets"), "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "source   3 rows of posts.csv",
        "requests none: files are read",
        "posts    mine  at most 3 posts; the store has 0",
        "images   those of new posts",
        "store    new (a new one)",
        END.strip(),
    ]


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("file", "'file' is a file: name a folder for the store"),
        ("file/store", "'file' is a file: name a folder for the store"),
        ("s3://a/b", "'s3://a/b' is an address, and a crawl store can only be in a folder: name a folder"),
    ],
)
def test_a_place_that_cannot_be_a_store_is_refused_as_the_crawl_would(tmp_path, capsys, folder, line):
    (tmp_path / "file").touch()
    assert main(["collect", "reddit", "--subs", "happy", "--store", folder, "--dry-run"]) == 2
    assert capsys.readouterr() == ("", f"error: {line}\n")
