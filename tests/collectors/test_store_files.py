"""The files of a store: which database is opened and how, who may read them, and the key of the authors."""

import hashlib
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace

import pytest

from affectory.core.errors import StoreError
from collectors.crawl.progress import Progress
from collectors.crawl.selection import Selection
from collectors.crawl.source import Page
from collectors.reddit.__main__ import main
from collectors.store import Store, database, runs
from collectors.store.check import check
from collectors.store.lookup import keeps_public, kept
from tests import disks
from tests.collectors.sample import POST

#: What file systems and synchronisers put among the locks of runs.
OTHERS = [".DS_Store", "1 copy.lock", "1-conflict.lock", "2.lock.icloud"]

THEIRS = "create table posts (post_id text); insert into posts values ('theirs')"


def contents(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(
    "pragmas",
    [
        "pragma journal_mode = delete",
        "pragma journal_mode = wal",
        "pragma user_version = 3",
        "pragma user_version = 71; pragma application_id = 252006673",
    ],
)
def test_a_foreign_database_is_refused_byte_for_byte_unchanged(tmp_path, pragmas, create):
    with closing(sqlite3.connect(tmp_path / "crawl.sqlite")) as db:
        db.executescript(f"{pragmas}; {THEIRS}")
    before = contents(tmp_path)
    with pytest.raises(
        StoreError, match=r"is a SQLite database, but not a crawl store: choose another store"
    ):
        Store.open(tmp_path, create=create)
    for look in (check, lambda folder: kept(folder, "reddit:a")):
        with pytest.raises(StoreError, match=r"is a SQLite database, but not a crawl store"):
            look(tmp_path)
    assert not keeps_public(tmp_path, ["theirs"])
    assert contents(tmp_path) == before


@pytest.mark.parametrize("create", [True, False])
def test_an_empty_file_does_not_become_a_store(tmp_path, create):
    (tmp_path / "crawl.sqlite").touch()
    with pytest.raises(
        StoreError, match=r"there is no crawl store in .*: its crawl.sqlite is empty; remove it"
    ):
        Store.open(tmp_path, create=create)
    assert (tmp_path / "crawl.sqlite").stat().st_size == 0


def test_a_database_that_cannot_be_completed_leaves_no_file(tmp_path, monkeypatch):
    def full(db):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(database, "create", full)
    with pytest.raises(StoreError, match="no space is left on the disk of the store"):
        Store.open(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["media", "runs"]


def test_a_restored_copy_in_another_journal_mode_is_opened(tmp_path):
    with Store.open(tmp_path / "a") as store:
        store.add([POST])
        (tmp_path / "b").mkdir()
        store._db.execute("vacuum into ?", (str(tmp_path / "b" / "crawl.sqlite"),))
    with Store.open(tmp_path / "b") as store:
        assert store.post_count(["creepy"]) == 1
        assert store._db.execute("pragma journal_mode").fetchone() == ("wal",)


def test_a_read_only_store_is_read_and_not_changed(tmp_path):
    with Store.open(tmp_path / "s") as store:
        store.add([POST])
    with disks.read_only(tmp_path / "s"), Store.open(tmp_path / "s", create=False) as store:
        assert (store.read_only, store.known([POST.post_id])) == (True, {POST.post_id})
        with pytest.raises(StoreError, match="readonly database"):
            store.add([replace(POST, score=1)])


def test_a_read_only_store_with_a_log_or_of_an_older_version_is_read_or_refused(tmp_path):
    with Store.open(tmp_path / "s") as store:
        store.add([POST])
        with disks.read_only(tmp_path / "s"), Store.open(tmp_path / "s", create=False) as reader:
            assert reader.known([POST.post_id]) == {POST.post_id}  # its post is in the log alone
        store._db.execute("pragma user_version = 4")
    with (
        disks.read_only(tmp_path / "s"),
        pytest.raises(
            StoreError, match=r"has version 4 and can't be written, .* name a copy of it with --store"
        ),
    ):
        Store.open(tmp_path / "s", create=False)


def test_a_store_is_its_owners_alone_an_older_one_too(tmp_path):
    store = tmp_path / "s"
    with Store.open(store) as opened:
        opened.author_key()
        opened.add([POST])
        assert [mode(store / name) for name in ("crawl.sqlite", "crawl.sqlite-wal", "author.key")] == [
            0o600
        ] * 3
    folders = [store, store / "media", store / "media" / "tmp", store / "runs"]
    assert [mode(folder) for folder in folders] == [0o700] * 4
    for path, open_to_all in [
        ("crawl.sqlite", 0o644),
        ("author.key", 0o644),
        ("media", 0o755),
        ("runs", 0o755),
    ]:
        (store / path).chmod(open_to_all)
    Store.open(store).close()
    assert [mode(store / name) for name in ("crawl.sqlite", "author.key")] == [0o600] * 2
    assert [mode(store / name) for name in ("media", "runs")] == [0o700] * 2


def test_a_stray_file_among_the_runs_is_left_alone(tmp_path):
    with Store.open(tmp_path) as store:
        for name in OTHERS:
            (tmp_path / "runs" / name).write_bytes(b"\0\0\0\1Bud1")
        with store.run("test"):
            pass
    assert runs.alive(tmp_path) == []
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == OTHERS


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("update posts set title = cast(x'636166e9' as text)", r"Could not decode to UTF-8 column 'title'"),
        (None, r"database disk image is malformed"),
    ],
)
def test_a_damaged_store_is_one_line(tmp_path, damage, message):
    with Store.open(tmp_path) as store:
        store.add([replace(POST, post_id=f"reddit:{n:04}", body="x" * 1000) for n in range(100)])
        if damage:
            store._db.execute(damage)
    if not damage:
        with (tmp_path / "crawl.sqlite").open("r+b") as file:
            file.seek(20 * 4096)
            file.write(b"\xff" * 4096 * 20)
    wanted = [f"reddit:{n:04}" for n in range(100)]
    with (
        pytest.raises(StoreError, match=rf"^'\S+crawl.sqlite' is not a readable SQLite database \({message}"),
        Store.open(tmp_path) as store,
    ):
        store.posts(wanted)


