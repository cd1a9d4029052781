"""The image files of another store, linked or copied into this one."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collectors.store.layout import media_path
from collectors.store.reading import Row


@dataclass(slots=True)
class Files:
    """Brings image files from the store in `source` into the one in `target`, and counts them.

    A file is a hard link where the file system allows it, because files of a store are replaced, never
    changed. `lost` has the digests of those that `source` should have, and which are missing or damaged.
    """

    source: Path
    target: Path
    run_id: int
    added: int = 0
    lost: set[str] = field(default_factory=set)

    def bring(self, row: Row) -> bool:
        """Return whether the file of a stored image is in `target`, after bringing it if it wasn't."""
        digest, mime, size = row["sha256"], row["mime"], row["bytes"]
        if digest is None or mime is None:
            return False
        path = media_path(self.target, digest, mime)
        if _has_size(path, size):
            return True
        theirs = media_path(self.source, digest, mime)
        if not _is_whole(theirs, size, digest):  # else a damaged copy would win over the whole one of another
            self.lost.add(digest)
            return False
        path.parent.mkdir(exist_ok=True)
        temporary = self.target / "media" / "tmp" / f"{self.run_id}-{os.getpid()}-{path.name}"
        try:
            _link_or_copy(theirs, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        self.added += 1
        return True


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or another owner
        shutil.copyfile(source, target)


def _has_size(path: Path, size: Any) -> bool:
    try:
        return bool(path.stat().st_size == size)
    except FileNotFoundError:
        return False


def _is_whole(path: Path, size: Any, digest: str) -> bool:
    if not _has_size(path, size):
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest
