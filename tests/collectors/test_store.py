import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectory.core.errors import StoreError
from collectors.store import Store, Task
from collectors.store.record import Media, Outcome, Post, author_hash
from tests import disks
from tests.collectors.sample import IMAGE, POST

STORED = Outcome("stored", sha256="ab" * 32, mime="image/jpeg", width=4, height=3, frames=1, bytes=2)


def put_file(store: Store) -> Path:
    """Write the file that `STORED` speaks of, as a worker does before the outcome is written."""
    file = store.media_path("ab" * 32, "image/jpeg")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"ab")
    return file


def media_rows(store: Store) -> list[tuple]:
    return store._db.execute(
        "select post_id, position, url, kind, status, reason, sha256 from media order by 1, 2"
    ).fetchall()


def test_a_post_is_new_then_known_then_updated(tmp_path):
    with Store.open(tmp_path / "s") as store:
        assert store.add([POST]) == {"new": 1}
        assert store.add([replace(POST, collected_at=1_800_000_000)]) == {"known": 1}
        assert store.add([replace(POST, score=7725)]) == {"updated": 1}
        row = store._db.execute("select post_id, score, votes, over_18 from posts").fetchall()
    assert row == [("reddit:3svmej", 7725, '{"disgust": 2, "fear": 3}', 0)]


def test_an_image_under_two_posts_is_one_task_and_its_outcome_reaches_both(tmp_path):
    other = replace(POST, post_id="reddit:other")
    with Store.open(tmp_path) as store, store.run("test") as run:
        store.add([POST, other])
        assert store.claim(run, ["creepy"], host="i.redd.it", n=5) == [Task(IMAGE.url, "image", None)]
        put_file(store)
        store.settle(IMAGE.url, STORED)
        assert [(row[0], row[4], row[6]) for row in media_rows(store)] == [
            ("reddit:3svmej", "stored", "ab" * 32),
            ("reddit:other", "stored", "ab" * 32),
        ]


def test_a_new_post_takes_over_the_outcome_of_an_address_fetched_before(tmp_path):
    with Store.open(tmp_path) as store, store.run("test") as run:
        store.add([POST])
        store.claim(run, ["creepy"], host="i.redd.it", n=1)
        put_file(store)
        store.settle(IMAGE.url, STORED)
        store.add([replace(POST, post_id="reddit:repost")])
        assert store.pending_hosts(["creepy"]) == {}
        assert store.media_counts(["creepy"]) == {("stored", None): 2}


def test_links_that_have_not_changed_keep_their_images(tmp_path):
    second = Media(url="https://i.redd.it/b.jpg", position=1, kind="image")
    with Store.open(tmp_path) as store, store.run("test") as run:
        store.add([POST])
        store.claim(run, ["creepy"], host="i.redd.it", n=1)
        put_file(store)
        store.settle(IMAGE.url, STORED)
        store.add([replace(POST, score=1)])
        assert media_rows(store)[0][4] == "stored"
        store.add([replace(POST, media=(IMAGE, second))])
        assert [row[2:5:2] for row in media_rows(store)] == [
            ("https://i.redd.it/a.jpg", "stored"),
            ("https://i.redd.it/b.jpg", "pending"),
        ]


def test_an_image_of_a_post_that_was_dropped_while_it_was_fetched_leaves_no_file(tmp_path):
    other = replace(POST, post_id="reddit:other", media=(Media("https://i.redd.it/copy.jpg", 0, "image"),))
    with Store.open(tmp_path) as store, store.run("test") as run:
        store.add([POST, other])
        store.claim(run, ["creepy"], host="i.redd.it", n=5)
        file = put_file(store)
        store.add([replace(POST, removed="deleted")])
        store.settle(IMAGE.url, STORED)
        assert not file.exists()
        assert [row[0] for row in media_rows(store)] == ["reddit:other"]
        put_file(store)
        store.settle("https://i.redd.it/copy.jpg", STORED)
        store.settle(IMAGE.url, STORED)  # the same picture, which another post shows
        assert file.exists()


