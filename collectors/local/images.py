"""An image on disk: find it in the folder, examine it, and put it into the store.

This runs in a worker process, which limits its time. The store's file is a hard link if the file system
supports it, so that a dataset's images don't take up space twice; otherwise it is a copy.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from collectors.crawl.decode import ImagePolicy, examine, write
from collectors.local.files import find
from collectors.local.posts import image_path
from collectors.store.layout import media_path
from collectors.store.record import Outcome

#: Larger files aren't read.
MAX_BYTES = 256 * 2**20


def look(data: bytes, url: str, folder: Path, run_id: int, policy: ImagePolicy, *, root: Path) -> Outcome:
    """Examine the image `url` (`local://NAME/PATH`), and put it into the store in `folder`.

    It is the file at PATH below `root`, unless a table held the image: then `data` are its bytes.
    """
    path = None
    if not data:
        found = find(root, image_path(url), MAX_BYTES)
        if isinstance(found, Outcome):
            return found
        path = found
        try:
            data = path.read_bytes()
        except OSError as error:
            return Outcome("failed", "unreadable_file", detail=f"{image_path(url)}: {error.strerror}")
    _, outcome = examine(data, url, policy)
    if outcome.status == "gone":  # a picture of 500 x 1 pixels: a sign of a removed one on the web alone
        return replace(outcome, status="failed")
    if outcome.sha256 is None or outcome.mime is None:
        return outcome
    place = media_path(folder, outcome.sha256, outcome.mime)
    if path is None:
        write(data, folder, run_id, place)
    else:
        _put(path, data, folder, run_id, place)
    return outcome


def _put(path: Path, data: bytes, folder: Path, run_id: int, place: Path) -> None:
    """Link the file to its place in the store, or write its bytes there if it can't be linked."""
    if not place.parent.is_dir():
        place.parent.mkdir(exist_ok=True)
    try:
        os.link(path, place)
    except OSError:  # the place is taken, on another disk, or the file has another owner
        write(data, folder, run_id, place)
