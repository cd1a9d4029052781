"""Of a post that is no longer public, the store keeps a tombstone and nothing else."""

import sqlite3
from collections import Counter
from dataclasses import replace

import pytest

from collectors.crawl.progress import Progress
from collectors.crawl.selection import Selection
from collectors.crawl.source import Page
from collectors.store import Store
from collectors.store.record import Media, Outcome, Post
from tests.collectors.test_store_versions import as_in_version_5

DIGEST = "ab" * 32
IMAGE = Media("https://i.redd.it/a.jpg", 0, "image", fallback_url="https://preview.redd.it/a.jpg")
POST = Post(
    post_id="reddit:3svmej",
    source="reddit",
    community="creepy",
    title="A title of its own",
    body="A body of its own",
    author="0" * 32,
    created_at=1447575277,
    taken="2012-08-06",
    score=7724,
    num_comments=329,
    votes={"fear": 3},
    votes_total=5,
    label="fear",
    labels=("fear",),
    split="train",
    tags=("tag",),
    permalink="https://www.reddit.com/r/creepy/comments/3svmej/a_title_of_its_own/",
    licence="CC BY 2.0",
    licence_url="https://creativecommons.org/licenses/by/2.0/",
    over_18=True,
    media=(IMAGE,),
    collected_at=1_700_000_000,
)
DELETED = replace(POST, title="[deleted by user]", removed="deleted", collected_at=1_800_000_000)

#: A row of `posts` without the columns that are empty.
TOMBSTONE = {
    "post_id": "reddit:3svmej",
    "source": "reddit",
    "community": "creepy",
    "title": "",
    "body": "",
    "votes": "{}",
    "tags": "[]",
    "removed": "deleted",
    "collected_at": 1_800_000_000,
    "media_key": "4f53cda18c2baa0c",
}


def fetch(store, url=IMAGE.url, digest=DIGEST):
    """Put an image into the store as a crawl does; return its file."""
    file = store.media_path(digest, "image/jpeg")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"ab")
    store.settle(url, Outcome("stored", sha256=digest, mime="image/jpeg", width=4, height=3, bytes=2))
    return file


def post_rows(store):
    store._db.row_factory = sqlite3.Row
    found = [dict(row) for row in store._db.execute("select * from posts order by post_id")]
    store._db.row_factory = None
    return [{name: value for name, value in row.items() if value is not None} for row in found]


def test_of_a_post_that_was_removed_a_tombstone_stays_and_nothing_else(tmp_path):
    with Store.open(tmp_path) as store:
        store.add([POST])
        file = fetch(store)
        assert store.add([DELETED]) == {"updated": 1}
        assert post_rows(store) == [TOMBSTONE]
        assert store._db.execute("select count(*) from media").fetchone() == (0,)
        assert not file.exists()
        assert store.add([replace(DELETED, collected_at=1_900_000_000)]) == {"known": 1}
        assert store.add([replace(DELETED, removed="moderator")]) == {"updated": 1}


def test_a_post_that_was_removed_before_it_was_seen_leaves_a_tombstone_too(tmp_path):
    with Store.open(tmp_path) as store:
        assert store.add([DELETED]) == {"new": 1}
        assert post_rows(store) == [TOMBSTONE]
        assert store.pending_hosts(["creepy"]) == {}


def test_nothing_of_a_removed_post_is_left_in_the_stores_files(tmp_path):
    with Store.open(tmp_path) as store:
        other = Post("reddit:other", "reddit", "creepy", title="Another")
        store.add([POST, other])
        store.add_candidates("archive:creepy", [POST], cursor="1", limit=10)
        fetch(store)
        store.add([DELETED])
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"Another" in everything
    for own in (b"of its own", b"a_title_of", b"i.redd.it/a.jpg", DIGEST.encode()):
        assert own not in everything


def test_a_file_stays_while_another_post_holds_the_same_image(tmp_path):
    copy = Media("https://i.redd.it/copy.jpg", 0, "image")
    with Store.open(tmp_path) as store:
        store.add([POST, replace(POST, post_id="reddit:repost", media=(copy,))])
        fetch(store)
        file = fetch(store, copy.url)
        store.add([DELETED])
        assert file.exists()
        store.add([replace(DELETED, post_id="reddit:repost")])
        assert not file.exists()