def test_an_album_gives_way_to_its_images_and_what_stood_behind_it_moves_up(tmp_path):
    album = Media(url="https://i.imgur.com/nuE98.jpg", position=0, kind="imgur_album")
    behind = Media(url="https://i.redd.it/z.jpg", position=1, kind="image")
    with Store.open(tmp_path) as store:
        store.add([replace(POST, media=(album, behind))])
        images = [Media(f"https://i.imgur.com/{n}.jpg", n - 1, "imgur_image") for n in (1, 2)]
        store.replace_media(album.url, images)
        assert [row[1:4] for row in media_rows(store)] == [
            (0, "https://i.imgur.com/1.jpg", "imgur_image"),
            (1, "https://i.imgur.com/2.jpg", "imgur_image"),
            (2, "https://i.redd.it/z.jpg", "image"),
        ]
        # Collected again: the album isn't closed for that.
        assert store.add([replace(POST, media=(album, behind))]) == {"known": 1}
        assert len(media_rows(store)) == 3


def test_a_rerun_tries_again_only_what_failed_for_a_passing_reason(tmp_path):
    urls = [f"https://h/{i}.jpg" for i in range(4)]
    media = tuple(Media(url=url, position=i, kind="image") for i, url in enumerate(urls))
    outcomes = [
        Outcome("failed", "server_error", retry=True),
        Outcome("failed", "not_an_image"),
        Outcome("failed", "album_needs_client_id", retry=True),
        Outcome("gone", "not_found"),
    ]
    with Store.open(tmp_path) as store, store.run("test") as run:
        store.add([replace(POST, media=media)])
        store.claim(run, ["creepy"], host="h", n=9)
        for url, outcome in zip(urls, outcomes, strict=True):
            store.settle(url, outcome)
        assert store.requeue(["happy"]) == 0
        assert store.requeue(["creepy"], reasons_kept=["album_needs_client_id"]) == 1
        assert [t.url for t in store.claim(run, ["creepy"], host="h", n=9)] == [urls[0]]


def test_two_runs_never_claim_the_same_address(tmp_path):
    media = tuple(Media(url=f"https://h/{i}.jpg", position=i, kind="image") for i in range(6))
    with Store.open(tmp_path) as first, Store.open(tmp_path) as second:
        first.add([replace(POST, media=media)])
        with first.run("one") as one, second.run("two") as two:
            mine = {t.url for t in first.claim(one, ["creepy"], host="h", n=4)}
            yours = {t.url for t in second.claim(two, ["creepy"], host="h", n=4)}
            assert (len(mine), len(yours), mine & yours) == (4, 2, set())
            assert first.pending_hosts(["creepy"]) == {}


