"""Releases of which the ids alone are passed on, and full releases made of them again."""

import csv
import hashlib
import json
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import datasets
import pytest

from affectory.core.errors import AffectoryError
from collectors.reddit.__main__ import main as collect
from collectors.sandbox import running
from collectors.sandbox.generated.corpus import Corpus
from collectors.store import Store
from curation.hydrate import main as hydrate
from curation.ids import main as write_ids
from curation.purge import main as purge
from curation.release.assemble import build
from tests.curation.stores import contents, dropped_of, make_store, post, rows_of, write_recipe

ROOT = Path(__file__).parents[2]
POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.mark.slow
def test_of_ids_alone_nothing_is_purged(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    full = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets").folder
    ids_alone(full.parent, tmp_path / "received")
    assert purge(["received", "--datasets", str(tmp_path), "--store", str(store)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: '{tmp_path / 'received' / '1.0.0' / 'train-'}")
    assert line.endswith("is missing: purge the full release, and write its ids again")


def ids_alone(folder, target):
    """Write of a dataset what may be passed on: card, manifest and ids."""
    assert write_ids([str(folder), "--out", str(target)]) == 0
    return target


@pytest.mark.slow
def test_a_folder_of_ids_loads_by_its_card_and_holds_nothing_else(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    full = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets").folder
    assert write_ids([str(full.parent)]) == 0
    received = tmp_path / "datasets" / "test-ids"
    assert capsys.readouterr().out == (
        "test 1.0.0: 60 ids, no text, no images\n"
        f"ids     {received}\n"
        f"publish affectory push test-ids USER/test --datasets {received.parent}\n"
    )
    files = sorted(str(p.relative_to(received)) for p in received.rglob("*") if p.is_file())
    ids = sorted(f"1.0.0/{p.name}" for p in full.glob("ids-*.parquet"))
    assert files == [*ids, "1.0.0/manifest.json", "README.md"]
    cache = str(tmp_path / "cache")
    for config in ("ids", None):
        loaded = datasets.load_dataset(str(received), config, cache_dir=cache)
        sizes = {name: len(split) for name, split in loaded.items()}
        assert sizes == {"train": 48, "validation": 6, "test": 6}
        assert {"text", "image"} & set(loaded["test"].column_names) == set()
    card = (received / "README.md").read_text()
    assert "report.html" not in card and "pandas" not in card
    assert "`affectory hydrate FOLDER` fetches the posts again" in card


@pytest.mark.slow
def test_ids_of_the_folder_one_stands_in_go_beside_it_and_older_ones_are_named(capsys, tmp_path, monkeypatch):
    store = make_store(tmp_path / "store", POSTS)
    build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets")
    with Store.open(store) as opened:
        opened.add([replace(POSTS[3], removed="deleted")])
    assert purge(["test", "--datasets", str(tmp_path / "datasets"), "--store", str(store)]) == 0
    capsys.readouterr()
    monkeypatch.chdir(tmp_path / "datasets" / "test")
    assert write_ids([".", "--version", "1.0.0"]) == 0
    assert "note" not in capsys.readouterr().out
    assert write_ids(["."]) == 0
    received = tmp_path / "datasets" / "test-ids"
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"ids     {received}",
        f"publish affectory push test-ids USER/test --datasets {received.parent}",
        "note    other versions in this folder: 1.0.0; remove those with deleted posts",
    ]
    assert hydrate(["../test-ids", "--store", str(store), "--store-only"]) == 0
    monkeypatch.chdir(received)
    assert hydrate([".", "--store", str(store), "--store-only"]) == 2
    assert "test-ids-full/1.0.1' exists already" in capsys.readouterr().err


def test_ids_that_were_killed_before_their_card_was_written_are_written_again(capsys, tmp_path, monkeypatch):
    store = make_store(tmp_path / "store", POSTS)
    full = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets").folder
    calm = ids_alone(full.parent, tmp_path / "calm")

    def killed(*_):
        raise KeyboardInterrupt

    arguments = [str(full.parent), "--out", str(tmp_path / "received")]
    with monkeypatch.context() as patch:
        patch.setattr("curation.release.card.write", killed)
        assert write_ids(arguments) == 130
    assert write_ids(arguments) == 0
    assert contents(tmp_path / "received") == contents(calm)
    assert write_ids(arguments) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.slow
def test_ids_are_never_written_over_a_full_release_that_has_lost_its_card(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    full = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets").folder
    (full.parent / "README.md").unlink()
    before = contents(full)
    assert write_ids([str(full.parent), "--out", str(full.parent)]) == 2
    assert capsys.readouterr().err == (
        f"error: {str(full)!r} exists already: remove it, or name another --out\n"
    )
    assert contents(full) == before


@pytest.mark.slow
def test_ids_that_stand_or_miss_are_one_line(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    full = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets").folder
    received = ids_alone(full.parent, tmp_path / "received")
    assert write_ids([str(full.parent), "--out", str(received)]) == 2
    assert write_ids([str(tmp_path / "nothing")]) == 2
    next(full.glob("ids-*.parquet")).unlink()
    assert write_ids([str(full.parent), "--out", str(tmp_path / "other")]) == 2
    stands, nothing, missing = capsys.readouterr().err.splitlines()
    there = str(received / "1.0.0")
    assert stands == f"error: {there!r} exists already: remove it, or name another --out"
    assert nothing.startswith("error: 'nothing' is not built in ")
    assert missing.endswith("is missing, though the manifest lists it: build again")
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_hydrating_gives_back_the_release_that_the_ids_came_from(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    full = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets").folder
    received = ids_alone(full.parent, tmp_path / "received")
    arguments = [str(received), "--store", str(store), "--store-only", "--out", str(tmp_path / "full")]
    assert hydrate(arguments) == 0
    assert "rebuilt from the ids of version 1.0.0: 60 of 60 rows" in capsys.readouterr().out
    assert rows_of(tmp_path / "full" / "1.0.0") == rows_of(full)


@pytest.mark.slow
def test_what_can_not_be_had_any_more_goes_under_its_reason(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    full = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets").folder
    received = ids_alone(full.parent, tmp_path / "received")
    with Store.open(store) as opened:
        opened.add([replace(POSTS[3], removed="deleted")])
    with sqlite3.connect(store / "crawl.sqlite") as db:
        db.execute("pragma foreign_keys = on")
        db.execute("delete from posts where post_id = 'reddit:00005'")
        db.execute(
            "update media set status = 'gone', reason = 'not_found', sha256 = null "
            "where post_id = 'reddit:00007'"
        )
    db.close()
    hydrate([str(received), "--store", str(store), "--store-only", "--out", str(tmp_path / "full")])
    assert [d[:4] for d in dropped_of(tmp_path / "full" / "1.0.0")] == [
        ("reddit:00003", "removed", "removed_by_source", "deleted"),
        ("reddit:00005", "hydrate", "not_in_store", "not collected"),
        ("reddit:00007", "image", "image_gone", "not_found"),
    ]
    before, after = rows_of(full), rows_of(tmp_path / "full" / "1.0.0")
    assert len(after) == 57
    assert {key: row["split"] for key, row in after.items()} == {key: before[key]["split"] for key in after}


@pytest.fixture
def keyless(tmp_path, monkeypatch):
    """A folder on a machine without credentials of Reddit."""
    for name in [name for name in os.environ if name.startswith("praw_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rage_and_gore(place, more):
    """Write a recipe for two subreddits of the sandbox; return its path."""
    recipe = write_recipe(place / "datasets", '[source]\ncommunities = ["rage", "gore"]\n' + more)
    recipe.write_text(recipe.read_text().replace("happy", "rage").replace("creepy", "gore"))
    return recipe


def digests(folder):
    """Return the sha256 of each Parquet file with rows that are published."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.parquet"))
        if not path.name.startswith("dropped-")
    }


@pytest.mark.slow
def test_without_a_key_the_ids_of_a_release_give_the_same_files_again(capfd, keyless, sandbox):
    reddit = ["--subs", "rage", "gore", "--sandbox-url", sandbox, "--store"]
    assert collect([*reddit, "crawled"]) == 0
    recipe = rage_and_gore(keyless, '[[filters]]\nuse = "image"\n')
    full = build(recipe, store=Path("crawled"), out=keyless / "datasets").folder
    received = ids_alone(full.parent, keyless / "received")
    capfd.readouterr()
    assert hydrate([str(received), "--store", "anew", "--sandbox-url", sandbox, "--out", "full"]) == 0
    published = digests(full)
    assert len(published) == 6
    assert digests(Path("full", "1.0.0")) == published
    said = capfd.readouterr().out
    assert "by id from the archive, which may not know of every deletion (no credentials)" in said
    # And by the list of ids that the collector takes from anyone.
    ids = sorted({post_id for post_id, _ in rows_of(full)})
    Path("ids.txt").write_text("".join(f"{post_id}\n" for post_id in ids))
    assert collect([*reddit, "listed", "--source", "index", "--path", "ids.txt"]) == 0
    assert hydrate([str(received), "--store", "listed", "--store-only", "--out", "again"]) == 0
    assert digests(Path("again", "1.0.0")) == published


@pytest.mark.slow
def test_a_release_does_not_depend_on_who_saw_its_posts(tmp_path):
    stores = [make_store(tmp_path / name, POSTS) for name in ("a", "b")]
    with Store.open(stores[1]) as opened:
        seen = [replace(one, observed_from="archive", observed_at=1_750_000_000) for one in POSTS]
        assert opened.add(seen) == {"known": 60}
    first, second = (
        build(write_recipe(tmp_path / store.name), store=store, out=tmp_path / store.name / "out").folder
        for store in stores
    )
    assert digests(first) == digests(second)
    told = [json.loads((folder / "manifest.json").read_text())["input_digest"] for folder in (first, second)]
    assert told[0] == told[1]


@pytest.mark.slow
def test_a_purge_without_a_key_asks_the_archive_and_says_what_that_may_miss(capfd, keyless):
    posts = [post for post in Corpus(seed=8, posts=200).posts if post.sub in ("rage", "gore")]
    with Path("list.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "title", "url", "subreddit", "ups"])
        table.writerows([post.id, post.title, post.url, post.sub, post.ups] for post in posts)
    listed = ["--source", "index", "--path", "list.csv", "--store", "store", "--no-media"]
    assert collect(["--subs", "rage", "gore", *listed]) == 0
    recipe = rage_and_gore(keyless, '[images]\nwhich = "none"\n')
    build(recipe, store=Path("store"), out=keyless / "datasets")
    capfd.readouterr()
    with running(seed=8, posts=200) as base:
        assert purge(["test", "--refresh", "--sandbox-url", base, "--store", "store"]) == 0
    said = capfd.readouterr().out
    assert "note    88 posts by id from the archive, which may not know of every deletion " in said
    assert "test 1.0.1: 2 deleted posts removed (2 deleted)\n" in said
    assert (
        "note    86 posts of the store were last seen in an archive or a list, which may not know of every "
        "deletion: with Reddit credentials, --refresh asks Reddit\n"
    ) in said
    purged = dropped_of(keyless / "datasets" / "test" / "1.0.1")
    assert [row[:4] for row in purged] == [
        ("reddit:1di4cwa", "purge", "removed_by_source", "deleted"),
        ("reddit:1g6amcs", "purge", "removed_by_source", "deleted"),
    ]


@pytest.mark.slow
def test_posts_that_can_not_be_asked_for_again_are_one_line(capsys, keyless):
    posts = [replace(one, post_id=f"flickr:{n}", source="flickr") for n, one in enumerate(POSTS)]
    store = make_store(keyless / "store", posts)
    build(write_recipe(keyless / "datasets"), store=store, out=keyless / "datasets")
    assert purge(["test", "--refresh", "--store", str(store)]) == 2
    assert capsys.readouterr().err == (
        "error: posts of 'flickr' can't be asked for again by their ids: leave out --refresh\n"
    )


def test_a_folder_without_a_release_is_one_line(capsys, tmp_path):
    assert hydrate([str(tmp_path / "nothing"), "--store-only"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(AffectoryError):
        from curation.release.versions import find

        find(tmp_path / "nothing", None)
