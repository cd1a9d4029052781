"""Releases rebuilt from ids after images of their galleries have gone, changed, moved or been added."""

import sqlite3
from dataclasses import replace

import pytest

from collectors.store import Store
from collectors.store.record import Media
from curation.hydrate import main as hydrate
from curation.ids import main as write_ids
from curation.manifest import manifest
from tests.curation.stores import (
    Picture,
    built,
    contents,
    dropped_of,
    dropped_rows,
    make_store,
    post,
    put_image,
    rows_of,
)

ALL = '[images]\nwhich = "all"\n[[filters]]\nuse = "removed"\n[[filters]]\nuse = "image"\n'
FIRST = ALL.replace('"all"', '"first"')
MIXED = '[images]\nwhich = "all"\n[[filters]]\nuse = "removed"\n'
GALLERY = "reddit:00061"
POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


def gallery(store, seeds):
    """Put a gallery of pictures of these seeds into a store; of None the image has gone."""
    media = tuple(
        Media(url=f"https://i.redd.it/gallery-{seed}-{i}.jpg", position=i, kind="image")
        for i, seed in enumerate(seeds)
    )
    with Store.open(store) as opened:
        opened.add([replace(post(61), media=media)])
        found = [
            put_image(opened, medium.url, Picture(10_000 + seed).bytes())
            for medium, seed in zip(media, seeds, strict=True)
            if seed is not None
        ]
    with sqlite3.connect(store / "crawl.sqlite") as db:
        db.execute("update media set status = 'gone', reason = 'not_found' where status = 'pending'")
    db.close()
    return found


def hydrated(tmp_path, recipe, before, after):
    """Build a store with a gallery, change the gallery, and rebuild the release of its ids."""
    store = make_store(tmp_path / "store", POSTS)
    digests = gallery(store, before)
    full = built(tmp_path, store, recipe).folder
    received = tmp_path / "received"
    assert write_ids([str(full.parent), "--out", str(received)]) == 0
    if after is None:
        with Store.open(store) as opened:
            opened.add([replace(post(61), removed="deleted")])
    else:
        gallery(store, after)
    arguments = [str(received), "--store", str(store), "--store-only", "--out", str(tmp_path / "full")]
    assert hydrate(arguments) == 0
    again = tmp_path / "full" / "1.0.0"
    book = manifest.read(again / "manifest.json").ledger
    ids = len(rows_of(full, "ids-"))
    assert (book.collected, book.kept + sum(step.rows for step in book.steps)) == (ids, ids)
    ours = {key[1]: row for key, row in rows_of(full).items() if key[0] == GALLERY}
    theirs = {key[1]: row for key, row in rows_of(again).items() if key[0] == GALLERY}
    others = [{k: r for k, r in rows_of(folder).items() if k[0] != GALLERY} for folder in (full, again)]
    assert others[0] == others[1]
    lost = [(row["image_index"], row["stage"], row["reason"], row["detail"]) for row in dropped_rows(again)]
    return digests, ours, theirs, lost


@pytest.mark.slow
def test_a_gallery_that_stands_comes_back_as_it_was(tmp_path):
    _, before, after, lost = hydrated(tmp_path, ALL, [1, 2, 3], [1, 2, 3])
    assert (after, lost) == (before, [])
    assert list(after) == [0, 1, 2]


@pytest.mark.slow
def test_of_a_gallery_only_the_image_that_has_gone_is_lost(tmp_path):
    _, before, after, lost = hydrated(tmp_path, ALL, [1, 2, 3], [1, None, 3])
    assert list(after) == [0, 2]
    assert after == {i: before[i] for i in (0, 2)}
    assert [row["image"]["path"] for row in after.values()] == ["reddit-00061-0.jpg", "reddit-00061-2.jpg"]
    assert lost == [(1, "image", "image_gone", "not_found")]


@pytest.mark.slow
def test_an_image_that_the_post_no_longer_links_has_gone_too(tmp_path):
    digests, before, after, lost = hydrated(tmp_path, ALL, [1, 2, 3], [1, 3])
    assert [after[i]["image_sha256"] for i in (0, 2)] == [digests[0], digests[2]]
    assert {i: row["image"] for i, row in after.items()} == {i: before[i]["image"] for i in (0, 2)}
    assert lost == [(1, "hydrate", "image_gone", digests[1])]


@pytest.mark.slow
def test_an_image_of_other_bytes_has_changed_and_its_neighbours_stay(tmp_path):
    digests, before, after, lost = hydrated(tmp_path, ALL, [1, 2, 3], [1, 9, 3])
    assert {i: row["image"] for i, row in after.items()} == {i: before[i]["image"] for i in (0, 2)}
    assert lost == [(1, "hydrate", "image_changed", digests[1])]


@pytest.mark.slow
def test_the_same_image_twice_stands_twice_and_once_if_one_has_gone(tmp_path):
    _, before, after, lost = hydrated(tmp_path, ALL, [1, 1, 2], [1, None, 2])
    assert list(before) == [0, 1, 2]
    assert list(after) == [0, 2]
    assert lost == [(1, "image", "image_gone", "not_found")]


@pytest.mark.slow
def test_a_gallery_of_which_all_images_have_gone_is_lost_image_by_image(tmp_path):
    _, before, after, lost = hydrated(tmp_path, ALL, [1, 2, 3], [None, None, None])
    assert (list(before), after) == ([0, 1, 2], {})
    assert lost == [(i, "image", "image_gone", "not_found") for i in range(3)]


