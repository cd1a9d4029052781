"""Live duplicates of deleted posts come back, as a rebuild of the purged store has them."""

import json
from dataclasses import replace

import pytest

from collectors.reddit.__main__ import main as collect
from collectors.store import Store
from curation.deleted.removal import Places, purge
from curation.release.assemble import build
from tests.curation.stores import dropped_of, dropped_rows, make_store, post, rows_of, write_recipe

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]
BEST = '[duplicates]\nimages = "off"\npolicy = "keep-best"\n'
CONFLICTS = '[duplicates]\nimages = "off"\npolicy = "drop-conflicts"\n'


def twins(*numbers, title="twin titles are here", **more):
    return [post(n, "happy", title=title, **more) for n in numbers]


def made(tmp_path, posts, text):
    """Build a release; return the store and the release's folder."""
    store = make_store(tmp_path / "store", posts)
    return store, build(
        write_recipe(tmp_path / "datasets", text), store=store, out=tmp_path / "datasets"
    ).folder


def purged(store, old, *removed):
    """Purge what is deleted; return what was printed and the new release's folder."""
    with Store.open(store) as opened:
        opened.add([replace(one, removed="deleted") for one in removed])
    places = Places(old.parent, old.parents[2] / "results", old.parents[2] / "features")
    said = str(purge(places, store=store)).splitlines()
    return said, old.with_name("1.0.1")


def rebuilt(tmp_path, store, text):
    return build(write_recipe(tmp_path / "again", text), store=store, out=tmp_path / "again").folder


def ledger_of(folder):
    """Return the ledger but for the name of the stage that dropped the deleted posts."""
    ledger = json.loads((folder / "manifest.json").read_text())["ledger"]
    steps = {(step["reason"], step["rows"]) for step in ledger["steps"]}
    return ledger["collected"], ledger["kept"], steps


@pytest.mark.slow
def test_a_duplicate_takes_the_place_of_the_deleted_post_that_was_kept_for_it(tmp_path):
    best, second, third = twins(61, 62, 63)
    store, old = made(tmp_path, [*POSTS, replace(best, score=2000), second, third], BEST)
    assert rows_of(old)["reddit:00061", 0]["split"] == "test"
    said, new = purged(store, old, best)
    assert said[0] == (
        "test 1.0.1: 1 deleted post removed (1 deleted); 1 duplicate of deleted posts published instead"
    )
    after = rows_of(new)
    assert after["reddit:00062", 0]["split"] == "test"
    assert dropped_of(new) == [
        ("reddit:00061", "purge", "removed_by_source", "deleted", None),
        ("reddit:00063", "duplicates", "duplicate", "of reddit:00062", "twin titles are here"),
    ]
    again = rebuilt(tmp_path, store, BEST)
    assert after.keys() == rows_of(again).keys() == rows_of(new, "ids-").keys()
    same = [name for name in after["reddit:00062", 0] if name != "split"]
    assert all(after[key][name] == row[name] for key, row in rows_of(again).items() for name in same)
    assert ledger_of(new) == ledger_of(again)
    manifest = json.loads((new / "manifest.json").read_text())
    assert sum(n for split in manifest["counts"].values() for n in split.values()) == 61
    assert "61" not in {row["detail"][-2:] for row in dropped_rows(new)}


@pytest.mark.slow
def test_a_group_that_only_a_deleted_post_held_together_falls_apart(tmp_path):
    # 61 has the title of 62, 63 its picture.
    first, second = twins(61, 62)
    posts = [first, second, post(63, media=second.media)]
    text = '[duplicates]\nimages = ["exact"]\npolicy = "keep-best"\n'
    store, old = made(tmp_path, [*POSTS, *posts], text)
    assert {row["post_id"]: row["detail"] for row in dropped_rows(old)} == {
        "reddit:00062": "of reddit:00061",
        "reddit:00063": "of reddit:00061",
    }
    _, new = purged(store, old, posts[1])
    assert rows_of(new).keys() == rows_of(rebuilt(tmp_path, store, text)).keys()
    assert rows_of(new)["reddit:00063", 0]["split"] == rows_of(old)["reddit:00061", 0]["split"]


