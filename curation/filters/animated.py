"""Animated images."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from curation.filters.filter import Filter, Options
from curation.filters.stage import separate


class Animated(Options):
    """Drop animated images. Without this filter they are kept, and their first frame is the image."""

    use: Literal["animated"]


def apply(table: pa.Table, options: Animated) -> tuple[pa.Table, pa.Table]:
    """Drop `animated_image`: more than one frame. Without this filter the first frame is used."""
    frames = table["image_frames"].fill_null(1).to_numpy()
    return separate(table, frames <= 1, options.use, "animated_image", [f"{n} frames" for n in frames])


FILTER = Filter(Animated, apply)
