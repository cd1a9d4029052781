"""A copy of a store's rows, all of one moment, for a reader that takes its time.

A crawl, a purge or another build may change the store at any time, and the processes of a build read at
different times. So the rows are copied first, within one read transaction, and everything is read from the
copy. Image files aren't copied.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from collectors.store import database, values
from collectors.store.store import Store

NAME = "store.sqlite"

#: How an image with a file is copied, also a preview whose original may be asked for again.
_AS_STORED = {
    "status": "iif(status = 'pending' and sha256 is not null, 'stored', status) as status",
    "reason": "iif(sha256 is null, reason, null) as reason",
}

#: A row: the columns that the snapshot was taken with, in their order.
Row = tuple[Any, ...]


class Snapshot:
    """A snapshot, open for reading: rows of posts and of media as tuples, in bulk.

    Values are as they are in the store, damaged ones too; text that isn't UTF-8 is bytes.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def ranges(self, size: int) -> Iterator[tuple[str, str, int]]:
        """Yield the first and the last id of each `size` posts, in the order of the ids, and their number."""
        found = self._db.execute("select post_id from posts order by post_id")
        while ids := found.fetchmany(size):
            yield ids[0][0], ids[-1][0], len(ids)

    def posts(self, first: str, last: str) -> list[Row]:
        """Return the posts from one id to another, both included, in the order of the ids."""
        return self._rows("select * from posts where post_id between ? and ? order by post_id", first, last)

    def media(self, first: str, last: str) -> list[Row]:
        """Return the media of the posts from one id to another, by post id and position."""
        return self._rows(
            "select * from media where post_id between ? and ? order by post_id, position", first, last
        )

    def _rows(self, query: str, first: str, last: str) -> list[Row]:
        """Return rows. SQLite's own decoder is faster than a function, but refuses text that isn't UTF-8."""
        self._db.text_factory = str
        try:
            return self._db.execute(query, (first, last)).fetchall()
        except sqlite3.OperationalError as error:
            if not str(error).startswith("Could not decode to UTF-8"):
                raise
        finally:
            self._db.text_factory = values.text_or_bytes
        return self._db.execute(query, (first, last)).fetchall()

    def public_ids(self) -> set[str]:
        """Return the ids of the posts that their source hasn't removed."""
        return {post_id for (post_id,) in self._db.execute("select post_id from posts where removed is null")}

    def dumps(self) -> list[tuple[str, str]]:
        """Return the dump files that posts were read from: name and sha256 of each."""
        return self._db.execute("select name, sha256 from dumps order by 1, 2").fetchall()


def take(
    store: Store, communities: Sequence[str], posts: Sequence[str], media: Sequence[str], folder: Path
) -> int:
    """Copy the communities' posts, their media and dumps to `folder`; return the number of posts.

    `posts` and `media` are the columns to copy. Both need `post_id`, `media` needs `position`; `public_ids`
    needs `removed`. Raises `OSError` if the copy can't be written, `StoreError` if an id is damaged.
    """
    columns = [_AS_STORED.get(column, column) for column in media]
    marks = ",".join("?" * len(communities))
    path = folder / NAME
    with _as_os_errors(path), closing(_connect(path, "rwc")) as db:
        db.execute("pragma journal_mode = off")  # an unfinished copy is never read
        db.execute("pragma synchronous = off")
        db.execute("attach ? as store", (database.uri(store.folder / database.NAME),))
        db.execute("begin")
        # "+community" makes SQLite read in the order of the primary key. With the index on community it
        # would have to sort.
        db.execute(
            f"create table main.posts as select {', '.join(posts)} from store.posts "
            f"where +community in ({marks}) order by post_id",
            list(communities),
        )
        db.execute("create unique index main.posts_id on posts (post_id)")
        db.execute(
            f"create table main.media as select {', '.join(columns)} from store.media "
            "where post_id in (select post_id from main.posts) order by post_id, position"
        )
        db.execute("create unique index main.media_post on media (post_id, position)")
        db.execute(
            "create table main.dumps as select distinct name, sha256 from store.dumps "
            f"where community in ({marks})",
            list(communities),
        )
        db.execute("commit")
        count = 0
        for (post_id,) in db.execute("select post_id from main.posts"):
            if not values.POSTS["post_id"].fits(post_id):
                raise values.error(store.folder, repr(post_id), "post_id", post_id)
            count += 1
        return count


def leave_out(folder: Path, post_ids: Sequence[str], reason: str) -> None:
    """Mark these posts of the snapshot in `folder` as removed; the store is unchanged."""
    path = folder / NAME
    with _as_os_errors(path), closing(_connect(path, "rw")) as db:
        db.execute("begin")
        db.executemany("update posts set removed = ? where post_id = ?", [(reason, one) for one in post_ids])
        db.execute("commit")


@contextmanager
def opened(folder: Path) -> Iterator[Snapshot]:
    """Open the snapshot in `folder` for reading."""
    with closing(_connect(folder / NAME, "ro")) as db:
        yield Snapshot(db)


def may_contain(path: Path, post_id: str) -> bool:
    """Return whether the snapshot at `path` contains a post; True if it is unfinished or can't be read."""
    try:
        with closing(_connect(path, "ro")) as db:
            found = db.execute("select 1 from posts where post_id = ?", (post_id,))
            return found.fetchone() is not None
    except sqlite3.Error:
        return True


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    db = sqlite3.connect(_uri(path, mode), uri=True, isolation_level=None)
    db.text_factory = values.text_or_bytes
    return db


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


#: SQLite's errors of a file that is written. The store is only read, so they are the copy's.
_WRITING = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    **dict.fromkeys(
        (
            sqlite3.SQLITE_IOERR_WRITE,
            sqlite3.SQLITE_IOERR_TRUNCATE,
            sqlite3.SQLITE_IOERR_FSYNC,
            sqlite3.SQLITE_IOERR_CLOSE,
        ),
        errno.EIO,
    ),
}


@contextmanager
def _as_os_errors(path: Path) -> Iterator[None]:
    """Raise SQLite's errors about the disk of the copy as `OSError`. Those of the store stay SQLite's."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in _WRITING:
            raise
        number = _WRITING[error.sqlite_errorcode]
        raise OSError(number, os.strerror(number), str(path)) from error
