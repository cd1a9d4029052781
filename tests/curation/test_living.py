"""Releases that follow their sources: purge and hydrate."""

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

from collectors.errors import AffectoryError
from collectors.reddit.__main__ import main as collect
from collectors.store import Store
from curation.hydrate import main as hydrate
from curation.purge import main as purge
from curation.release import build
from tests.curation.stores import make_store, post, write_recipe

ROOT = Path(__file__).parents[2]
POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


def rows_of(folder, prefix=""):
    """Return a release's rows by post id and image, each with its split."""
    found = {}
    for split in ("train", "validation", "test"):
        for path in folder.glob(f"{prefix}{split}-*.parquet"):
            for row in pq.read_table(path).to_pylist():
                found[row["post_id"], row["image_index"]] = row | {"split": split}
    return found


def dropped_of(folder):
    rows = pq.read_table(next(folder.glob("dropped-*.parquet"))).to_pylist()
    return [(r["post_id"], r["stage"], r["reason"], r["detail"], r["title"]) for r in rows]


def test_a_purge_drops_what_the_source_has_deleted_since_as_the_next_patch(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    recipe = write_recipe(tmp_path / "datasets")
    old = build(recipe, store=store, out=tmp_path / "datasets").folder
    arguments = ["test", "--datasets", str(tmp_path / "datasets"), "--store", str(store)]
    assert purge(arguments) == 0
    assert capsys.readouterr().out == "test 1.0.0: its source has deleted none of its posts; nothing to do\n"
    with Store.open(store) as opened:
        opened.add([replace(POSTS[3], removed="deleted"), replace(POSTS[40], removed="moderator")])
    assert purge(arguments) == 0
    assert capsys.readouterr().out == (
        "test 1.0.1: 2 posts went (1 deleted, 1 moderator)\n"
        f"release {tmp_path / 'datasets' / 'test' / '1.0.1'}\n"
        "note    earlier versions still hold them: 1.0.0; --remove-earlier deletes those\n"
    )
    new = tmp_path / "datasets" / "test" / "1.0.1"
    before, after = rows_of(old), rows_of(new)
    assert before.keys() - after.keys() == {("reddit:00003", 0), ("reddit:00040", 0)}
    assert all(before[key] == after[key] for key in after)
    assert rows_of(new, "ids-").keys() == after.keys()
    assert dropped_of(new) == [
        ("reddit:00003", "purge", "removed_by_source", "deleted", None),
        ("reddit:00040", "purge", "removed_by_source", "moderator", None),
    ]
    manifest = json.loads((new / "manifest.json").read_text())
    assert (manifest["ledger"]["collected"], manifest["ledger"]["kept"]) == (60, 58)
    assert sum(n for split in manifest["counts"].values() for n in split.values()) == 58
    loaded = datasets.load_dataset(str(new.parent), cache_dir=str(tmp_path / "cache"))
    assert sum(len(split) for split in loaded.values()) == 58


def test_earlier_versions_go_on_request(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets")
    with Store.open(store) as opened:
        opened.add([replace(POSTS[3], removed="deleted")])
    folder = tmp_path / "datasets" / "test"
    purge(["test", "--datasets", str(folder.parent), "--store", str(store), "--remove-earlier"])
    assert sorted(p.name for p in folder.iterdir()) == ["1.0.1", "README.md", "recipe.toml"]


def test_a_dataset_that_is_not_built_is_one_line(capsys, tmp_path):
    write_recipe(tmp_path / "datasets")
    assert purge(["test", "--datasets", str(tmp_path / "datasets")]) == 2
    assert capsys.readouterr().err == (
        f"error: 'test' is not built in {str(tmp_path / 'datasets')!r}: affectory build test\n"
    )


def ids_alone(folder, target):
    """Copy of a dataset what may be passed on: card, manifest and ids."""
    version = next(p for p in folder.iterdir() if p.is_dir())
    (target / version.name).mkdir(parents=True)
    shutil.copy(folder / "README.md", target)
    for path in [version / "manifest.json", *version.glob("ids-*.parquet")]:
        shutil.copy(path, target / version.name)
    return target


def test_hydrating_gives_back_the_release_that_the_ids_came_from(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    full = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets").folder
    received = ids_alone(full.parent, tmp_path / "received")
    arguments = [str(received), "--store", str(store), "--store-only", "--out", str(tmp_path / "full")]
    assert hydrate(arguments) == 0
    assert "rebuilt from the ids of version 1.0.0: 60 of 60 rows" in capsys.readouterr().out
    assert rows_of(tmp_path / "full" / "1.0.0") == rows_of(full)


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


def test_hydrating_collects_the_posts_by_their_ids(tmp_path, sandbox, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    subs = ["--subs", "rage", "gore"]
    assert collect([*subs, "--sandbox-url", sandbox, "--store", "store"]) == 0
    text = '[source]\ncommunities = ["rage", "gore"]\n[[filters]]\nuse = "image"\n'
    recipe = write_recipe(tmp_path / "datasets", text)
    recipe.write_text(recipe.read_text().replace("happy", "rage").replace("creepy", "gore"))
    full = build(recipe, store=Path("store"), out=tmp_path / "datasets").folder
    received = ids_alone(full.parent, tmp_path / "received")
    assert (
        hydrate([str(received), "--store", "anew", "--sandbox-url", sandbox, "--out", str(tmp_path / "full")])
        == 0
    )
    assert rows_of(tmp_path / "full" / "1.0.0") == rows_of(full)


def test_a_folder_without_a_release_is_one_line(capsys, tmp_path):
    assert hydrate([str(tmp_path / "nothing"), "--store-only"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(AffectoryError):
        from curation.versions import find

        find(tmp_path / "nothing", None)
