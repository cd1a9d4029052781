"""Animated images."""

from __future__ import annotations

import pyarrow as pa

from curation.filters.options import Animated
from curation.filters.stage import separate


def apply(table: pa.Table, options: Animated) -> tuple[pa.Table, pa.Table]:
    """Drop `animated_image`: more than one frame. Without this filter the first frame stands for all."""
    frames = table["image_frames"].fill_null(1).to_numpy()
    return separate(table, frames <= 1, "animated", "animated_image", [f"{n} frames" for n in frames])
