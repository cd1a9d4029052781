"""Check that bytes are an image that decodes, and write them to the store.

`keep` runs in a worker process, which limits its time. The order protects from hostile files: first the
format is detected from the content, then the dimensions in the header are checked, and only then is the image
decoded, once. A JPEG is decoded at an eighth of its size (`draft`), which still reads all of its bytes.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image, ImageFile

from affectory.core.image_files import open_image
from affectory.core.rgb import to_rgb
from collectors.crawl.frames import MAX_FRAMES, gif_frames, png_frames, tiff_frames
from collectors.http.answers import html_title
from collectors.imgur.links import is_imgur
from collectors.store.layout import media_path
from collectors.store.record import Outcome

#: Pillow's names of the accepted formats, and the MIME types under which they are stored.
FORMATS = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # a JPEG followed by a second picture, as some phones write it
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
}


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """Which images are accepted and how they are stored.

    `max_pixels` limits what is decoded (50 megapixels are 150 MB as RGB). With `max_side`, larger still
    images are stored as JPEGs with this longer side and `quality`; without, the original bytes are stored.
    """

    max_pixels: int = 50_000_000
    max_side: int | None = None
    quality: int = 95


def keep(data: bytes, url: str, folder: Path, run_id: int, policy: ImagePolicy) -> Outcome:
    """Examine an image from `url`, write it to the store's `media/`, and return its outcome.

    No bytes raise an error. Raises `OSError` if the file can't be written.
    """
    data, outcome = examine(data, url, policy)
    if outcome.sha256 is not None and outcome.mime is not None:
        write(data, folder, run_id, media_path(folder, outcome.sha256, outcome.mime))
    return outcome


def examine(data: bytes, url: str, policy: ImagePolicy) -> tuple[bytes, Outcome]:
    """Return the bytes to store and the outcome, which has a digest only if the bytes are an image."""
    name = sniff(data)
    if name not in FORMATS:
        return data, _no_image(name, data)
    try:
        # `_implausible` checks the dimensions and reports them; Pillow's own check would raise first.
        Image.MAX_IMAGE_PIXELS = None
        with open_image(data, [name]) as image:
            problem = _implausible(image, data, url, policy)
            if problem is not None:
                return data, problem
            seen = _decode(image, data, name, policy)
            side = policy.max_side
            if side is not None and seen.frames == 1 and max(seen.width or 0, seen.height or 0) > side:
                data, seen = _shrink(image, seen, side, policy.quality)
    except Exception as error:  # hostile bytes raise OSError, SyntaxError, struct.error, …
        truncated = isinstance(error, EOFError) or "truncated" in str(error).lower()
        reason = "truncated_image" if truncated else "corrupt_image"
        # Without the address in "cannot identify image file <_io.BytesIO object at 0x7f…>" runs are equal.
        text = re.sub(r" <_io\.BytesIO object at 0x\w+>", "", f"{name}: {error}")
        return data, Outcome("failed", reason, detail=text.encode("utf-8", "replace").decode()[:200])
    return data, replace(seen, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def sniff(data: bytes) -> str:
    """Detect the format of bytes: Pillow's name of it, `HTML`, `VIDEO`, `SVG`, `EMPTY` or `UNKNOWN`."""
    head = data[:64]
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brands = {head[8:12], *(head[at : at + 4] for at in range(16, min(head[3], 64), 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "UNKNOWN" if brands & {b"heic", b"heix", b"mif1"} else "VIDEO"  # HEIC, as iPhones write it
    if not data:
        return "EMPTY"
    prolog = _PROLOG.match(data)
    assert prolog is not None  # it may be empty
    root = data[prolog.end() : prolog.end() + 64].lower()
    if _SVG.match(root):
        return "SVG"
    is_page = root.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))
    return "HTML" if is_page or b"<?xml" in prolog[0][:64].lower() else "UNKNOWN"


#: What may precede the first element of an XML or HTML document: blanks, the declaration, comments and, in
#: SVG, a document type, which may list entities in brackets.
_PROLOG = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s++|<\?.*?\?>|<!--.*?-->|<!doctype\s+svg\b[^\[>]*+(?:\[.*?\]\s*+)?>)*+",
    re.I | re.S,
)
_SVG = re.compile(rb"<(?:[\w.-]+:)?svg[\s/>]")


_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"\x1aE\xdf\xa3", "VIDEO"),  # Matroska, WebM
)


