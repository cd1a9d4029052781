"""Purged releases: what their source has deleted since is in them no more."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import datasets
import pytest

from collectors.store import Store
from curation.purge import main as purge
from curation.release.assemble import build
from tests.curation.stores import dropped_of, dropped_rows, make_store, post, rows_of, write_recipe

NOTHING = "test 1.0.0: no data of posts that their source has deleted; nothing to do\n"
POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.fixture(autouse=True)
def library(tmp_path, monkeypatch):
    """Where the `datasets` library keeps what it loads."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "library"))


def test_what_was_removed_and_what_is_left_are_there_as_json(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    folder = build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets").folder.parent
    arguments = ["test", "--datasets", str(folder.parent), "--store", str(store), "--json"]
    assert purge(arguments) == 0
    before = json.loads(capsys.readouterr().out)
    assert (before["wrote_version"], before["version"], before["next"]) == (False, "1.0.0", [])
    with Store.open(store) as opened:
        opened.add([replace(POSTS[3], removed="deleted"), replace(POSTS[40], removed="moderator")])
    (tmp_path / "out.txt").write_text(hashlib.sha256(b"reddit:00004").hexdigest())
    assert purge([*arguments, "--exclude", str(tmp_path / "out.txt")]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    [hub] = found.pop("copies")
    assert (hub["what"], err) == ("copy on a hub, where there is one", "")
    assert hub["clear"].startswith(f"affectory push test USER/test --datasets {folder.parent} && ")
    assert found == {
        "name": "test",
        "purged": "1.0.0",
        "version": "1.0.1",
        "release": str(folder / "1.0.1"),
        "wrote_version": True,
        "posts": {
            "published": {"deleted": 1, "moderator": 1, "opted_out": 1},
            "dropped": {},
            "duplicates_published": 0,
            "duplicates_lost": 0,
        },
        "features_removed": 0,
        "texts_removed": {},
        "versions_removed": [],
        "results_cleared": [],
        "versions_left": ["1.0.0"],
        "results_left": [],
        "exclude": {"file": str(folder / "exclude.txt"), "ids": 1, "new": 1, "of_releases": 1},
        "store": str(store),
        "opted_out_in_store": 1,
        "last_seen_elsewhere": 0,
        "next": [
            {
                "step": f"affectory purge test --remove-earlier --datasets {folder.parent} --store {store}",
                "note": None,
            }
        ],
    }


@pytest.mark.slow
def test_a_purge_drops_what_the_source_has_deleted_since_as_the_next_patch(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    recipe = write_recipe(tmp_path / "datasets")
    old = build(recipe, store=store, out=tmp_path / "datasets").folder
    arguments = ["test", "--datasets", str(tmp_path / "datasets"), "--store", str(store)]
    assert purge(arguments) == 0
    assert capsys.readouterr().out == NOTHING
    with Store.open(store) as opened:
        opened.add([replace(POSTS[3], removed="deleted"), replace(POSTS[40], removed="moderator")])
    assert purge(arguments) == 0
    folder = tmp_path / "datasets" / "test"
    new = folder / "1.0.1"
    assert capsys.readouterr().out == (
        "test 1.0.1: 2 deleted posts removed (1 deleted, 1 moderator)\n"
        f"release {new}\n"
        "note    earlier versions still hold deleted posts: 1.0.0\n"
        "        to remove those too: affectory purge test --remove-earlier "
        f"--datasets {folder.parent} --store {store}\n"
        "copies that this command doesn't remove:\n"
        "        copy on a hub, where there is one: "
        f"affectory push test USER/test --datasets {folder.parent} && "
        'python -c "from huggingface_hub import HfApi; '
        "HfApi().super_squash_history('USER/test', repo_type='dataset')\"\n"
    )
    before, after = rows_of(old), rows_of(new)
    assert before.keys() - after.keys() == {("reddit:00003", 0), ("reddit:00040", 0)}
    assert all(before[key] == after[key] for key in after)
    assert rows_of(new, "ids-").keys() == after.keys()
    assert dropped_of(new) == [
        ("reddit:00003", "purge", "removed_by_source", "deleted", None),
        ("reddit:00040", "purge", "removed_by_source", "moderator", None),
    ]
    manifest = json.loads((new / "manifest.json").read_text())
    assert manifest["notes"] == ["since version 1.0.0: 2 deleted posts removed (1 deleted, 1 moderator)"]
    assert (manifest["ledger"]["collected"], manifest["ledger"]["kept"]) == (60, 58)
    assert sum(n for split in manifest["counts"].values() for n in split.values()) == 58
    loaded = datasets.load_dataset(str(new.parent), cache_dir=str(tmp_path / "cache"))
    assert sum(len(split) for split in loaded.values()) == 58


@pytest.mark.slow
def test_a_refresh_without_the_store_is_one_line_and_makes_no_other(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets")
    nowhere = tmp_path / "nowhere"
    arguments = ["test", "--datasets", str(tmp_path / "datasets"), "--store", str(nowhere), "--refresh"]
    assert purge(arguments) == 2
    assert capsys.readouterr().err == (
        f"error: there is no crawl store in {str(nowhere)!r}: name one with --store "
        f"({tmp_path} has {str(store)!r})\n"
    )
    assert not nowhere.exists()


def purged(tmp_path, store, removed, capsys):
    """Mark posts as deleted, purge, and return what was printed first and the new release's folder."""
    with Store.open(store) as opened:
        opened.add([replace(one, removed="deleted") for one in removed])
    assert purge(["test", "--datasets", str(tmp_path / "datasets"), "--store", str(store)]) == 0
    printed = capsys.readouterr().out.splitlines()
    return printed[0], Path(printed[1].removeprefix("release "))


@pytest.mark.slow
def test_a_purge_leaves_a_tombstone_of_a_deleted_post_that_had_been_dropped(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    recipe = write_recipe(tmp_path / "datasets", '[[filters]]\nuse = "score"\nmin = 960\n')
    old = build(recipe, store=store, out=tmp_path / "datasets").folder
    (before,) = [row for row in dropped_rows(old) if row["post_id"] == "reddit:00050"]
    assert None not in (before["title"], before["permalink"], before["image_sha256"], before["thumbnail"])
    said, new = purged(tmp_path, store, [POSTS[50]], capsys)
    assert said == "test 1.0.1: 1 dropped post reduced to a tombstone (1 deleted)"
    tombstone = dict.fromkeys(before) | {
        "post_id": "reddit:00050",
        "image_index": 0,
        "community": "creepy",
        "stage": "purge",
        "reason": "removed_by_source",
        "detail": "deleted",
    }
    assert dropped_rows(new) == [tombstone if row == before else row for row in dropped_rows(old)]
    assert json.loads((new / "manifest.json").read_text())["ledger"]["steps"] == [
        {"stage": "score", "reason": "score_too_low", "rows": 18},
        {"stage": "purge", "reason": "removed_by_source", "rows": 1},
    ]
    page = (new / "report.html").read_text()
    assert POSTS[50].permalink not in page
    assert page.count('<li class="bad">') == 0
    said, _ = purged(tmp_path, store, [POSTS[3], POSTS[51]], capsys)
    assert said == (
        "test 1.0.2: 1 deleted post removed (1 deleted); 1 dropped post reduced to a tombstone (1 deleted)"
    )
    said, last = purged(tmp_path, store, [POSTS[5]], capsys)
    assert said == "test 1.0.3: 1 deleted post removed (1 deleted)"
    steps = json.loads((last / "manifest.json").read_text())["ledger"]["steps"]
    assert steps[-1] == {"stage": "purge", "reason": "removed_by_source", "rows": 4}
    assert (last / "report.html").read_text().count('<li class="bad">') == 0


@pytest.mark.slow
def test_a_post_removed_before_the_build_leaves_no_link_nor_picture(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    with Store.open(store) as opened:
        opened.add([replace(POSTS[3], removed="deleted")])
    recipe = write_recipe(tmp_path / "datasets", '[[filters]]\nuse = "removed"\n')
    (row,) = dropped_rows(build(recipe, store=store, out=tmp_path / "datasets").folder)
    shown = [row[name] for name in ("reason", "title", "permalink", "image_sha256", "thumbnail")]
    assert shown == ["removed_by_source", None, None, None, None]
    assert purge(["test", "--datasets", str(tmp_path / "datasets"), "--store", str(store)]) == 0
    assert capsys.readouterr().out == NOTHING


@pytest.mark.slow
def test_a_purge_counts_duplicates_and_twins_anew(capsys, tmp_path):
    titles = dict.fromkeys((0, 1, 2), "a title of three") | dict.fromkeys((3, 20), "a title of two")
    titles |= dict.fromkeys((4, 5), "another title of two")
    posts = [post(i, "happy" if i % 2 else "creepy", title=titles.get(i)) for i in range(60)]
    store = make_store(tmp_path / "store", posts)
    recipe = write_recipe(tmp_path / "datasets", '[split]\nleakage = "paper"\n')
    old = build(recipe, store=store, out=tmp_path / "datasets").manifest
    assert (old.duplicates, old.twins) == (
        {"groups": 3, "rows": 7, "largest": 3},
        {"test": 1, "validation": 0},
    )
    _, new = purged(tmp_path, store, [posts[0], posts[20]], capsys)
    manifest = json.loads((new / "manifest.json").read_text())
    assert manifest["duplicates"] == {"groups": 2, "rows": 4, "largest": 2}
    assert manifest["twins"] == {"test": 0, "validation": 0}
    groups = {key[0]: row["duplicate_group"] for key, row in rows_of(new).items()}
    assert {post_id: name for post_id, name in groups.items() if name} == {
        "reddit:00001": "reddit:00001",
        "reddit:00002": "reddit:00001",
        "reddit:00004": "reddit:00004",
        "reddit:00005": "reddit:00004",
    }
    assert groups == {key[0]: row["duplicate_group"] for key, row in rows_of(new, "ids-").items()}
    assert (new / "report.html").read_text().count('<li class="bad">') == 0


@pytest.mark.slow
def test_a_purge_of_all_posts_writes_nothing(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets")
    with Store.open(store) as opened:
        opened.add([replace(one, removed="deleted") for one in POSTS])
    folder = tmp_path / "datasets" / "test"
    assert purge(["test", "--datasets", str(folder.parent), "--store", str(store)]) == 2
    assert capsys.readouterr().err == (
        "error: all posts of test 1.0.0 are deleted at their source: nothing is left to release; "
        f"remove {str(folder)!r}\n"
    )
    assert sorted(p.name for p in folder.iterdir()) == ["1.0.0", "README.md", "recipe.toml"]


@pytest.mark.slow
def test_a_split_that_a_purge_empties_is_listed_no_more_and_the_others_load(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    build(write_recipe(tmp_path / "datasets"), store=store, out=tmp_path / "datasets")
    _, new = purged(tmp_path, store, POSTS[:6], capsys)
    assert list(new.glob("*test-*")) == []
    loaded = datasets.load_dataset(str(new.parent), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 48, "validation": 6}


@pytest.mark.slow
def test_a_release_built_elsewhere_is_purged_without_its_recipes_folder(capsys, tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    recipe = write_recipe(tmp_path / "recipes", f'[source]\nstore = "{store}"\n')
    recipe.with_name("card.md").write_text("Words on the dataset.\n")
    built = build(recipe, out=tmp_path / "elsewhere").folder
    shutil.rmtree(tmp_path / "recipes")
    with Store.open(store) as opened:
        opened.add([replace(POSTS[3], removed="deleted")])
    assert purge(["test", "--datasets", str(tmp_path / "elsewhere")]) == 0
    assert "test 1.0.1: 1 deleted post removed (1 deleted)" in capsys.readouterr().out
    card = (built.parent / "README.md").read_text()
    assert "\n\nWords on the dataset.\n\n" in card
    assert "recipe.toml" not in card


@pytest.mark.slow
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
        f"error: 'test' is not built in {str(tmp_path / 'datasets')!r} (built: none): affectory build test\n"
    )
