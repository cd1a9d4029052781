"""Checks of a crawl store: the database, each image's file, size and digest, and files that no row names.

Nothing is changed. `Store.repair` does what can be done about the faults.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from affectory.core.errors import StoreError
from affectory.core.progress import Steps
from collectors.store import runs
from collectors.store.keys import read_key
from collectors.store.layout import media_path
from collectors.store.reading import connect, reading
from collectors.store.values import shown

#: Faults that a repair makes pending, so that the next crawl asks for the images again.
TO_FETCH = ("missing_file", "wrong_size", "wrong_digest", "unreadable_file", "stored_without_digest")

#: Faults that a repair removes.
TO_REMOVE = ("file_without_row", "orphan")


@dataclass(slots=True)
class StoreCheck:
    """What a check found. `faults` are pairs of a kind and what is wrong: a file, a post, a message."""

    posts: int = 0
    images: int = 0
    bytes: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)
    last_command: str | None = None
    is_used: bool = False  # a run is working on the store: files without a row are not looked for


@dataclass(frozen=True, slots=True)
class _Image:
    """A stored image as its rows have it."""

    sha256: str
    mime: str
    bytes: int | None


def check(folder: Path) -> StoreCheck:
    """Check the store in `folder`. Raises `StoreError` if there is none, or if it is of a newer version."""
    found = StoreCheck(is_used=bool(runs.alive(folder)))
    try:
        found.faults += [("damaged_database", line) for line in _integrity(folder)]
        with reading(folder) as store:
            found.posts, found.last_command = store.count(), store.last_command()
            found.faults += store.faults()
            found.faults += [("damaged_value", shown(*one)) for one in store.damaged()]
            images = [_Image(*row) for row in store.images()]
            if store.has_authors() and (fault := read_key(folder)[1]):
                found.faults.append(("author_key", f"the posts have hashes of authors, and {fault}"))
    except StoreError as error:
        if not found.faults and not isinstance(error.__cause__, sqlite3.DatabaseError):
            raise
        found.faults = found.faults or [("damaged_database", str(error))]
        return found
    found.images, found.bytes = len(images), sum(image.bytes or 0 for image in images)
    found.faults += _files(folder, images)
    if not found.is_used:
        found.faults += [("file_without_row", path) for path in _unnamed(folder, images)]
    return found


def _integrity(folder: Path) -> list[str]:
    """Return what SQLite finds wrong in the database. Raises `StoreError` if there is none, or another's."""
    if not (folder / "crawl.sqlite").is_file():
        raise StoreError(f"there is no crawl store in {str(folder)!r}: name a folder that holds crawl.sqlite")
    try:
        with closing(connect(folder)) as db:
            lines = [str(line) for (line,) in db.execute("pragma integrity_check")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if lines == ["ok"] else lines


def _files(folder: Path, images: list[_Image]) -> Iterator[tuple[str, str]]:
    def look(image: _Image) -> str:
        return _fault(media_path(folder, image.sha256, image.mime), image)

    with Steps("checking", len(images), "images") as steps, ThreadPoolExecutor(os.cpu_count()) as pool:
        for image, fault in zip(images, pool.map(look, images), strict=True):
            steps.advance()
            if fault:
                yield fault, _name(media_path(folder, image.sha256, image.mime), folder)


def _fault(path: Path, image: _Image) -> str:
    """Return what is wrong with a stored image's file; "" if nothing is."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != image.bytes:
                return "wrong_size"
            return "" if hashlib.file_digest(file, "sha256").hexdigest() == image.sha256 else "wrong_digest"
    except FileNotFoundError:
        return "missing_file"
    except OSError:
        return "unreadable_file"


def _unnamed(folder: Path, images: list[_Image]) -> list[str]:
    """Return the files among the images that no row names.

    What isn't among them is left alone: folders, such as the thumbnails of a file server, and `media/tmp`,
    whose files the next run removes itself.
    """
    named = {media_path(folder, image.sha256, image.mime) for image in images}
    there = (folder / "media").glob("[0-9a-f][0-9a-f]/*")
    return sorted(_name(path, folder) for path in there if path not in named and not path.is_dir())


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