@pytest.mark.slow
def test_a_duplicate_that_the_store_lacks_stays_dropped_and_is_counted(tmp_path):
    best, second = twins(61, 62)
    store, old = made(tmp_path, [*POSTS, best, second], BEST)
    with Store.open(store) as opened:
        opened._db.execute("delete from posts where post_id = 'reddit:00062'")
    said, new = purged(store, old, best)
    assert (
        "note    1 duplicate of deleted posts can't be published instead: the crawl store no longer has them"
        in said
    )
    assert [row["detail"] for row in dropped_rows(new)] == ["deleted", "of a deleted post"]
    with Store.open(store) as opened:
        opened.add([second])
    purged(store, old, POSTS[0])
    assert ("reddit:00062", 0) in rows_of(old.with_name("1.0.2"))


@pytest.mark.slow
def test_posts_whose_conflict_was_the_deleted_ones_come_back_for_training(tmp_path):
    agree, contradicts = twins(61, 63), post(62, "creepy", title="twin titles are here")
    others = [post(64, "creepy", title="another pair"), post(65, "happy", title="another pair")]
    store, old = made(tmp_path, [*POSTS, *agree, contradicts, *others], CONFLICTS)
    assert len(dropped_rows(old)) == 5
    _, new = purged(store, old, contradicts)
    after = rows_of(new)
    assert {after[f"reddit:000{n}", 0]["split"] for n in (61, 63)} == {"train"}
    assert {after[f"reddit:000{n}", 0]["duplicate_group"] for n in (61, 63)} == {"reddit:00061"}
    assert [row["post_id"] for row in dropped_rows(new)] == ["reddit:00062", "reddit:00064", "reddit:00065"]
    assert after.keys() == rows_of(rebuilt(tmp_path, store, CONFLICTS)).keys()


@pytest.mark.slow
@pytest.mark.parametrize("which", ["kept", "dropped"])
def test_a_gallery_stays_in_one_split(tmp_path, which):
    gallery = post(62, "happy", title="twin titles are here", images=2)
    best = post(61, "happy", title="twin titles are here", score=5000)
    text = '[images]\nwhich = "all"\n' + BEST
    store, old = made(tmp_path, [*POSTS, best, gallery], text)
    _, new = purged(store, old, best if which == "kept" else gallery)
    after = rows_of(new)
    assert after.keys() == rows_of(rebuilt(tmp_path, store, text)).keys()
    splits = {row["split"] for key, row in after.items() if key[0] in ("reddit:00061", "reddit:00062")}
    assert splits == {"test"}


@pytest.mark.slow
def test_of_the_strict_recipe_as_many_stay_as_in_a_rebuild(tmp_path, sandbox):
    store = tmp_path / "store"
    place = ["--source", "oauth", "--sandbox-url", sandbox, "--store", str(store)]
    assert collect(["--subs", "rage", "gore", *place]) == 0
    text = '[source]\ncommunities = ["rage", "gore"]\n[[filters]]\nuse = "image"\n'
    text += '[duplicates]\nimages = "near"\ntexts = "near"\npolicy = "keep-best"\n'

    def recipe(folder):
        path = write_recipe(tmp_path / folder, text)
        path.write_text(path.read_text().replace("happy", "rage").replace("creepy", "gore"))
        return path

    old = build(recipe("datasets"), store=store, out=tmp_path / "datasets").folder
    kept = [row["detail"].removeprefix("of ") for row in dropped_rows(old) if row["reason"] == "duplicate"]
    deleted = sorted(set(kept))[:3]
    with Store.open(store) as opened:
        removed = opened.posts(deleted).values()
    assert len(removed) == 3
    _, new = purged(store, old, *removed)
    again = build(recipe("again"), store=store, out=tmp_path / "again").folder
    before, after = rows_of(old), rows_of(new)
    assert after.keys() == rows_of(again).keys()
    assert len(after) == len(before)  # each of the three had a duplicate
    assert ledger_of(new) == ledger_of(again)
    assert '<li class="bad">' not in (new / "report.html").read_text()