@pytest.mark.slow
def test_images_that_were_added_or_moved_change_no_row(tmp_path):
    _, before, after, lost = hydrated(tmp_path, ALL, [1, 2, 3], [8, 3, 2, 1, 9])
    assert {i: row["image"] for i, row in after.items()} == {i: row["image"] for i, row in before.items()}
    assert lost == []


@pytest.mark.slow
def test_a_deleted_gallery_is_lost_with_each_of_its_images(tmp_path):
    _, before, after, lost = hydrated(tmp_path, ALL, [1, 2, 3], None)
    assert (list(before), after) == ([0, 1, 2], {})
    assert lost == [(i, "removed", "removed_by_source", "deleted") for i in range(3)]


@pytest.mark.slow
def test_a_first_image_is_found_behind_one_that_was_fetched_since(tmp_path):
    digests, before, after, lost = hydrated(tmp_path, FIRST, [None, 2, 3], [1, 2, 3])
    assert before[0]["image_sha256"] == digests[0]
    assert ({i: row["image"] for i, row in after.items()}, lost) == ({0: before[0]["image"]}, [])


@pytest.mark.slow
def test_a_first_image_that_has_gone_is_not_replaced_by_the_second(tmp_path):
    _, before, after, lost = hydrated(tmp_path, FIRST, [1, 2], [None, 2])
    assert (list(before), after) == ([0], {})
    assert lost == [(0, "image", "image_gone", "not_found")]


@pytest.mark.slow
def test_a_post_whose_ids_have_no_image_stays_what_it_was(tmp_path):
    _, before, after, lost = hydrated(tmp_path, MIXED, [None, None], [None, 5])
    assert (after, lost) == (before, [])
    assert after[0]["image"] is None


@pytest.mark.slow
def test_a_damaged_image_of_a_gallery_is_counted_and_left_to_the_collector(tmp_path, capsys):
    store = make_store(tmp_path / "store", POSTS)
    [_, digest, _] = gallery(store, [1, 2, 3])
    full = built(tmp_path, store, ALL).folder
    assert write_ids([str(full.parent), "--out", str(tmp_path / "received")]) == 0
    [path] = (store / "media").rglob(f"{digest}.jpg")
    path.write_bytes(b"other")
    arguments = ["--store", str(store), "--store-only", "--out", str(tmp_path / "full")]
    assert hydrate([str(tmp_path / "received"), *arguments]) == 0
    assert "1 damaged or missing images were dropped: collect again" in capsys.readouterr().out
    assert [d[:3] for d in dropped_of(tmp_path / "full" / "1.0.0")] == [(GALLERY, "pixels", "image_corrupt")]
    with Store.open(store) as opened:
        assert opened.media_counts(["happy", "creepy"])["pending", None] == 1


@pytest.mark.slow
@pytest.mark.parametrize("damage", [False, True])
def test_a_rebuild_has_a_digest_of_its_own_and_is_never_taken_for_the_release(tmp_path, damage):
    store = make_store(tmp_path / "store", POSTS)
    full = built(tmp_path, store, ALL)
    received = tmp_path / "received"
    assert write_ids([str(full.folder.parent), "--out", str(received)]) == 0
    if damage:
        with sqlite3.connect(store / "crawl.sqlite") as db:
            db.execute("update media set status = 'gone', sha256 = null where post_id = 'reddit:00007'")
        db.close()
    rebuilt = tmp_path / "rebuilt" / "out" / "test"
    assert hydrate([str(received), "--store", str(store), "--store-only", "--out", str(rebuilt)]) == 0
    assert manifest.read(rebuilt / "1.0.0" / "manifest.json").input_digest != full.manifest.input_digest
    original = make_store(tmp_path / "original", POSTS)
    done = built(tmp_path / "rebuilt", original, ALL)
    assert (done.stood, done.manifest.version, done.manifest.ledger.kept) == (False, "1.0.1", 60)


@pytest.mark.slow
def test_labels_are_those_of_the_ids_whatever_the_store_says_now(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    full = built(tmp_path, store, ALL)
    assert write_ids([str(full.folder.parent), "--out", str(tmp_path / "received")]) == 0
    with Store.open(store) as opened:
        opened.add([replace(POSTS[7], community="creepy")])
    arguments = ["--store", str(store), "--store-only", "--out", str(tmp_path / "full")]
    assert hydrate([str(tmp_path / "received"), *arguments]) == 0
    again = tmp_path / "full" / "1.0.0"
    assert manifest.read(again / "manifest.json").counts == full.manifest.counts
    assert {key: row["label"] for key, row in rows_of(again).items()} == {
        key: row["label"] for key, row in rows_of(full.folder).items()
    }


@pytest.mark.slow
def test_a_rebuild_that_was_killed_before_its_card_was_written_is_rebuilt(tmp_path, monkeypatch, capsys):
    store = make_store(tmp_path / "store", POSTS)
    full = built(tmp_path, store, ALL).folder
    assert write_ids([str(full.parent), "--out", str(tmp_path / "received")]) == 0
    arguments = [str(tmp_path / "received"), "--store", str(store), "--store-only", "--out"]
    assert hydrate([*arguments, str(tmp_path / "calm")]) == 0

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("curation.release.card.write", killed)
        assert hydrate([*arguments, str(tmp_path / "full")]) == 130
    assert hydrate([*arguments, str(tmp_path / "full")]) == 0
    assert contents(tmp_path / "full") == contents(tmp_path / "calm")
    assert hydrate([*arguments, str(tmp_path / "full")]) == 2
    assert "exists already" in capsys.readouterr().err
