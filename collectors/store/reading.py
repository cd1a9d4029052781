"""A store of any version, open for reading: whole rows, all of one moment. Nothing in it is changed.

with reading(Path("data/reddit")) as store:
    for record in store.records():
        print(record.post["title"], [row["status"] for row in record.media])
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affectory.core.addresses import check_folder
from affectory.core.errors import StoreError
from collectors.store import database, values
from collectors.store.keys import read_key
from collectors.store.layout import explained
from collectors.store.schema import STORE_VERSION, migrate, version_of

#: A row by the names of its columns.
Row = Mapping[str, Any]

#: Rows that contradict each other, by kind of fault.
_CONTRADICTIONS = {
    "stored_without_digest": "select post_id from media "
    "where (sha256 is null or mime is null) and "
    "(status = 'stored' or status = 'pending' and sha256 is not null) order by 1",
    "media_of_no_post": "select distinct post_id from media "
    "where post_id not in (select post_id from posts) order by 1",
    "removed_with_content": "select post_id from posts where removed is not null and ("
    "title != '' or body != '' or author is not null or score is not null or permalink is not null "
    "or post_id in (select post_id from media)) order by 1",
    "orphan": "select sha256 from orphans order by 1",
}


@dataclass(frozen=True, slots=True)
class Record:
    """A post as a store has it: its row, and those of its media by position."""

    post: Row
    media: Sequence[Row]

    @property
    def is_removed(self) -> bool:
        """Whether this is a tombstone."""
        return self.post["removed"] is not None

    @property
    def seen_at(self) -> int:
        """When this was so: the time at which the post was observed, else the time of collecting."""
        return int(self.post["observed_at"] or self.post["collected_at"])


class Reader:
    """A store, open for reading. Its rows have the columns of the newest version."""

    def __init__(self, folder: Path, db: sqlite3.Connection) -> None:
        self.folder = folder
        self._db = db

    def count(self) -> int:
        """Return the number of posts, tombstones included."""
        return int(self._db.execute("select count(*) from posts").fetchone()[0])

    def records(self) -> Iterator[Record]:
        """Yield every post with its media, in the order of the ids."""
        media = itertools.groupby(
            self._rows("select * from media order by post_id, position"), lambda row: row["post_id"]
        )
        at, rows = next(media, (None, iter(())))
        for post in self._rows("select * from posts order by post_id"):
            while at is not None and at < post["post_id"]:  # of no post: `check` reports them
                at, rows = next(media, (None, iter(())))
            mine = tuple(rows) if at == post["post_id"] else ()
            yield Record(post, mine)

    def images(self) -> list[tuple[str, str, int | None]]:
        """Return digest, MIME type and size of each image with a file, as its rows have them.

        A preview is one too while its original is asked for: its row is pending. Rows with damaged values are
        left out.
        """
        with self._leniently():
            found = self._db.execute(
                "select distinct sha256, mime, bytes from media "
                "where status in ('stored', 'pending') and sha256 is not null and mime is not null "
                "order by 1, 2"
            ).fetchall()
        kinds = [values.MEDIA[name] for name in ("sha256", "mime", "bytes")]
        return [row for row in found if all(kind.fits(value) for kind, value in zip(kinds, row, strict=True))]

    def faults(self) -> list[tuple[str, str]]:
        """Return rows that contradict each other, as pairs of a kind and a post or an image."""
        with self._leniently():
            return [
                (kind, str(name))
                for kind, query in _CONTRADICTIONS.items()
                for (name,) in self._db.execute(query)
            ]

    def dumps(self) -> list[tuple[str, str, str]]:
        """Return the dump files that posts were read from: name, sha256 and community of each."""
        with explained(self.folder):
            return self._db.execute("select name, sha256, community from dumps order by 1, 2, 3").fetchall()

    def damaged(self) -> Iterator[tuple[str, str, Any]]:
        """Yield the values that their columns can't have, as post, column, value."""
        with self._leniently():
            for table, kinds in values.TABLES.items():
                cursor = self._db.execute(f"select {', '.join(kinds)} from {table} order by post_id")
                while rows := cursor.fetchmany(10_000):
                    columns = dict(zip(kinds, zip(*rows, strict=True), strict=True))
                    yield from values.damaged(kinds, columns)

    @contextmanager
    def _leniently(self) -> Iterator[None]:
        """Read text that isn't UTF-8 as bytes in the block."""
        self._db.text_factory = values.text_or_bytes
        try:
            with explained(self.folder):
                yield
        finally:
            self._db.text_factory = str

    def has_authors(self) -> bool:
        """Return whether any post has the hash of its author."""
        found = self._db.execute("select 1 from posts where author is not null limit 1")
        return found.fetchone() is not None

    def last_command(self) -> str | None:
        """Return the latest command that would fetch the pending images if it were repeated, or None.

        A command whose files are gone can't be repeated: a rebuild or a purge runs the collector on a
        temporary list of ids.
        """
        found = self._db.execute("select command from runs order by run_id desc")
        return next((command for (command,) in found if _would_fetch(command)), None)

    def author_key(self) -> bytes | None:
        """Return the key of the authors' hashes, None if it is missing or damaged: see `read_key`."""
        key, fault = read_key(self.folder)
        return None if fault else key

    def _rows(self, query: str) -> Iterator[Row]:
        with explained(self.folder):
            cursor = self._db.execute(query)
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))


def _would_fetch(command: str) -> bool:
    """Return whether a command fetches images, and all files that it names by their full path exist."""
    words = command.split()
    return "--no-media" not in words and all(Path(w).exists() for w in words if Path(w).is_absolute())


def connect(store: Path) -> sqlite3.Connection:
    """Connect to a store's database, for reading only. Raises `StoreError` if it isn't one."""
    database.check(store)  # first, because SQLite may make files beside a foreign database
    return sqlite3.connect(database.uri(store / database.NAME), uri=True, isolation_level=None)


@contextmanager
def reading(folder: Path) -> Iterator[Reader]:
    """Open the store in `folder`; an older version is migrated in a temporary copy.

    Raises `StoreError` if there is none, if it can't be read, or if it was written by a newer program.
    """
    check_folder(folder, "a crawl store")
    if not (folder / "crawl.sqlite").is_file():
        raise StoreError(f"there is no crawl store in {str(folder)!r}: name a folder that holds crawl.sqlite")
    with explained(folder):
        db = _newest(folder)
    with closing(db):
        yield Reader(folder, db)


def _newest(folder: Path) -> sqlite3.Connection:
    """Return a connection to the store, or to a copy with the newest version's tables if it is older."""
    db = connect(folder)
    try:
        if version_of(db) < STORE_VERSION:
            copy = sqlite3.connect("", isolation_level=None)
            db.backup(copy)
            db.close()
            db = copy
            migrate(db)
        db.execute("begin")  # all that follows is read as of the first query
    except BaseException:
        db.close()
        raise
    return db
