"""The files in a store's folder, and messages for the system's errors about it.

crawl.sqlite          posts, media, walks, runs
author.key            the key that hashes authors' names, mode 0600
media/ab/abcdef….jpg  images under the sha256 of their bytes
media/tmp/RUN-…       images being written
runs/RUN.lock         locked while that run lives
"""

from __future__ import annotations

import contextlib
import errno
import re
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from affectory.core.errors import StoreError

EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/bmp": "bmp",
    "image/tiff": "tif",
    "image/avif": "avif",
}

DIGEST = re.compile(r"[0-9a-f]{64}")


def media_path(folder: Path, sha256: str, mime: str) -> Path:
    """Return the path of an image with this digest and MIME type in the store in `folder`.

    Raises `StoreError` if they can't be those of an image, so that no path leads out of the folder.
    """
    if mime not in EXTENSIONS or not DIGEST.fullmatch(str(sha256)):
        raise StoreError(
            f"the store {str(folder)!r} is damaged: an image has sha256 {sha256!r} and type {mime!r}; "
            f"affectory verify {shlex.quote(str(folder))} lists all such values"
        )
    return folder / "media" / sha256[:2] / f"{sha256}.{EXTENSIONS[mime]}"


@contextlib.contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Raise the system's errors as `StoreError`, with one line that says what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error).partition("\n")[0]
        if "full" in text:
            raise StoreError(_full(folder)) from error
        if any(sign in text for sign in ("not a database", "malformed", "Could not decode")):
            raise StoreError(
                f"{str(folder / 'crawl.sqlite')!r} is not a readable SQLite database ({text}): "
                "restore it from a copy, or choose another store"
            ) from error
        cause = "; the disk is full or fails" if "disk I/O" in text else ""
        raise StoreError(f"the store {str(folder)!r} can't be used: {text}{cause}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(_full(folder)) from error
        raise StoreError(
            f"the store {str(folder)!r} can't be used: {error.strerror}; choose another store"
        ) from error


def _full(folder: Path) -> str:
    return (
        f"no space is left on the disk of the store {str(folder)!r}: free some and run the same "
        "command again; nothing that was stored is lost"
    )
