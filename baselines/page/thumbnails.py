"""Small pictures for the page: JPEGs of 160 pixels a side at most, inside the page as data addresses."""

from __future__ import annotations

import base64
import io
import warnings

from PIL import Image, ImageOps

SIDE = 160
_QUALITY = 70


def thumbnail(data: bytes) -> str | None:
    """Return an image's thumbnail as a data address, or None where the bytes don't decode."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "Corrupt EXIF data": the pixels decide
            small = _small(data)
    except Exception:  # hostile bytes raise anything: OSError, SyntaxError, struct.error, a bomb's error
        return None
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def _small(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        upright = ImageOps.exif_transpose(image)
        if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
            upright.thumbnail((2 * SIDE, 2 * SIDE))
            layer = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        small = upright.convert("RGB")
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        return small