def test_a_post_that_comes_back_is_whole_again_and_its_image_is_fetched_anew(tmp_path):
    with Store.open(tmp_path) as store:
        store.add([POST])
        fetch(store)
        store.add([DELETED])
        assert store.add([POST]) == {"updated": 1}
        assert store.posts([POST.post_id])[POST.post_id] == POST
        assert store.pending_hosts(["creepy"]) == {"i.redd.it": 1}


def test_an_image_that_its_author_took_out_of_a_gallery_leaves_no_file(tmp_path):
    second = Media("https://i.redd.it/b.jpg", 1, "gallery")
    with Store.open(tmp_path) as store:
        store.add([replace(POST, media=(IMAGE, second))])
        first_file, second_file = fetch(store), fetch(store, second.url, "cd" * 32)
        store.add([POST])
        assert (first_file.exists(), second_file.exists()) == (True, False)
        assert store.media_counts(["creepy"]) == {("stored", None): 1}


def test_the_image_of_a_crosspost_goes_when_the_post_it_shows_is_removed(tmp_path):
    of_removed = replace(IMAGE, status="failed", reason="post_removed")
    with Store.open(tmp_path) as store:
        store.add([POST])
        file = fetch(store)
        store.add([replace(POST, media=(of_removed,))])
        assert store.media_counts(["creepy"]) == {("failed", "post_removed"): 1}
        assert not file.exists()


def test_files_that_a_killed_process_was_to_delete_are_deleted_by_the_next(tmp_path):
    with Store.open(tmp_path) as store:
        store.add([POST])
        lost, kept = fetch(store, "https://i.redd.it/x.jpg", "cd" * 32), fetch(store)
        lost.write_bytes(b"ab")
        store._db.execute("insert into orphans values (?, 'image/jpeg')", ("cd" * 32,))
        store._db.execute("insert into orphans values (?, 'image/jpeg')", (DIGEST,))
    with Store.open(tmp_path) as store:
        assert (lost.exists(), kept.exists()) == (False, True)
        assert store._db.execute("select count(*) from orphans").fetchone() == (0,)


def test_an_address_whose_file_was_deleted_before_its_outcome_was_written_is_fetched_again(tmp_path):
    with Store.open(tmp_path) as store, store.run("test") as run:
        store.add([POST])
        store.claim(run, ["creepy"], host="i.redd.it", n=1)
        store.settle(IMAGE.url, Outcome("stored", sha256=DIGEST, mime="image/jpeg", bytes=2))
        assert store.pending_hosts(["creepy"]) == {"i.redd.it": 1}


def test_a_candidate_that_is_removed_keeps_its_place_until_the_walk_ends_but_not_its_content(tmp_path):
    walk, other = "archive:creepy", replace(POST, post_id="reddit:other", score=9)
    with Store.open(tmp_path) as store:
        store.add_candidates(walk, [POST, other], cursor="1", limit=1)
        store.add_candidates(walk, [DELETED], cursor="2", limit=1)
        (record,) = store._db.execute("select record from candidates").fetchone()
        assert b"[deleted by user]" not in record and b"i.redd.it" not in record
        assert store.promote(walk, 1, cursor="2") == {"new": 1}
        assert post_rows(store) == [TOMBSTONE]
        assert store.candidates(walk) == 0


def test_a_post_of_an_earlier_walk_is_buried_though_it_is_no_longer_among_the_best(tmp_path):
    better = replace(POST, post_id="reddit:better", score=10_000)
    with Store.open(tmp_path) as store:
        store.add([POST])
        store.add_candidates("archive:creepy", [better, DELETED], cursor="1", limit=1)
        assert post_rows(store) == [TOMBSTONE]


@pytest.mark.parametrize("changes", [{"min_ups": 10_000}, {"since": 1_600_000_000}])
def test_a_removed_post_that_the_crawl_leaves_out_is_buried_where_the_store_holds_it(tmp_path, changes):
    with Store.open(tmp_path) as store:
        store.add([POST])
        selection = Selection(store, Progress(), **changes)
        selection.take(Page("creepy", "walk", [DELETED, replace(DELETED, post_id="reddit:unknown")]))
        assert post_rows(store) == [TOMBSTONE]
        assert selection.progress.posts.total() == 2


