"""The images of a release, read when they are needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

from affectory.core.engine.local import Threads
from affectory.encoders.image.pixels import ImageRef, cores
from baselines.data.release import SPLITS, Part, Release


def image_refs(release: Release, part: Part) -> list[ImageRef]:
    """Return the images of a part, in order; rows without an image are left out."""
    from datasets import Image as ImageFeature

    raw = {
        split: rows.select_columns(["image"]).cast_column("image", ImageFeature(decode=False))
        for split, rows in release.rows.items()
    }
    readers = [
        (str(post), partial(_read, raw[SPLITS[split]], row))
        for post, digest, (split, row) in zip(part.post_ids, part.digests, part.where.tolist(), strict=True)
        if digest
    ]
    with Threads(cores()) as engine:
        digests = engine.map(_digest, (read for _, read in readers))
        return [ImageRef(post, digest, read) for (post, read), digest in zip(readers, digests, strict=True)]


def _read(rows: Any, row: int) -> bytes:
    data: bytes = rows[row]["image"]["bytes"]
    return data


def _digest(read: Callable[[], bytes]) -> str:
    return hashlib.sha256(read()).hexdigest()
