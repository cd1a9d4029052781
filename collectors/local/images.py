"""An image on disk: check that it is inside the folder, examine it, and put it into the store.

This runs in a worker process, which limits its time. The store's file is a hard link if the file system
supports it, so that a dataset's images don't take up space twice; otherwise it is a copy.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from collectors.crawl.decode import ImagePolicy, examine, write
from collectors.local.posts import image_path
from collectors.store.layout import media_path
from collectors.store.record import Outcome

#: Larger files aren't read.
MAX_BYTES = 256 * 2**20


def look(_: bytes, url: str, folder: Path, run_id: int, policy: ImagePolicy, *, root: Path) -> Outcome:
    """Examine the image `url` (`local://NAME/PATH`) below `root`, and put it into the store in `folder`."""
    path, problem = inside(root, image_path(url))
    if path is None:
        return problem
    try:
        data = path.read_bytes()
    except OSError as error:
        return _failed("unreadable_file", f"{image_path(url)}: {error.strerror}")
    _, outcome = examine(data, url, policy)
    if outcome.sha256 is None or outcome.mime is None:
        return outcome
    _put(path, data, folder, run_id, media_path(folder, outcome.sha256, outcome.mime))
    return outcome


def inside(root: Path, relative: str) -> tuple[Path | None, Outcome]:
    """Return the file at a path below `root`, or the outcome that says why it may not or can't be read.

    `root` is a resolved path. Links must not lead out of it.
    """
    try:
        path = (root / relative).resolve()
        if ".." in relative.split("/") or not path.is_relative_to(root):
            return None, _failed("outside_folder", relative)
        found = path.stat()
    except FileNotFoundError:
        return None, Outcome("gone", "file_missing", detail=relative)
    except (OSError, ValueError, RuntimeError) as error:  # a long name, a NUL, a cycle of links
        return None, _failed("unreadable_file", f"{relative}: {error}"[:200])
    if not stat.S_ISREG(found.st_mode):
        return None, _failed("not_a_file", relative)
    if found.st_size > MAX_BYTES:
        return None, _failed("too_large", f"{found.st_size:,} bytes")
    return path, Outcome("pending")


def _failed(reason: str, detail: str) -> Outcome:
    return Outcome("failed", reason, detail=detail)


def _put(path: Path, data: bytes, folder: Path, run_id: int, place: Path) -> None:
    """Link the file to its place in the store, or write its bytes there if it can't be linked."""
    if not place.parent.is_dir():
        place.parent.mkdir(exist_ok=True)
    try:
        os.link(path, place)
    except OSError:  # the place is taken, on another disk, or the file has another owner
        write(data, folder, run_id, place)
