"""`python -m collectors.merge`: several crawl stores in one."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from collectors.merge import main
from collectors.store import Store, media_path
from collectors.store.reading import reading
from collectors.store.record import Media, Outcome, author_hash
from tests.collectors.test_store_versions import as_in_version_5
from tests.curation.stores import Picture, make_store, post, put_image

ROOT = Path(__file__).parents[2]


def make(folder, *posts, pictures=False, key=None):
    make_store(folder, posts, pictures=pictures)
    if key is not None:
        (folder / "author.key").write_bytes(key)
    return folder


def merged(tmp_path, *stores, options=()):
    assert main([*map(str, stores), "--into", str(tmp_path / "both"), *options]) == 0
    return kept(tmp_path / "both")


def kept(folder):
    """Return what a store keeps of each post: its title, score and reason, and its media."""
    with reading(folder) as store:
        return {
            one.post["post_id"]: (
                one.post["title"],
                one.post["score"],
                one.post["removed"],
                [(row["status"], row["sha256"]) for row in one.media],
            )
            for one in store.records()
        }


def digest(number, position=0):
    return hashlib.sha256(Picture(number * 100 + position).bytes()).hexdigest()


def test_posts_of_both_stores_come_together_with_their_images(tmp_path, capsys):
    one = make(tmp_path / "one", post(1, title="a"), post(2, title="b"), pictures=True)
    other = make(tmp_path / "other", post(2, title="b"), post(3, title="c"), pictures=True)
    assert merged(tmp_path, one, other) == {
        "reddit:00001": ("a", 999, None, [("stored", digest(1))]),
        "reddit:00002": ("b", 998, None, [("stored", digest(2))]),
        "reddit:00003": ("c", 997, None, [("stored", digest(3))]),
    }
    lines = capsys.readouterr().out.splitlines()
    assert [line.replace(str(tmp_path), "") for line in lines] == [
        "posts   /one    2 = 2 new + 0 replaced + 0 known",
        "posts   /other  2 = 1 new + 0 replaced + 1 known",
        "images  3 added",
        "store   /both  (0 s)",
    ]
    for number in (1, 2, 3):
        path = media_path(tmp_path / "both", digest(number), "image/jpeg")
        assert path.read_bytes() == Picture(number * 100).bytes()


def test_a_second_merge_changes_nothing(tmp_path, capsys):
    one = make(tmp_path / "one", post(1), post(2), pictures=True)
    first = merged(tmp_path, one)
    capsys.readouterr()
    assert merged(tmp_path, one) == first
    assert "2 = 0 new + 0 replaced + 2 known\nimages  0 added\n" in capsys.readouterr().out


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")])
def test_the_newer_observation_wins_in_either_order(tmp_path, order):
    # collected later, but the archive looked at it earlier
    old = post(1, title="old", score=5, collected_at=1_900_000_000, observed_at=1_700_000_000)
    new = post(1, title="new", score=9, collected_at=1_800_000_000)
    make(tmp_path / "old", old)
    make(tmp_path / "new", new)
    found = merged(tmp_path, *(tmp_path / name for name in order))
    assert found["reddit:00001"] == ("new", 9, None, [("pending", None)])


@pytest.mark.parametrize("order", [("reddit", "archive"), ("archive", "reddit")])
def test_reddits_own_answer_wins_over_an_archives_of_the_same_age(tmp_path, order):
    for name, source in (("reddit", "oauth"), ("archive", "archive")):
        make(tmp_path / name, post(1, title=name, observed_from=source, observed_at=1_800_000_000))
    found = merged(tmp_path, *(tmp_path / name for name in order))
    assert found["reddit:00001"][0] == "reddit"


@pytest.mark.parametrize("order", [("public", "removed"), ("removed", "public")])
@pytest.mark.parametrize(
    ("times", "is_removed"),
    [
        ({"collected_at": 1_700_000_000}, True),
        ({"collected_at": 1_900_000_000}, True),  # when it was observed isn't known
        ({"collected_at": 1_900_000_000, "observed_at": 1_600_000_000}, True),  # an archive's copy
        ({"collected_at": 1_900_000_000, "observed_at": 1_900_000_000}, False),  # it came back
    ],
)
def test_only_a_later_observation_undoes_a_deletion(tmp_path, order, times, is_removed):
    make(tmp_path / "public", post(1, title="text", **times), pictures=True)
    make(tmp_path / "removed", post(1, removed="deleted", collected_at=1_800_000_000))
    found = merged(tmp_path, *(tmp_path / name for name in order))
    there = media_path(tmp_path / "both", digest(1), "image/jpeg").exists()
    if is_removed:
        assert (found["reddit:00001"], there) == (("", None, "deleted", []), False)
    else:
        assert (found["reddit:00001"], there) == (("text", 999, None, [("stored", digest(1))]), True)


@pytest.mark.parametrize("order", [("with", "without"), ("without", "with")])
def test_an_image_that_one_store_has_is_kept_though_the_other_copy_is_newer(tmp_path, order):
    make(tmp_path / "with", post(1, title="old"), pictures=True)
    without = make(tmp_path / "without", post(1, title="new", collected_at=1_800_000_000))
    with Store.open(without) as store:
        store.settle("https://i.redd.it/1-0.jpg", Outcome("gone", "not_found"))
    found = merged(tmp_path, *(tmp_path / name for name in order))
    assert found["reddit:00001"] == ("new", 999, None, [("stored", digest(1))])


@pytest.mark.parametrize("order", [("stored", "refused"), ("refused", "stored")])
def test_an_image_that_its_host_refuses_later_is_not_kept(tmp_path, order):
    make(tmp_path / "stored", post(1), pictures=True)
    refused = make(tmp_path / "refused", post(1))
    with Store.open(refused) as store:
        store.settle("https://i.redd.it/1-0.jpg", Outcome("refused", "noai"))
        with store._transaction() as db:
            db.execute("update media set fetched_at = fetched_at + 100")
    found = merged(tmp_path, *(tmp_path / name for name in order))
    assert found["reddit:00001"][3] == [("refused", None)]
    assert not media_path(tmp_path / "both", digest(1), "image/jpeg").exists()


@pytest.mark.parametrize("order", [("opened", "closed"), ("closed", "opened")])
def test_an_album_that_one_store_has_opened_stays_open(tmp_path, order):
    for name in order:
        make(tmp_path / name, post(1))
    with Store.open(tmp_path / "opened") as store:
        urls = ("https://i.imgur.com/a.jpg", "https://i.imgur.com/b.jpg")
        images = [Media(url, position, "imgur_image") for position, url in enumerate(urls)]
        store.replace_media("https://i.redd.it/1-0.jpg", images)
        put_image(store, "https://i.imgur.com/b.jpg", Picture(7).bytes())
    stored = hashlib.sha256(Picture(7).bytes()).hexdigest()
    found = merged(tmp_path, *(tmp_path / name for name in order))
    assert found["reddit:00001"][3] == [("pending", None), ("stored", stored)]


def test_an_address_that_two_posts_link_to_is_stored_for_both(tmp_path):
    shared = post(1).media
    one = make(tmp_path / "one", post(2, media=shared))
    other = make(tmp_path / "other", post(1), pictures=True)
    found = merged(tmp_path, one, other)
    assert [found[name][3] for name in ("reddit:00001", "reddit:00002")] == [[("stored", digest(1))]] * 2


def test_a_file_that_is_missing_is_counted_and_waits(tmp_path, capsys):
    one = make(tmp_path / "one", post(1), post(2), pictures=True)
    media_path(one, digest(1), "image/jpeg").unlink()
    assert merged(tmp_path, one)["reddit:00001"][3] == [("pending", None)]
    said = capsys.readouterr().out
    assert (
        f"images  1 added\nnote    1 image file is missing or damaged in {one}: affectory verify {one}\n"
        in said
    )


@pytest.mark.parametrize("order", [("bad", "good"), ("good", "bad")])
def test_a_damaged_file_does_not_win_over_a_whole_one(tmp_path, capsys, order):
    for name in order:
        make(tmp_path / name, post(1), pictures=True)
    data = Picture(100).bytes()
    media_path(tmp_path / "bad", digest(1), "image/jpeg").write_bytes(data[:-3] + b"?" + data[-2:])
    assert merged(tmp_path, *(tmp_path / one for one in order))["reddit:00001"][3] == [("stored", digest(1))]
    assert media_path(tmp_path / "both", digest(1), "image/jpeg").read_bytes() == data
    note = f"note    1 image file is missing or damaged in {tmp_path / 'bad'}: affectory verify"
    assert (note in capsys.readouterr().out) == (order[0] == "bad")


def test_a_damaged_file_that_no_store_has_whole_waits(tmp_path):
    one = make(tmp_path / "one", post(1), pictures=True)
    data = Picture(100).bytes()
    media_path(one, digest(1), "image/jpeg").write_bytes(data[:-3] + b"?" + data[-2:])
    assert merged(tmp_path, one)["reddit:00001"][3] == [("pending", None)]
    assert files_of(tmp_path / "both") == {}


def test_merging_again_brings_back_a_file_that_was_lost(tmp_path):
    one = make(tmp_path / "one", post(1), pictures=True)
    whole = merged(tmp_path, one)
    path = media_path(tmp_path / "both", digest(1), "image/jpeg")
    path.unlink()
    assert (merged(tmp_path, one), path.exists()) == (whole, True)
    with Store.open(tmp_path / "both") as store:
        store.refetch([digest(1)])
    assert (merged(tmp_path, one), path.exists()) == (whole, True)


def test_the_dumps_of_all_stores_come_together(tmp_path):
    stores = [make(tmp_path / name, post(number)) for number, name in enumerate(("one", "other"))]
    for folder, more in zip(stores, ("2", "3"), strict=True):
        with Store.open(folder) as store:
            store.add_dumps([("1.zst", "a" * 64, "happy"), (f"{more}.zst", "b" * 64, "rage")])
    merged(tmp_path, *stores)
    with reading(tmp_path / "both") as store:
        assert [(name, community) for name, _, community in store.dumps()] == [
            ("1.zst", "happy"),
            ("2.zst", "rage"),
            ("3.zst", "rage"),
        ]


def test_a_store_of_version_4_is_merged_and_stays_as_it_is(tmp_path):
    one = make(tmp_path / "one", post(1, title="a"), pictures=True)
    with Store.open(one) as store:
        as_in_version_5(store)
        store._db.execute("alter table posts drop column generated")
        store._db.execute("pragma user_version = 4")
    before = (one / "crawl.sqlite").read_bytes()
    assert merged(tmp_path, one)["reddit:00001"] == ("a", 999, None, [("stored", digest(1))])
    assert (one / "crawl.sqlite").read_bytes() == before


KEY, OTHER = bytes(32), bytes(range(32))


def test_stores_with_one_key_keep_their_authors_and_give_it_to_the_merged_one(tmp_path):
    author = author_hash("reddit:a", KEY)
    one = make(tmp_path / "one", post(1, author=author), key=KEY)
    other = make(tmp_path / "other", post(2, author=author), key=KEY)
    merged(tmp_path, one, other)
    key = tmp_path / "both" / "author.key"
    assert (key.read_bytes(), key.stat().st_mode & 0o777) == (KEY, 0o600)
    with reading(tmp_path / "both") as store:
        assert [one.post["author"] for one in store.records()] == [author, author]


def test_stores_with_different_keys_are_refused_unless_authors_are_dropped(tmp_path, capsys):
    one = make(tmp_path / "one", post(1, author="a" * 32), post(2, author="b" * 32), key=KEY)
    newer = [post(n, author="c" * 32, title="new", collected_at=1_800_000_000) for n in (2, 3)]
    other = make(tmp_path / "other", *newer, key=OTHER)
    assert main([str(one), str(other), "--into", str(tmp_path / "both")]) == 2
    assert capsys.readouterr().err == (
        f"error: the authors of '{other}' are hashed with another key than those of '{one}', so one author "
        "would have two hashes: leave them out with --drop-authors\n"
    )
    assert not (tmp_path / "both").exists()
    merged(tmp_path, one, other, options=["--drop-authors"])
    with reading(tmp_path / "both") as store:
        found = [(one.post["title"], one.post["author"]) for one in store.records()]
    # the second post's author is known by the first store's key
    assert found == [("this is the title of number 1", "a" * 32), ("new", "b" * 32), ("new", None)]
    assert f"note    the authors of {other} were left out\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "fault"), [(None, "is missing"), (b"12345", "has 5 bytes, not 32"), (b"", "has 0 bytes, not 32")]
)
def test_a_store_whose_key_is_missing_or_damaged_is_refused(tmp_path, capsys, key, fault):
    one = make(tmp_path / "one", post(1, author="a" * 32), key=key)
    assert main([str(one), "--into", str(tmp_path / "both")]) == 2
    assert capsys.readouterr().err == (
        f"error: '{one}/author.key' {fault}, and the store has authors that were hashed with it: restore it "
        "from a copy, or leave them out with --drop-authors\n"
    )
    assert not (tmp_path / "both").exists()
    merged(tmp_path, one, options=["--drop-authors"])
    assert not (tmp_path / "both" / "author.key").exists()


def test_a_folder_whose_name_is_not_utf_8_is_in_the_log_by_its_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    odd = os.fsdecode(b"m\xe9")
    make(tmp_path / "one", post(1))
    assert main(["one", "--into", odd]) == 0
    with reading(Path(odd)) as store:
        assert store.last_command() == r"python -m collectors.merge one --into m\xe9"
        [(summary,)] = store._db.execute("select summary from runs")
    assert r"store   m\xe9  (" in summary


def test_what_can_not_be_merged_is_one_line(tmp_path, capsys):
    one = make(tmp_path / "one", post(1))
    assert main([str(one), "--into", f"{tmp_path}/./one"]) == 2
    assert main([str(tmp_path / "none"), "--into", str(tmp_path / "both")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"error: --into '{one}' is one of the stores: name another folder",
        f"error: there is no crawl store in '{tmp_path}/none': name a folder that holds crawl.sqlite",
    ]
    (tmp_path / "file").touch()
    assert main([str(one), "--into", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err == f"error: '{tmp_path}/file' is a file: name a folder for the store\n"
    with Store.open(tmp_path / "both") as store, store.run("a crawl"):
        assert main([str(one), "--into", str(tmp_path / "both")]) == 2
    assert capsys.readouterr().err == (
        f"error: run 1 is working on the store '{tmp_path}/both': merge when it has ended\n"
    )


KILLED = """
import os, signal, sys
from collectors import merge

