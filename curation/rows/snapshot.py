"""A build's own copy of the rows that it reads, all of one moment.

A crawl, a purge or another build may change the store at any time, and the processes of a build read at
different times. So the rows are copied within one read transaction first; shards, digest and release come
from the copy. Images aren't copied: each is checked against its digest when it is read.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from collectors.store import Store

NAME = "store.sqlite"


def take(store: Store, communities: Sequence[str], posts: str, media: str, scratch: Path) -> int:
    """Copy columns of the communities' posts and of their media to `scratch`; return the number of posts.

    `posts` and `media` name the columns. Raises `OSError` where the copy can't be written.
    """
    marks = ",".join("?" * len(communities))
    path = scratch / NAME
    with _as_os_errors(path), closing(_connect(path, "rwc")) as db:
        db.execute("pragma journal_mode = off")  # a copy that isn't finished is never read
        db.execute("pragma synchronous = off")
        db.execute("attach ? as store", (_uri(store.folder / "crawl.sqlite", "ro"),))
        db.execute("begin")
        # "+community" keeps SQLite to the order of the primary key: by the index on community it would sort.
        db.execute(
            f"create table main.posts as select {posts} from store.posts where +community in ({marks}) "
            "order by post_id",
            list(communities),
        )
        db.execute("create unique index main.posts_id on posts (post_id)")
        db.execute(
            f"create table main.media as select {media} from store.media "
            "where post_id in (select post_id from main.posts) order by post_id, position"
        )
        db.execute("create unique index main.media_post on media (post_id, position)")
        db.execute("commit")
        return int(db.execute("select count(*) from main.posts").fetchone()[0])


@contextmanager
def opened(scratch: Path) -> Iterator[sqlite3.Connection]:
    """Open the copy in `scratch` for reading."""
    with closing(_connect(scratch / NAME, "ro")) as db:
        yield db


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(_uri(path, mode), uri=True, isolation_level=None)


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


@contextmanager
def _as_os_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says of a full or broken disk into the `OSError` that it stands for."""
    numbers = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR: errno.EIO}
    try:
        yield
    except sqlite3.OperationalError as error:
        number = numbers.get(error.sqlite_errorcode & 0xFF)  # the low byte; the others tell which call
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error
