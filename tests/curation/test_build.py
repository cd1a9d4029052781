"""What a build prints, and what it does to the store."""

import sqlite3

import datasets
import pytest

from affectory.core.errors import AffectoryError
from collectors.store import Store
from tests.curation.stores import built, contents, make_store, post

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


def load_line(done):
    [line] = [line for line in str(done).splitlines() if line.startswith("load ")]
    return line.removeprefix("load    ").partition("   (")[0]


@pytest.mark.slow
def test_the_line_that_loads_names_the_version_unless_it_is_the_default(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    folder = str(tmp_path / "out" / "test")
    assert load_line(built(tmp_path, store)) == f'datasets.load_dataset("{folder}")'
    assert load_line(built(tmp_path, store, "[split]\ntest = 0.2\n")) == f'datasets.load_dataset("{folder}")'
    assert load_line(built(tmp_path, store)) == f'datasets.load_dataset("{folder}", "1.0.0")'
    assert len(datasets.load_dataset(folder, "1.0.0", cache_dir=str(tmp_path / "cache"))["test"]) == 6


@pytest.mark.slow
def test_the_store_is_told_of_damaged_images_only_when_the_release_stands(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    damaged = min((store / "media").rglob("*.jpg"))
    damaged.unlink()
    in_the_way = tmp_path / "out" / "test" / "1.0.0" / "notes.txt"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.touch()
    with pytest.raises(AffectoryError, match="Directory not empty"):
        built(tmp_path, store)
    assert waiting(store) == 0
    in_the_way.unlink()
    done = built(tmp_path, store)
    assert done.manifest.notes[0].startswith("1 damaged or missing images were dropped")
    assert waiting(store) == 1
    assert built(tmp_path, store).manifest.version == "1.0.1"  # what the store says of it has changed


def waiting(store):
    with sqlite3.connect(store / "crawl.sqlite") as db:
        [found] = db.execute("select count(*) from media where status = 'pending'").fetchone()
    db.close()
    return found


@pytest.mark.slow
def test_a_community_that_the_labels_leave_out_is_named_and_changes_nothing_else(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    first = built(tmp_path, store)
    assert "the store also holds" not in str(first)
    before = contents(first.folder)
    with Store.open(store) as opened:
        opened.add([post(i, "gore", images=0) for i in range(100, 1299)])
        opened.add([post(30, "gore", post_id="reddit:00030a"), post(200, "aww", post_id="reddit:9")])
    again = built(tmp_path, store)
    note = "note    the store also holds posts of 'aww' (1), 'gore' (1,200), which the recipe doesn't ask for"
    assert note in str(again).splitlines()
    assert (again.stood, contents(again.folder)) == (True, before)
    chosen = built(tmp_path, store, '[source]\ncommunities = ["happy", "creepy"]\n')
    assert "the store also holds" not in str(chosen)
