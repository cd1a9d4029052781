"""`--json`: one document on standard output, whatever the command prints otherwise."""

import json
from pathlib import Path

import pytest

from affectory import cli
from tests.curation.stores import make_store, post


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A folder with a store of three posts and their images."""
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "data" / "mine", [post(n, "happy") for n in (1, 2, 3)])
    return tmp_path


def document(capsys, *arguments, code=0):
    assert cli.main([*arguments, "--json"]) == code
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_of_a_store_what_was_checked_and_all_faults(home, capsys):
    found, err = document(capsys, "verify", "data/mine")
    assert (found["store"], found["posts"], found["images"]) == ("data/mine", 3, 3)
    assert (found["faults"], found["next"], err) == ([], [], "")
    lost = next(path for path in Path("data/mine/media").rglob("*") if path.is_file())
    lost.unlink()
    found, _ = document(capsys, "verify", "data/mine", code=1)
    assert found["faults"] == [{"kind": "missing_file", "what": str(lost.relative_to("data/mine"))}]
    assert found["next"] == ["affectory verify data/mine --repair"]


def test_of_a_post_every_place_and_the_next_step(capsys):
    found, _ = document(capsys, "trace", "reddit:00002")
    [place] = found["places"]
    assert (found["post_id"], place["place"], place["is_tombstone"]) == (
        "reddit:00002",
        "store data/mine",
        False,
    )
    assert found["next"].startswith("next: no store records it as deleted")
    assert document(capsys, "trace", "reddit:00009", code=1)[0]["places"] == []


def test_of_this_machine_every_line_by_its_part(capsys):
    found, _ = document(capsys, "doctor", "--offline")
    assert list(found) == ["sources", "credentials", "sites", "disk", "versions", "gpu"]
    assert {"state": "ok", "name": "sandbox", "then": ""}.items() <= found["sources"][-1].items()


def test_of_a_merge_the_posts_of_each_store(capsys):
    found, err = document(capsys, "merge", "data/mine", "--into", "data/both")
    assert found["posts"] == {"data/mine": {"new": 3}}
    assert (found["store"], found["images_added"], err) == ("data/both", 3, "")


def test_of_a_crawl_all_counts_and_asides_go_to_standard_error(home, capsys, monkeypatch):
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"PRAW_{name}", raising=False)
    (home / "posts.jsonl").write_text(
        json.dumps({"id": "abc", "name": "t3_abc", "subreddit": "happy", "title": "a dog", "score": 7})
    )
    arguments = ["--source", "dump", "--path", "posts.jsonl", "--no-media", "--store", "new"]
    found, _ = document(capsys, "collect", "reddit", "--subs", "happy", *arguments, code=0)
    assert found["store"] == "new" and not found["interrupted"]
    assert sum(found["posts"].values()) == 1


def test_a_command_without_a_table_refuses_it_before_it_starts(home, capsys):
    assert cli.main(["init", "--json"]) == 2
    assert capsys.readouterr() == (
        "",
        "error: affectory init has no table that --json could print: leave it out\n",
    )
    assert not (home / "datasets").exists()