left = int(sys.argv[1])

def count(event, arguments):
    global left
    if event in ("os.link", "os.rename"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

merge.BATCH = 5
sys.addaudithook(count)
merge.main(sys.argv[2:])
"""


@pytest.mark.slow
@pytest.mark.parametrize("files", [0, 1, 2, 9, 16, 17])
def test_after_kill_9_at_any_instant_a_rerun_finishes(tmp_path, files):
    one = make(tmp_path / "one", *map(post, range(12)), pictures=True)
    whole = merged(tmp_path, one)
    (tmp_path / "both").rename(tmp_path / "whole")
    command = [sys.executable, "-c", KILLED, str(files), str(one), "--into", str(tmp_path / "both")]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    assert done.returncode == -signal.SIGKILL
    assert merged(tmp_path, one) == whole
    assert files_of(tmp_path / "both") == files_of(tmp_path / "whole")


def files_of(folder):
    """Return the files of a store's images, half-written ones too, with their bytes."""
    found = (path for path in (folder / "media").rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in found}


def test_a_preview_whose_original_is_still_asked_for_comes_along_and_is_no_fault(tmp_path):
    one = make(tmp_path / "one", post(1), pictures=True)
    with Store.open(one) as store:
        store._db.execute("update media set retry = 1, reason = 'rate_limited'")
        assert store.requeue(["happy"]) == 1
    found = merged(tmp_path, one)
    assert found["reddit:00001"][3] == [("pending", digest(1))]
    with reading(tmp_path / "both") as both:
        [(sha256, mime, _)] = both.images()
        assert both.faults() == []
    assert media_path(tmp_path / "both", sha256, mime).is_file()
