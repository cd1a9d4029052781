"""Small pictures for the page: JPEGs of 160 pixels a side at most, inside the page as data addresses."""

from __future__ import annotations

import base64
import io
import warnings

from PIL import Image, ImageOps

#: The long side in pixels, and the bytes that one may have: this bounds the page.
SIDE, MOST_BYTES = 160, 11_000

_QUALITIES = (74, 55, 35, 15)


def thumbnail(data: bytes) -> str | None:
    """Return an image's thumbnail as a data address, or None where the bytes don't decode."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "Corrupt EXIF data": the pixels decide
            return _address(_small(data))
    except Exception:  # hostile bytes raise anything: OSError, SyntaxError, struct.error, a bomb's error
        return None


def _small(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        shrink = max(1.0, max(image.size) / (2 * SIDE))
        image.draft("RGB", (int(image.width / shrink), int(image.height / shrink)))
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image.thumbnail((2 * SIDE, 2 * SIDE))
            layer = image.convert("RGBA")
            small = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
        else:
            small = image.convert("RGB")
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        return small


def _address(image: Image.Image) -> str:
    """Encode it, more coarsely where it is too large."""
    encoded = b""
    for quality in _QUALITIES:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, optimize=True, comment=b"")
        encoded = out.getvalue()
        if len(encoded) <= MOST_BYTES:
            break
    return "data:image/jpeg;base64," + base64.b64encode(encoded).decode()