def test_what_a_killed_run_had_claimed_and_begun_is_handed_out_again(tmp_path):
    with Store.open(tmp_path) as store:
        store.add([POST])
    program = (
        "import os, signal, sys\n"
        "from collectors.store import Store\n"
        "store = Store.open(sys.argv[1])\n"
        "with store.run('killed') as run:\n"
        "    store.claim(run, ['creepy'], host='i.redd.it', n=1)\n"
        "    open(f'{sys.argv[1]}/media/tmp/{run.run_id}-1-x.jpg', 'w').close()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert killed.returncode == -9
    with Store.open(tmp_path) as store:
        assert store.pending_hosts(["creepy"]) == {}
        with store.run("next"):
            assert store.pending_hosts(["creepy"]) == {"i.redd.it": 1}
            assert list((tmp_path / "media" / "tmp").iterdir()) == []
    assert list((tmp_path / "runs").iterdir()) == []


def test_an_image_whose_bytes_a_power_cut_took_is_fetched_again(tmp_path):
    program = (
        "import os, signal, sys\n"
        "from collectors.store import Store, Outcome\n"
        "store = Store.open(sys.argv[1])\n"
        "with store.run('killed') as run:\n"
        "    store.claim(run, ['creepy'], host='i.redd.it', n=1)\n"
        "    stored = Outcome('stored', sha256='ab' * 32, mime='image/jpeg', bytes=2)\n"
        "    file = store.media_path('ab' * 32, 'image/jpeg')\n"
        "    file.parent.mkdir()\n"
        "    file.write_bytes(b'ab')\n"
        "    store.settle('https://i.redd.it/a.jpg', stored)\n"
        "    file.write_bytes(b'')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with Store.open(tmp_path) as store:
        store.add([POST])
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    with Store.open(tmp_path) as store, store.run("next"):
        assert store.pending_hosts(["creepy"]) == {"i.redd.it": 1}


def test_a_walk_is_written_with_its_page_and_its_best_posts_at_its_end(tmp_path):
    posts = [replace(POST, post_id=f"reddit:{i}", score=i) for i in range(10)]
    with Store.open(tmp_path) as store:
        store.add_candidates("w", posts[:5], cursor="5", limit=3)
        store.add_candidates("w", posts[5:], cursor="10", limit=3)
        assert (store.cursor("w"), store.candidates("w"), store.post_count(["creepy"])) == ("10", 3, 0)
        assert store.promote("w", 3, None) == {"new": 3}
        found = store._db.execute("select post_id from posts order by 1").fetchall()
        assert found == [("reddit:7",), ("reddit:8",), ("reddit:9",)]
        assert (store.cursor("w"), store.candidates("w")) == (None, 0)


def test_candidates_with_the_same_score_are_ranked_by_id(tmp_path):
    posts = [replace(POST, post_id=f"reddit:{i}", score=5) for i in "cab"]
    with Store.open(tmp_path) as store:
        store.add_candidates("w", posts, cursor=None, limit=2)
        store.promote("w", 2, None)
        found = store._db.execute("select post_id from posts order by 1").fetchall()
    assert found == [("reddit:a",), ("reddit:b",)]


def test_authors_are_hashed_with_a_key_that_only_the_owner_reads(tmp_path):
    with Store.open(tmp_path) as store:
        key = store.author_key()
        assert store.author_key() == key
    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / "author.key").stat().st_mode) == 0o600
    assert author_hash("reddit:someone", b"k" * 32) == "1923a0a64eb2c4a34d57a4df4c2b4376"
    assert author_hash("reddit:someone", key) != author_hash("reddit:someone", b"k" * 32)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"is a file: name a folder"):
        Store.open(tmp_path / "file")


def test_the_addresses_asked_for_least_come_first_and_those_not_asked_for_keep_their_count(tmp_path):
    media = tuple(Media(url=f"https://h/{i}.jpg", position=i, kind="image") for i in range(9))
    failed = Outcome("failed", "server_error", retry=True)
    with Store.open(tmp_path) as store, store.run("test") as run:
        store.add([replace(POST, media=media), replace(POST, post_id="reddit:b", media=media[:3])])
        order = [task.url for task in store.claim(run, ["creepy"], host="h", n=20)]
        assert len(order) == 9  # an address of two posts comes once
        for place, url in enumerate(order):
            store.settle(url, failed, tries=[4, 1, 0][place % 3])
        store.requeue(["creepy"])
        again = store.claim(run, ["creepy"], host="h", n=20)
    assert [(task.url, task.attempts) for task in again] == [
        *((url, 0) for url in order[2::3]),
        *((url, 1) for url in order[1::3]),
        *((url, 4) for url in order[0::3]),
    ]


def test_an_address_whose_posts_count_its_attempts_apart_is_claimed_once(tmp_path):
    with Store.open(tmp_path) as store, store.run("test") as run:
        store.add([POST, replace(POST, post_id="reddit:b")])
        store._db.execute("update media set attempts = 3 where post_id = 'reddit:b'")
        assert store.claim(run, ["creepy"], host="i.redd.it", n=5) == [Task(IMAGE.url, "image", None)]
        assert store.claim(run, ["creepy"], host="i.redd.it", n=5) == []


def test_pending_images_are_counted_by_host_in_the_communities_that_were_asked_for(tmp_path):
    def post(number, community, url):
        return replace(POST, post_id=f"reddit:{number}", community=community, media=(Media(url, 0, "image"),))

    with Store.open(tmp_path) as store, store.run("test") as run:
        store.add([post(k, "creepy", f"https://h{k % 2}.example/{k}.jpg") for k in range(5)])
        assert store.pending_hosts(["creepy"]) == {"h0.example": 3, "h1.example": 2}
        assert store.pending_hosts(["creepy", "rage"]) == {"h0.example": 3, "h1.example": 2}
        store.add([post(5, "rage", "https://h2.example/5.jpg")])
        assert store.pending_hosts(["creepy"]) == {"h0.example": 3, "h1.example": 2}
        assert store.pending_hosts(["rage"]) == {"h2.example": 1}
        store.claim(run, ["creepy"], host="h1.example", n=2)
        assert store.pending_hosts(["creepy", "rage"]) == {"h0.example": 3, "h2.example": 1}
        assert store.pending_hosts([]) == {}


