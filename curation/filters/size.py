"""Images too small to show anything."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from curation.filters.filter import Filter, Options
from curation.filters.stage import separate


class Size(Options):
    """Drop images with a side below `min_side` pixels."""

    use: Literal["size"]
    min_side: Annotated[int, Field(ge=1)] = 32


def apply(table: pa.Table, options: Size) -> tuple[pa.Table, pa.Table]:
    """Drop `image_too_small`: a side below `min_side` pixels. Rows without an image stay."""
    width = table["image_width"].fill_null(0).to_numpy()
    height = table["image_height"].fill_null(0).to_numpy()
    has_image = table["media_status"].to_numpy() == "stored"
    keep = ~has_image | (np.minimum(width, height) >= options.min_side)
    sizes = [f"{w}x{h}" for w, h in zip(width, height, strict=True)]
    return separate(table, keep, options.use, "image_too_small", sizes)


FILTER = Filter(Size, apply)
