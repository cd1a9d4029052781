"""Thumbnails for pages: JPEGs of at most 160 x 160 pixels, written into the page as data addresses."""

from __future__ import annotations

import base64
import io

from PIL import Image

from affectory.core.image_files import open_image
from affectory.core.rgb import to_rgb

#: The most pixels of the longer side, and the most bytes of a JPEG; they bound the size of a page.
SIDE, MOST_BYTES = 160, 11_000

_QUALITIES = (74, 55, 35, 15)


def thumbnail(data: bytes) -> str | None:
    """Return the thumbnail of an encoded image as a data address, or None if the image can't be decoded."""
    try:
        return _address(shrunk(data))
    except Exception:  # Pillow raises many kinds for hostile bytes: OSError, SyntaxError, struct.error, ...
        return None


def shrunk(data: bytes) -> Image.Image:
    """Return an encoded image as RGB, at most `SIDE` pixels on a side. Pillow raises many kinds of errors."""
    with open_image(data) as image:
        shrink = max(1.0, max(image.size) / (2 * SIDE))
        image.draft("RGB", (int(image.width / shrink), int(image.height / shrink)))
        small = to_rgb(image)
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        return small


def _address(image: Image.Image) -> str:
    """Return the image as a JPEG of the first quality that gives at most `MOST_BYTES`, else of the lowest."""
    encoded = b""
    for quality in _QUALITIES:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, optimize=True, comment=b"")
        encoded = out.getvalue()
        if len(encoded) <= MOST_BYTES:
            break
    return "data:image/jpeg;base64," + base64.b64encode(encoded).decode()
