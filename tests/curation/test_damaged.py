"""Damaged stores and releases: each command ends with one line that names the file, and changes nothing."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affectory.cli import main
from affectory.core.errors import AffectoryError, StoreError
from affectory.core.files import writable
from collectors.store import Store, snapshot
from tests import disks
from tests.curation.stores import built, contents, make_store, post, write_recipe

pytestmark = pytest.mark.slow
POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(60)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a store, a release of it, and the release's ids."""
    folder = tmp_path_factory.mktemp("made")
    store = make_store(folder / "store", POSTS)
    write_recipe(folder / "datasets")
    assert main(["build", "test", "--store", str(store), "--datasets", str(folder / "datasets")]) == 0
    assert main(["ids", str(folder / "datasets" / "test")]) == 0
    return folder


@pytest.fixture
def home(made, tmp_path, monkeypatch):
    """A copy of that folder, in which the commands are typed."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "library"))
    shutil.copytree(made, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


COMMANDS = {
    "report": ["report", "test"],
    "purge": ["purge", "test", "--store", "store"],
    "trace": ["trace", "reddit:00003", "--stores", "store"],
    "ids": ["ids", "datasets/test", "--out", "again"],
    "build": ["build", "test", "--store", "store"],
    "hydrate": ["hydrate", "datasets/test-ids", "--store", "store", "--store-only"],
}


def refused(capsys, command):
    """Run a command that must end with one line and exit code 2; return the line."""
    assert main(COMMANDS[command]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), err[:7]) == ("", 1, "error: ")
    return err


def no_json(folder):
    (folder / "manifest.json").write_text("no JSON")


def bad_page(folder):
    """Overwrite the first page of each Parquet file, its header included."""
    for path in folder.glob("*.parquet"):
        data = path.read_bytes()
        path.write_bytes(data[:4] + b"\xff" * 400 + data[404:])


def bad_text(folder):
    """Put a byte that isn't UTF-8 into the titles of each Parquet file."""
    for path in folder.glob("*.parquet"):
        table = pq.read_table(path)
        for name in {"title", "post_id", "text"} & set(table.column_names):
            column = pa.array([b"caf\xe9"] * len(table), pa.binary()).view(pa.string())
            table = table.set_column(table.column_names.index(name), table.schema.field(name), column)
        pq.write_table(table, path)


@pytest.mark.parametrize(
    ("damage", "command"),
    [
        *((no_json, command) for command in COMMANDS),
        *((bad_page, command) for command in ("report", "purge", "trace", "hydrate")),
        *((bad_text, command) for command in ("report", "purge", "hydrate")),  # `trace` reads no texts
    ],
)
def test_a_damaged_release_is_one_line_that_names_the_file(capsys, home, command, damage):
    folder = home / "datasets" / ("test-ids" if command == "hydrate" else "test") / "1.0.0"
    damage(folder)
    before = contents(home / "datasets")
    line = refused(capsys, command)
    assert str(folder.relative_to(home)) in line
    assert contents(home / "datasets") == before


def damage(home, statement):
    with closing(sqlite3.connect(home / "store" / "crawl.sqlite", isolation_level=None)) as db:
        db.execute(statement)


UNREADABLE = "'store/crawl.sqlite' is not a readable SQLite database"


def bad_title(db):
    db.execute("update posts set title = cast(x'636166e9' as text) where post_id = 'reddit:00007'")


