"""Runs of collectors on one store: which are alive, and what the others left behind.

A run holds an exclusive lock on `runs/RUN.lock`; the system releases it however the process ends. The next
run finds the file unlocked, releases the dead run's claims and removes its half-written files.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from collectors.store.layout import media_path

#: The name of a run's lock: RUN.lock, or RUN.PID until the file is locked.
_LOCK = re.compile(r"([0-9]{1,18})\.(?:lock|[0-9]+)")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a collector on a store. Its lock is held until the process ends."""

    run_id: int
    lock: IO[bytes]


def start(db: sqlite3.Connection, folder: Path, command: str) -> Run:
    """Write a run to the log and take its lock."""
    run_id = db.execute(
        "insert into runs (command, started_at) values (?, ?)", (as_utf8(command), int(time.time()))
    ).lastrowid
    assert run_id is not None
    # Locked before it gets its name, so that no other run finds it unlocked and takes this run for dead.
    unnamed = folder / "runs" / f"{run_id}.{os.getpid()}"
    lock = unnamed.open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX)
    unnamed.rename(_lock_path(folder, run_id))
    return Run(run_id, lock)


def finish(db: sqlite3.Connection, folder: Path, run: Run) -> None:
    """Release a run's claims and its lock."""
    try:
        db.execute("update media set claimed_by = null where claimed_by = ?", (run.run_id,))
        _lock_path(folder, run.run_id).unlink(missing_ok=True)
    finally:
        run.lock.close()


def as_utf8(text: str) -> str:
    """Return a command or a summary for the log: bytes of arguments that aren't UTF-8 are spelt \\xe9."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def take_over(db: sqlite3.Connection, folder: Path) -> None:
    """Release the claims of dead runs, and remove their half-written files."""
    alive = []
    for run_id, path in _lock_files(folder):
        try:
            with path.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _requeue_lost(db, folder, run_id)
                for half_written in (folder / "media" / "tmp").glob(f"{run_id}-*"):
                    half_written.unlink(missing_ok=True)
                path.unlink(missing_ok=True)
        except BlockingIOError:
            alive.append(run_id)
        except FileNotFoundError:
            continue  # another collector has just taken over from it
    marks = ",".join("?" * len(alive))
    db.execute(
        f"update media set claimed_by = null where claimed_by is not null and claimed_by not in ({marks})",
        alive,
    )


def alive(folder: Path) -> list[int]:
    """Return the runs that are working on the store now."""
    found = []
    for run_id, path in _lock_files(folder):
        try:
            with path.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            found.append(run_id)
        except FileNotFoundError:
            continue
    return found


def _requeue_lost(db: sqlite3.Connection, folder: Path, run_id: int) -> None:
    """Fetch again the images whose file is lost: after a power cut a row may be there without it."""
    stored = db.execute(
        "select url, sha256, mime, bytes from media where status = 'stored' and fetched_at >= "
        "(select started_at from runs where run_id = ?)",
        (run_id,),
    ).fetchall()
    lost = [(url,) for url, sha256, mime, size in stored if _size(media_path(folder, sha256, mime)) != size]
    db.executemany("update media set status = 'pending', sha256 = null where url = ?", lost)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _lock_files(folder: Path) -> list[tuple[int, Path]]:
    """Return the locks of runs, with or without their final name, and no other files ("1 copy.lock")."""
    matches = ((_LOCK.fullmatch(path.name), path) for path in sorted((folder / "runs").glob("*")))
    return [(int(match[1]), path) for match, path in matches if match is not None and path.is_file()]


def _lock_path(folder: Path, run_id: int) -> Path:
    return folder / "runs" / f"{run_id}.lock"
