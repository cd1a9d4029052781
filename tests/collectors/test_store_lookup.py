"""What a crawl store keeps of a post, read from stores of any version."""

from dataclasses import replace

import pytest

from affectory.core.errors import StoreError
from collectors.store import Store
from collectors.store.lookup import Kept, keeps_public, kept, stores
from collectors.store.record import Media, Post

POST = Post("reddit:a", "reddit", "happy", title="A title", permalink="https://www.reddit.com/a")


def test_a_store_of_an_older_version_is_read_as_it_is(tmp_path):
    with Store.open(tmp_path / "old") as store:
        store.add([replace(POST, media=(Media("https://i.redd.it/a.jpg", 0, "image"),))])
        store._db.execute("alter table posts drop column taken")
        store._db.execute("pragma user_version = 2")
        assert kept(tmp_path / "old", "reddit:a") == Kept(
            has_post=True, permalink="https://www.reddit.com/a", has_content=True, links=1
        )
        assert kept(tmp_path / "old", "reddit:b") == Kept()
        assert store._db.execute("pragma user_version").fetchone() == (2,)
    assert list(stores(tmp_path)) == [tmp_path / "old"]


def test_a_tombstone_has_no_content_and_a_removed_candidate_is_buried(tmp_path):
    removed = replace(POST, removed="deleted")
    with Store.open(tmp_path) as store:
        store.add_candidates("top", [POST, replace(POST, post_id="reddit:b")], cursor=None, limit=5)
        assert kept(tmp_path, "reddit:a") == Kept(candidates=1)
        store.add_candidates("top", [removed], cursor=None, limit=5)
        assert kept(tmp_path, "reddit:a") == Kept(buried=1)
        store.add([removed])
        assert kept(tmp_path, "reddit:a") == Kept(has_post=True, removed="deleted")
        assert not keeps_public(tmp_path, ["reddit:a"])
        store.add([POST])
        assert keeps_public(tmp_path, ["reddit:a", "reddit:c"])
        assert not keeps_public(tmp_path, ["reddit:c"])


def test_a_file_that_is_not_a_database_can_not_be_read(tmp_path):
    (tmp_path / "crawl.sqlite").write_bytes(b"not a database at all" * 100)
    assert not keeps_public(tmp_path, ["reddit:a"])
    with pytest.raises(StoreError, match=r"the store '.*' can't be read: file is not a database"):
        kept(tmp_path, "reddit:a")