def test_removed_posts_of_a_store_of_version_3_become_tombstones(tmp_path):
    live = replace(POST, post_id="reddit:live", media=(replace(IMAGE, url="https://i.redd.it/b.jpg"),))
    with Store.open(tmp_path) as store:
        store.add([POST, live])
        gone, kept = fetch(store), fetch(store, "https://i.redd.it/b.jpg", "cd" * 32)
        store.add_candidates("archive:creepy", [POST, live], cursor="1", limit=10)
        store._db.execute(
            "update posts set removed = 'deleted', collected_at = 1800000000 where post_id = ?",
            (POST.post_id,),
        )
        as_in_version_5(store)
        store._db.execute("drop table orphans")
        store._db.execute("drop index media_work")
        store._db.execute("create index media_work on media (host, url) where status = 'pending'")
        store._db.execute("alter table media drop column ticket")
        store._db.execute("alter table posts drop column generated")
        store._db.execute("drop index media_sha256")
        store._db.execute("pragma user_version = 3")
    with Store.open(tmp_path) as store:
        assert post_rows(store)[0] == TOMBSTONE
        assert (gone.exists(), kept.exists()) == (False, True)
        assert store._db.execute("select post_id from candidates").fetchall() == [("reddit:live",)]
        assert store.posts(["reddit:live"]) == {"reddit:live": live}
        assert store.add([DELETED]) == Counter({"known": 1})


# -- observations ------------------------------------------------------------------------------


def seen(post, source, moment):
    return replace(post, observed_from=source, observed_at=moment)


def row_of(store):
    found = store.posts([POST.post_id])[POST.post_id]
    return found.score, found.removed, found.observed_from, found.observed_at


def test_the_later_observation_of_a_post_stays(tmp_path):
    with Store.open(tmp_path) as store:
        store.add([seen(POST, "archive", 100)])
        assert store.add([seen(replace(POST, score=9), "oauth", 200)]) == {"updated": 1}
        assert row_of(store) == (9, None, "oauth", 200)
        assert store.add([seen(replace(POST, score=1), "archive", 150)]) == {"known": 1}
        # A list that doesn't say how old it is counts as older than anything.
        assert store.add([seen(replace(POST, score=1), "index", None)]) == {"known": 1}
        assert row_of(store) == (9, None, "oauth", 200)
        assert store.add([seen(replace(POST, score=10), "oauth", 300)]) == {"updated": 1}


def test_an_unchanged_post_is_known_and_its_later_observation_is_noted(tmp_path):
    with Store.open(tmp_path) as store:
        store.add([seen(POST, "index", None)])
        assert store.add([seen(POST, "archive", 100)]) == {"known": 1}
        assert row_of(store) == (7724, None, "archive", 100)
        assert store.add([seen(POST, "archive", 100), seen(POST, "oauth", 200)]) == {"known": 2}
        assert store.last_seen() == {"oauth": 1}


def test_a_removal_is_undone_by_a_later_observation_alone(tmp_path):
    with Store.open(tmp_path) as store:
        store.add([seen(POST, "archive", 100)])
        assert store.add([seen(DELETED, "oauth", 200)]) == {"updated": 1}
        assert store.add([seen(POST, "archive", 150)]) == {"known": 1}
        store.add_candidates("archive:creepy", [seen(POST, "archive", 150)], cursor="1", limit=10)
        ((record,),) = store._db.execute("select record from candidates").fetchall()
        assert b"of its own" not in record
        assert store.promote("archive:creepy", 10, "1") == {"known": 1}
        assert row_of(store) == (None, "deleted", "oauth", 200)
        assert store.add([seen(POST, "oauth", 300)]) == {"updated": 1}
        assert row_of(store) == (7724, None, "oauth", 300)


def test_of_a_row_older_than_version_6_it_is_not_known_who_saw_it(tmp_path):
    with Store.open(tmp_path) as store:
        store.add([POST])  # collected at 1,700,000,000
        assert store.add([seen(replace(POST, score=1), "archive", 1_600_000_000)]) == {"known": 1}
        assert store.add([seen(replace(POST, score=2), "archive", 1_750_000_000)]) == {"updated": 1}
        other = replace(POST, post_id="reddit:other")
        store.add([other])
        assert store.add([seen(replace(other, removed="deleted"), "archive", 1_600_000_000)]) == {
            "updated": 1
        }


def test_posts_are_counted_by_year_and_tombstones_apart(tmp_path):
    with Store.open(tmp_path) as store:
        store.add([POST, replace(POST, post_id="reddit:b", created_at=1_325_376_000), DELETED])
        store.add([replace(POST, post_id="reddit:c"), replace(POST, post_id="reddit:d", community="happy")])
        assert store.by_year("creepy", 0) == {2012: 1, 2015: 1, None: 1}
        assert store.by_year("creepy", 1_325_376_000) == {2015: 1, None: 1}