def _no_image(name: str, data: bytes) -> Outcome:
    reasons = {
        "HTML": ("html_instead_of_image", html_title(data)),
        "VIDEO": ("video_instead_of_image", ""),
        "SVG": ("vector_image", ""),
        "EMPTY": ("empty_body", ""),
    }
    reason, detail = reasons.get(name, ("not_an_image", f"begins with {data[:8].hex(' ')}"))
    return Outcome("failed", reason, detail=detail)


def _implausible(image: ImageFile.ImageFile, data: bytes, url: str, policy: ImagePolicy) -> Outcome | None:
    """Return the outcome of a bomb, a tracking pixel or a host's "removed" image, judged by the header."""
    width, height = image.size
    if width * height > policy.max_pixels:
        return Outcome("failed", "too_many_pixels", detail=f"{width}x{height}")
    web = url.startswith(("http://", "https://"))
    if width <= 1 or height <= 1:  # a host may send this for an image that it no longer has
        size = f"{width}x{height}"
        if web:
            return Outcome("gone", "one_pixel", detail=size)
        return Outcome("failed", "one_pixel", detail=size, retry=True)
    # imgur's removed.png is 161x81; it is also served without a redirect.
    if web and (width, height) == (161, 81) and is_imgur(urlsplit(url).hostname or ""):
        return Outcome("gone", "removed_placeholder", detail="imgur's 161x81 picture")
    if image.format in ("JPEG", "MPO") and 8 * len(data) < _least_bits(image, data):
        # libjpeg fills in grey what is missing before the end marker, without an error.
        return Outcome("failed", "truncated_image", detail=f"{len(data):,} bytes for {width}x{height} pixels")
    return None


#: The start of a JPEG's frame with arithmetic coding, which may take less than a bit for a block.
_ARITHMETIC = re.compile(rb"\xff[\xc9\xca]\0")


def _least_bits(image: ImageFile.ImageFile, data: bytes) -> int:
    """Return the bits that a JPEG of this size has at least: one for each block of 8x8 pixels."""
    width, height = image.size
    return 0 if _ARITHMETIC.search(data) else -(-width // 8) * -(-height // 8)


def _decode(image: ImageFile.ImageFile, data: bytes, name: str, policy: ImagePolicy) -> Outcome:
    """Decode the first frame; return the outcome with the type, dimensions and number of frames."""
    width, height = image.size
    frames = _frames(image, data, name)
    if name == "JPEG":
        # libjpeg scales by 1/2, 1/4 or 1/8 while it decodes, never below the size that is stored.
        image.draft(image.mode, _within(image.size, policy.max_side or 1))
    image.load()
    return Outcome("stored", mime=FORMATS[name], width=width, height=height, frames=frames)


def _frames(image: ImageFile.ImageFile, data: bytes, name: str) -> int:
    """Return the number of frames, at most `MAX_FRAMES`; the image stays at its first frame."""
    if name == "GIF":
        return gif_frames(data)
    if name == "TIFF":
        return tiff_frames(data)
    if name == "PNG":
        return png_frames(data)
    if name == "JPEG":
        return 1  # the second picture of an MPO is a depth map or the view of the other eye
    # In the other formats Pillow reads the number from the header, where it may be anything.
    return min(getattr(image, "n_frames", 1), MAX_FRAMES)


def _shrink(image: Image.Image, seen: Outcome, side: int, quality: int) -> tuple[bytes, Outcome]:
    """Return the image as a JPEG whose longer side is `side`, upright, on white if transparent."""
    image = to_rgb(image)
    # HAMMING is as fast as BILINEAR and closer to LANCZOS (PSNR 37 dB; BILINEAR 33, OpenCV's "area" 29).
    image = image.resize(_within(image.size, side), Image.Resampling.HAMMING, reducing_gap=2.0)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, comment=b"")  # Pillow would copy the source's: names, places
    return out.getvalue(), replace(seen, mime="image/jpeg", width=image.width, height=image.height)


def _within(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the size of the same aspect ratio whose longer side is `side`, or `size` if it is smaller."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def write(data: bytes, folder: Path, run_id: int, path: Path) -> None:
    """Write the file under a temporary name, then rename it."""
    if path.exists() and path.stat().st_size == len(data):
        return  # the same image from another URL
    temporary = folder / "media" / "tmp" / f"{run_id}-{os.getpid()}-{path.name}"
    try:
        temporary.touch(0o600)
        temporary.write_bytes(data)
        try:
            temporary.rename(path)
        except FileNotFoundError:  # the first file of its folder
            path.parent.mkdir(exist_ok=True)
            temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