def test_a_post_that_comes_twice_in_a_page_is_known_the_second_time(tmp_path):
    with Store.open(tmp_path) as store:
        assert store.add([POST, POST, replace(POST, score=1), POST]) == {"new": 1, "known": 1, "updated": 2}


def test_claiming_sorts_nothing_however_many_wait(tmp_path):
    asked = []
    with Store.open(tmp_path) as store, store.run("test") as run:
        store.add([POST])
        store._db.set_trace_callback(asked.append)
        store.claim(run, ["creepy"], host="i.redd.it", n=5)
        store._db.set_trace_callback(None)
        (select,) = [statement for statement in asked if statement.startswith("select")]
        plan = [row[3] for row in store._db.execute(f"explain query plan {select}")]
    assert plan[0] == "SEARCH m USING INDEX media_work (host=?)"
    assert not [step for step in plan if "TEMP B-TREE" in step]


def test_a_multi_label_post_keeps_its_labels_split_and_tags(tmp_path):
    post = replace(POST, labels=("shaming", "violence"), split="train", tags=("mot d\u2019ordre",))
    with Store.open(tmp_path) as store:
        store.add([post])
        found = store._db.execute("select labels, split, tags from posts").fetchall()
    assert found == [('["shaming", "violence"]', "train", '["mot d\u2019ordre"]')]


def test_another_programs_database_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "crawl.sqlite") as db:
        db.execute("create table theirs (x)")
    db.close()
    with pytest.raises(StoreError, match="not a crawl store"):
        Store.open(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "crawl.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="not a readable SQLite database"):
        Store.open(tmp_path)


def test_a_missing_store_is_not_made_by_looking(tmp_path):
    with pytest.raises(StoreError, match="there is no crawl store"):
        Store.open(tmp_path / "nothing", create=False)
    assert not (tmp_path / "nothing").exists()


def test_a_full_disk_is_one_line_and_what_was_written_stays(tmp_path):
    with disks.small(tmp_path / "small", "512k") as small, Store.open(small / "s") as store:
        store.add([POST])
        with pytest.raises(StoreError, match="no space is left on the disk of the store"):
            for i in range(1000):
                store.add([replace(POST, post_id=f"reddit:{i}", body="x" * 10_000)])
        assert store._db.execute("select title from posts where post_id = 'reddit:3svmej'").fetchall()
        assert store._db.execute("pragma integrity_check").fetchone() == ("ok",)


posts = st.builds(
    Post,
    post_id=st.from_regex(r"reddit:[a-z0-9]{1,3}", fullmatch=True),
    source=st.just("reddit"),
    community=st.sampled_from(["happy", "gore"]),
    title=st.text(st.characters(exclude_categories=["Cs"])),
    score=st.none() | st.integers(-(2**63), 2**63 - 1),
    removed=st.none() | st.just("deleted"),
    media=st.lists(
        st.sampled_from(["https://a/1.jpg", "https://b/2.jpg", "https://a/3.png"]), max_size=3
    ).map(lambda urls: tuple(Media(url=url, position=i, kind="image") for i, url in enumerate(urls))),
    collected_at=st.just(1),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(pages=st.lists(st.lists(posts, max_size=6), max_size=4), order=st.randoms())
def test_any_posts_in_any_order_are_counted_once_each_and_found_again(tmp_path_factory, pages, order):
    with Store.open(tmp_path_factory.mktemp("s")) as store:
        for page in pages:
            order.shuffle(page)
            assert store.add(page).total() == len(page)
        ids = {post.post_id for page in pages for post in page}
        assert store.post_count(["happy", "gore"]) == len(ids)
        linked = store._db.execute("select count(*) from media").fetchone()[0]
        assert store.media_counts(["happy", "gore"]).total() == linked