def bad_pages(db):
    """Overwrite the pages of the posts: only those of the tables' names stay."""
    [(path,)] = db.execute("select file from pragma_database_list where name = 'main'").fetchall()
    size, page = (db.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "page_size"))
    db.close()
    with Path(path).open("r+b") as file:
        for number in range(2, size, 2):
            file.seek(number * page)
            file.write(b"\xff" * page)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (bad_title, "the store 'store' is damaged: title of reddit:00007 is b'caf\\xe9'; affectory verify"),
        (bad_pages, f"{UNREADABLE} (database disk image is malformed)"),
    ],
)
def test_a_damaged_store_is_one_line_that_does_not_blame_the_release(capsys, home, damage, why):
    with closing(sqlite3.connect(home / "store" / "crawl.sqlite", isolation_level=None)) as db:
        damage(db)
    before = contents(home / "datasets")
    line = refused(capsys, "build")
    assert line.startswith(f"error: {why}")
    assert contents(home / "datasets") == before


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("votes = 'joy 3'", "'joy 3'"),
        ("votes = '{ }'", "'{ }'"),
        ("""votes = '{"a":"x"}'""", """'{"a":"x"}'"""),
        ("""votes = '{"a":null}'""", """'{"a":null}'"""),
        ("""votes = '{"a":-1}'""", """'{"a":-1}'"""),
        ("votes = '[1]'", "'[1]'"),
        ("""votes = '{"\\ud83d":1}'""", """'{"\\\\ud83d":1}'"""),
        ("created_at = 'abc'", "'abc'"),
        ("created_at = 1500000000000", "1500000000000"),  # milliseconds
        ("title = x'00ff'", "b'\\x00\\xff'"),
        ("title = cast(x'636166e9' as text)", "b'caf\\xe9'"),
        ("score = 2.5", "2.5"),
        ("votes_total = 5000000000", "5000000000"),
    ],
)
def test_a_damaged_value_of_a_post_is_named_by_build_and_verify(capsys, home, change, value):
    damage(home, f"update posts set {change} where post_id = 'reddit:00007'")
    named = f"{change.split()[0]} of reddit:00007 is {value}"
    assert refused(capsys, "build") == (
        f"error: the store 'store' is damaged: {named}; affectory verify store lists all such values\n"
    )
    assert (main(["verify", "store"]), capsys.readouterr().out.splitlines()[1:]) == (
        1,
        [
            "  damaged value 1",
            f"    {named}",
            "next    restore store/crawl.sqlite from a copy, or collect into another --store",
        ],
    )


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("mime = 'image/jxl'", "'image/jxl'"),
        ("sha256 = '../../abc'", "'../../abc'"),
        ("sha256 = x'00'", "b'\\x00'"),
        ("width = 'wide'", "'wide'"),
        ("status = 'lost'", "'lost'"),
    ],
)
def test_a_damaged_value_of_an_image_is_named_by_build_and_verify(capsys, home, change, value):
    damage(home, f"update media set {change} where post_id = 'reddit:00007'")
    named = f"{change.split()[0]} of reddit:00007 is {value}"
    assert named in refused(capsys, "build")
    assert (main(["verify", "store"]), f"    {named}" in capsys.readouterr().out.splitlines()) == (1, True)
    assert main(["trace", "reddit:00007", "--stores", "store"]) in (0, 2)


def test_a_stored_image_without_a_digest_is_named_and_can_be_repaired(capsys, home):
    damage(home, "update media set sha256 = null where post_id = 'reddit:00007'")
    assert "sha256 of reddit:00007 is None; affectory verify store" in refused(capsys, "build")
    assert main(["verify", "store", "--repair"]) == 0
    assert "  stored without digest 1\n    reddit:00007\n" in capsys.readouterr().out
    assert main(["verify", "store"]) == 0


def test_a_damaged_id_is_named(capsys, home):
    damage(home, "update posts set post_id = x'00' where post_id = 'reddit:00007'")
    assert refused(capsys, "build") == (
        "error: the store 'store' is damaged: post_id of b'\\x00' is b'\\x00'; affectory verify store lists "
        "all such values\n"
    )


def test_an_image_that_cannot_be_read_is_named(capsys, home):
    image = sorted((home / "store" / "media").rglob("*.jpg"))[0]
    image.unlink()
    image.mkdir()
    write_recipe(home / "datasets", "[split]\ntest = 0.2\n")
    line = refused(capsys, "build")
    assert line == f"error: {str(image.relative_to(home))!r}: Is a directory\n"


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (
            sqlite3.SQLITE_FULL,
            AffectoryError,
            "the release can't be written to 'out': No space left on device",
        ),
        (sqlite3.SQLITE_IOERR_WRITE, AffectoryError, "the release can't be written to 'out'"),
        (sqlite3.SQLITE_IOERR_READ, StoreError, "the store '.*' can't be used: disk I/O error"),
        (sqlite3.SQLITE_CORRUPT, StoreError, "is not a readable SQLite database"),
    ],
)
def test_an_error_of_the_snapshot_is_the_stores_or_the_copys(tmp_path, monkeypatch, code, error, message):
    names = {sqlite3.SQLITE_CORRUPT: "database disk image is malformed"}

    def broken(*_):
        raised = sqlite3.OperationalError(names.get(code, "disk I/O error"))
        raised.sqlite_errorcode = code
        raise raised

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(snapshot, "_connect", broken)
    with (
        pytest.raises(error, match=message),
        Store.open(tmp_path / "store") as store,
        writable(Path("out"), "the release"),
    ):
        snapshot.take(store, ["happy"], ["post_id"], ["post_id", "position"], Path("out"))


def test_a_read_only_store_is_built_from_to_the_same_bytes(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    expected = contents(built(tmp_path / "a", store).folder)
    with disks.read_only(store):
        assert contents(built(tmp_path / "b", store).folder) == expected


def test_damaged_images_of_a_read_only_store_are_noted(tmp_path):
    store = make_store(tmp_path / "store", POSTS)
    next((store / "media").rglob("*.jpg")).unlink()
    with disks.read_only(store):
        done = built(tmp_path, store)
    assert done.notes == [
        "the store can't be written: its damaged images aren't marked, and so aren't fetched anew"
    ]
