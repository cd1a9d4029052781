"""Images of a release, and their pixels, decoded ahead by threads while the network works."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from affectory.core.engine.local import Threads
from affectory.core.errors import BaselineError
from affectory.core.image_files import open_image
from affectory.encoders.image.backbones import Backbone
from affectory.encoders.image.network import Network

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
        with open_image(image.read()) as opened:
            # libjpeg can halve the size while it decodes. Four times what is needed loses nothing.
            opened.draft("RGB", (4 * backbone.side, 4 * backbone.side))
            return backbone.preprocess(opened, image.sha256)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BaselineError(
            f"the image of post {image.post_id} can't be decoded ({error}): build the release again"
        ) from error


def squashed_pixels(side: int) -> Backbone:
    """Return a network that changes nothing: it gives the image squashed to a square, uint8[3, S, S]."""

    def transform(image: Image.Image) -> Tensor:
        small = image.resize((side, side), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.array(small)).permute(2, 0, 1).contiguous()

    network = Network(nn.Identity(), transform, f"squash to {side} bicubic", side)
    return Backbone("pixels", 3 * side * side, f"pixels-{side}", "", network)


def cores() -> int:
    """Return the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
