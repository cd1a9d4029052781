"""A store of an older version is migrated; one of a newer version is refused."""

import json
import sqlite3
from dataclasses import replace

import pytest

from affectory.core.errors import StoreError
from collectors.store import Store
from collectors.store.reading import reading
from collectors.store.record import Media, as_generated
from tests.collectors.sample import POST


def test_a_store_of_a_newer_version_is_refused_untouched(tmp_path):
    Store.open(tmp_path).close()
    with sqlite3.connect(tmp_path / "crawl.sqlite") as db:
        db.execute("pragma user_version = 99")
    db.close()
    with pytest.raises(
        StoreError, match=r"has version 99, newer than this program reads \(7\): upgrade affectory"
    ):
        Store.open(tmp_path)


def test_a_store_of_version_1_is_brought_up_to_date_with_its_posts(tmp_path):
    with Store.open(tmp_path) as store:
        store.add([POST])
        before = store._db.execute("select post_id, title, votes from posts").fetchall()
        for column in ("labels", "split", "tags", "taken"):
            store._db.execute(f"alter table posts drop column {column}")
        as_in_version_3(store)
        store._db.execute("pragma user_version = 1")
    with Store.open(tmp_path) as store:
        assert store._db.execute("select post_id, title, votes from posts").fetchall() == before
        assert store._db.execute("select labels, split, tags, taken from posts").fetchall() == [
            (None, None, "[]", None)
        ]
        assert store._db.execute("pragma user_version").fetchone() == (7,)
        assert store.add([POST])["known"] == 1


def test_a_store_of_version_2_is_brought_up_to_date_with_its_posts(tmp_path):
    post = replace(POST, labels=("shaming",), split="train", tags=("a",))
    with Store.open(tmp_path) as store:
        store.add([post])
        before = store._db.execute("select labels, split, tags from posts").fetchall()
        store._db.execute("alter table posts drop column taken")
        as_in_version_3(store)
        store._db.execute("pragma user_version = 2")
    with Store.open(tmp_path) as store:
        assert store._db.execute("select labels, split, tags from posts").fetchall() == before
        assert store._db.execute("pragma user_version").fetchone() == (7,)
        assert store.add([post])["known"] == 1
        store.add([replace(post, taken="2012-08-06 15:04:02")])
        assert store.posts([post.post_id])[post.post_id].taken == "2012-08-06 15:04:02"


def as_in_version_5(store):
    for column in ("source_label", "observed_from", "observed_at"):
        store._db.execute(f"alter table posts drop column {column}")
    for column in ("signals", "refused_by"):
        store._db.execute(f"alter table media drop column {column}")
    store._db.execute("alter table media add column robots text")
    store._db.execute("drop table dumps")
    store._db.execute("pragma user_version = 5")


def as_in_version_3(store):
    as_in_version_5(store)
    store._db.execute("drop index media_work")
    store._db.execute("alter table media drop column ticket")
    store._db.execute("alter table posts drop column generated")
    store._db.execute("create index media_work on media (host, url) where status = 'pending'")
    store._db.execute("pragma user_version = 3")


def test_a_store_of_version_3_asks_for_addresses_in_the_same_order_as_a_new_one(tmp_path):
    media = tuple(Media(url=f"https://h/{i}.jpg", position=i, kind="image") for i in range(9))
    orders = []
    for name in ("new", "old"):
        with Store.open(tmp_path / name) as store:
            store.add([replace(POST, media=media)])
            if name == "old":
                as_in_version_3(store)
        with Store.open(tmp_path / name) as store, store.run("test") as run:
            assert store._db.execute("pragma user_version").fetchone() == (7,)
            orders.append([task.url for task in store.claim(run, ["creepy"], host="h", n=9)])
    assert orders[0] == orders[1]
    assert sorted(orders[0]) == [f"https://h/{i}.jpg" for i in range(9)] != orders[0]


def test_the_posts_of_a_store_of_version_4_are_unmarked_until_the_sandbox_gives_them_again(tmp_path):
    with Store.open(tmp_path) as store:
        store.add([POST])
        as_in_version_5(store)
        store._db.execute("alter table posts drop column generated")
        store._db.execute("pragma user_version = 4")
    with Store.open(tmp_path) as store:
        assert store._db.execute("pragma user_version").fetchone() == (7,)
        assert store.posts([POST.post_id]) == {POST.post_id: POST}
        assert store.add([POST]) == {"known": 1}
        marked = as_generated(POST)
        assert [store.add([marked]), store.add([marked])] == [{"updated": 1}, {"known": 1}]
        assert store.posts([POST.post_id]) == {POST.post_id: marked}
        store.add([replace(marked, removed="deleted")])
        assert store._db.execute("select generated, permalink from posts").fetchall() == [(1, None)]


def test_a_store_of_version_5_gets_the_columns_of_sources_and_signals(tmp_path):
    with Store.open(tmp_path) as store:
        store.add([POST])
        as_in_version_5(store)
    with Store.open(tmp_path) as store:
        assert store.posts([POST.post_id]) == {POST.post_id: POST}
        assert store._db.execute("select signals, refused_by from media limit 1").fetchall() == [(None, None)]
        seen = replace(POST, observed_from="archive", observed_at=1_750_000_000, source_label="Happy")
        assert [store.add([seen]), store.add([seen])] == [{"updated": 1}, {"known": 1}]
        assert store.posts([POST.post_id]) == {POST.post_id: seen}


def test_the_robots_tags_of_a_store_of_version_5_become_signals(tmp_path):
    media = tuple(Media(url=f"https://h/{i}.jpg", position=i, kind="image") for i in range(3))
    with Store.open(tmp_path) as store:
        store.add([replace(POST, media=media)])
        as_in_version_5(store)
        for position, status, robots in (
            (0, "refused", "X-Robots-Tag: noindex, noai"),
            (1, "stored", 'none; "x"'),
        ):
            store._db.execute(
                "update media set status = ?, robots = ? where position = ?", (status, robots, position)
            )
    with Store.open(tmp_path) as store:
        found = store._db.execute("select status, signals, refused_by from media order by position")
        assert [(status, signals and json.loads(signals), by) for status, signals, by in found] == [
            ("refused", {"x-robots-tag": ["noindex, noai"]}, "x-robots-tag"),
            ("stored", {"x-robots-tag": ['none; "x"']}, None),
            ("pending", None, None),
        ]
        assert "robots" not in [row[1] for row in store._db.execute("pragma table_info(media)")]


def test_a_store_of_version_6_gets_a_list_of_dumps(tmp_path):
    with Store.open(tmp_path) as store:
        store._db.execute("drop table dumps")
        store._db.execute("pragma user_version = 6")
    with Store.open(tmp_path) as store:
        for _ in range(2):
            store.add_dumps([("RS_2023-11.zst", "ab" * 32, "happy")])
    with reading(tmp_path) as store:
        assert store.dumps() == [("RS_2023-11.zst", "ab" * 32, "happy")]
