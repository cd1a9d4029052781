"""The file `crawl.sqlite`: created whole, told from a foreign one without a change, opened.

A new database is made under a temporary name, then linked to its own. So a file that isn't a complete crawl
store is never one of ours, and is refused as it is.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from affectory.core.addresses import check_folder
from affectory.core.errors import StoreError
from collectors.store.schema import APPLICATION_ID, STORE_VERSION, create, migrate, version_of

NAME = "crawl.sqlite"

#: Bytes 18 and 19 of a database file in WAL mode.
_WAL = b"\x02\x02"


def check_place(folder: Path) -> None:
    """Raise `AffectoryError` if the path is an address, a file, or in a file."""
    check_folder(folder, "a crawl store")
    there = next((one for one in (folder, *folder.parents) if one.exists()), None)
    if there is not None and not there.is_dir():
        raise StoreError(f"{str(there)!r} is a file: name a folder for the store")


def make(folder: Path) -> None:
    """Create the database in `folder`, unless another process has done so in the meantime."""
    path = folder / NAME
    new = path.with_name(f"{NAME}.{os.getpid()}")
    new.unlink(missing_ok=True)  # left by a killed process
    new.touch(0o600)  # SQLite gives the files beside it the same mode
    try:
        with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as db:
            create(db)
            db.execute("pragma journal_mode = wal")
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):  # beside a database that couldn't be written
            new.with_name(new.name + suffix).unlink(missing_ok=True)


def check(folder: Path) -> None:
    """Raise `StoreError` unless `folder` has a store's database of a known version. Writes nothing."""
    path = folder / NAME
    if not path.stat().st_size:
        raise StoreError(
            f"there is no crawl store in {str(folder)!r}: its {NAME} is empty; remove it and collect again"
        )
    where = _uri(path, immutable=_stands_alone(path))
    with contextlib.closing(sqlite3.connect(where, uri=True)) as db:
        found, version = db.execute("pragma application_id").fetchone()[0], version_of(db)
    if found != APPLICATION_ID:
        raise StoreError(f"{str(path)!r} is a SQLite database, but not a crawl store: choose another store")
    if version > STORE_VERSION:
        raise StoreError(
            f"the store {str(folder)!r} has version {version}, newer than this program reads "
            f"({STORE_VERSION}): upgrade affectory, or choose another store"
        )


def to_write(folder: Path) -> sqlite3.Connection:
    """Open the store in `folder` for reading and writing; bring one of an older version up to date."""
    restrict(folder)
    db = sqlite3.connect(folder / NAME, timeout=30, isolation_level=None)
    try:
        # NORMAL: a power cut may lose the last commits, never the database. `runs.take_over` finds rows whose
        # image file was lost.
        db.execute("pragma synchronous = normal")
        db.execute("pragma foreign_keys = on")
        db.execute("pragma journal_mode = wal")  # a restored copy may be in another mode
        db.execute("pragma secure_delete = on")  # a deleted post's text is overwritten in the file
        migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def to_read(folder: Path) -> sqlite3.Connection:
    """Open the store in `folder` for reading alone."""
    db = sqlite3.connect(uri(folder / NAME), uri=True, timeout=30, isolation_level=None)
    if (version := version_of(db)) != STORE_VERSION:
        db.close()
        raise StoreError(
            f"the store {str(folder)!r} has version {version} and can't be written, so it can't be brought "
            f"up to version {STORE_VERSION}: name a copy of it with --store"
        )
    return db


def uri(path: Path) -> str:
    """Return the address under which a database is opened for reading alone.

    In WAL mode SQLite makes files beside the database. In a read-only folder, a database without a log is
    complete by itself, and is read as a file that nobody changes.
    """
    return _uri(path, immutable=not os.access(path.parent, os.W_OK) and _stands_alone(path))


def _uri(path: Path, *, immutable: bool) -> str:
    return f"{path.absolute().as_uri()}?{'immutable=1' if immutable else 'mode=ro'}"


def _stands_alone(path: Path) -> bool:
    """Return whether a database is in WAL mode, but has no log."""
    with path.open("rb") as file:
        header = file.read(20)
    log = path.with_name(f"{path.name}-wal")
    return header[18:] == _WAL and not (log.exists() and log.stat().st_size)


def writable(folder: Path) -> bool:
    """Return whether a store's folder and database can be written to."""
    return all(os.access(path, os.W_OK) for path in (folder, folder / NAME))


def restrict(folder: Path) -> None:
    """Let nobody but the owner read a store: posts and images are as private as the authors' names."""
    for name in ("crawl.sqlite", "crawl.sqlite-wal", "crawl.sqlite-shm", "author.key"):
        _allow(folder / name, 0o600)
    for name in ("media", "runs"):
        _allow(folder / name, 0o700)


def _allow(path: Path, mode: int) -> None:
    # Of files that are gone, or are another user's, nothing can be changed here.
    with contextlib.suppress(FileNotFoundError, PermissionError):
        if path.stat().st_mode & 0o777 != mode:
            path.chmod(mode)