@pytest.mark.parametrize(
    ("key", "fault"),
    [(None, "is missing"), (b"", "has 0 bytes, not 32"), (b"k" * 31, "has 31 bytes, not 32")],
)
def test_a_lost_or_damaged_key_is_refused_while_authors_depend_on_it(tmp_path, key, fault):
    path = tmp_path / "author.key"
    with Store.open(tmp_path) as store:
        if key is not None:
            path.write_bytes(key)
        first = store.author_key()  # no author yet: nothing depends on the damaged one
        assert (len(first), mode(path)) == (32, 0o600)
        store.add_candidates("w", [POST], cursor=None, limit=5)
        path.unlink()
        if key is not None:
            path.write_bytes(key)
        with pytest.raises(
            StoreError, match=rf"author.key' {fault}, and the store has authors .*--new-author-key"
        ):
            store.author_key()
        assert store.renew_author_key()
        assert not store.renew_author_key()  # a rerun keeps it
        assert store.author_key() not in (first, key)


@pytest.mark.slow
def test_the_command_makes_a_new_key_when_asked_and_says_what_changes(capsys, tmp_path, sandbox):
    command = ["--subs", "happy", "--limit", "5", "--no-media", "--sandbox-url", sandbox]
    command += ["--store", str(tmp_path)]
    assert main(command) == 0
    (tmp_path / "author.key").write_bytes(b"")
    capsys.readouterr()
    assert main(command) == 2
    err = capsys.readouterr().err
    assert (err.count("\n"), "author.key' has 0 bytes, not 32" in err) == (1, True)
    assert main([*command, "--new-author-key"]) == 0
    assert capsys.readouterr().err == (
        "note: author.key is new: the same author has another hash in new posts than in earlier ones\n"
    )
    assert main([*command, "--new-author-key"]) == 0
    assert capsys.readouterr().err == ""


def test_the_posts_of_a_page_that_finds_the_disk_full_are_counted(tmp_path):
    with Store.open(tmp_path) as store:
        size = store._db.execute("pragma page_count").fetchone()[0]
        store._db.execute(f"pragma max_page_count = {size + 8}")
        progress = Progress()
        selection = Selection(store, progress)
        selection.take(Page("creepy", "w", [POST], cursor="1"))
        large = [replace(POST, post_id=f"reddit:{n}", body="x" * 10_000) for n in range(20)]
        with pytest.raises(StoreError, match="no space is left on the disk of the store"):
            selection.take(Page("creepy", "w", large, cursor="2"))
        assert (progress.asked, progress.posts) == (21, {"new": 1, "not_written": 20})
        assert (store.post_count(["creepy"]), store.cursor("w")) == (1, "1")


@pytest.mark.slow
@pytest.mark.parametrize("size", ["100k", "220k", "300k"])
def test_a_disk_that_fills_up_during_a_crawl_is_one_line_of_its_summary(capsys, tmp_path, sandbox, size):
    with disks.small(tmp_path / "disk", size):
        store = tmp_path / "disk" / "s"
        command = [
            "--subs",
            "happy",
            "creepy",
            "--limit",
            "60",
            "--source",
            "oauth",
            "--sandbox-url",
            sandbox,
            "--store",
            str(store),
        ]
        code = main(command)
        out, err = capsys.readouterr()
    if err:
        assert (code, err.count("\n")) == (2, 1)
        assert "disk" in err
    else:
        assert code == 1
        [problem] = [line for line in out.splitlines() if line.startswith("problem ")]
        assert "no space is left on the disk of the store" in problem
