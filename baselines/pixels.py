"""Images of a release, and their pixels, decoded ahead by threads while the network works."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from affectory.core.engine.local import Threads
from affectory.core.errors import BaselineError
from baselines.backbones import Backbone

if TYPE_CHECKING:
    from baselines.data import Part, Release

#: Batches that are decoded, or being decoded, before they are wanted.
AHEAD = 3


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image of a release, read when it is needed.

    `sha256` is that of the bytes that `read` returns. It is not the release's `image_sha256`, which is of the
    image as collected: a recipe may shrink it, and the features are then others.
    """

    post_id: str
    sha256: str
    read: Callable[[], bytes]


def image_refs(release: Release, part: Part) -> list[ImageRef]:
    """Return the images of a part, in order; rows without an image are left out."""
    from datasets import Image as ImageFeature

    raw = {
        split: rows.select_columns(["image"]).cast_column("image", ImageFeature(decode=False))
        for split, rows in release.rows.items()
    }
    splits = list(release.parts)
    readers = [
        (str(post), partial(_read, raw[splits[split]], row))
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


def pixel_batches(
    images: Sequence[ImageRef | None], backbone: Backbone, batches: Sequence[Sequence[int]]
) -> Iterator[Tensor]:
    """Yield, for each batch of row numbers, the images of these rows, float[B, 3, H, W]; zeros where None."""
    ahead = AHEAD * max((len(rows) for rows in batches), default=0)
    with Threads(cores()) as engine:
        chosen = (images[row] for rows in batches for row in rows)
        decoded = engine.map(pixels, chosen, backbone, ahead=ahead)
        for rows in batches:
            yield torch.stack(list(islice(decoded, len(rows))))


def pixels(image: ImageRef | None, backbone: Backbone) -> Tensor:
    """Decode an image into the network's input, float[3, H, W]. Raises `BaselineError` where it can't be."""
    if image is None:
        return torch.zeros(3, backbone.side, backbone.side)
    try:
        with Image.open(io.BytesIO(image.read())) as opened:
            # libjpeg can halve the size while it decodes. Four times what is needed loses nothing.
            opened.draft("RGB", (4 * backbone.side, 4 * backbone.side))
            return backbone.preprocess(opened)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BaselineError(
            f"the image of post {image.post_id} can't be decoded ({error}): build the release again"
        ) from error


def cores() -> int:
    """Return the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
