"""Look at images: decode each once, in worker processes, and keep a few numbers and a thumbnail of it."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple, Self, TypeAlias

import numpy as np
from PIL import ExifTags, Image

from affectory.core.image_files import open_image
from affectory.core.rgb import to_rgb
from curation.audit.rows import GPS, OWNER, SERIAL, TURNED, Array, Pictures
from curation.duplicates import dhash
from curation.rows.pixels import excessive_scans

#: An encoded image, or the local file that holds it; None without an image.
Source: TypeAlias = bytes | Path | None

#: The longer side of the small copy that quality is measured on and that the page shows.
SIDE = 160

_QUALITY = 60
_VIEWS = dhash.DETECTOR.fingerprint(dhash.Dhash(use="dhash"))

#: The tags of a camera's and a lens's serial number, and those of people.
_SERIALS = (0xA431, 0xA435, 0xC62F)
_OWNERS = (ExifTags.Base.Artist, 0xA430)


class Seen(NamedTuple):
    """What one image showed; the fields are those of `Pictures`."""

    digest: bytes | None = None
    error: str = ""
    hash: int = 0
    prints: bytes | None = None
    width: int = 0
    height: int = 0
    format: str = ""
    mode: str = ""
    exif: int = 0
    bright: float = 0
    spread: float = 0
    sharp: float = 0
    small: bytes = b""


def look(sources: Sequence[Source], views: bool) -> list[Seen]:
    """Look at some images. With `views`, their hashes mirrored, cropped and turned are computed, too."""
    return [_look_at(source, views) for source in sources]


def _look_at(source: Source, views: bool) -> Seen:
    if source is None:
        return Seen()
    try:
        data = source if isinstance(source, bytes) else _content(source)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        why = getattr(error, "strerror", None) or error
        return Seen(hashlib.sha256(os.fsencode(source)).digest(), f"no such file: {why}")
    try:
        with open_image(data) as image:
            if scans := excessive_scans(image, data):
                raise OverflowError(f"{scans:,} scans of {image.width} x {image.height} pixels")
            form, mode, size = image.format or "", image.mode, image.size
            exif = surprises(image)
            rgb = to_rgb(image)
    except Exception as error:  # Pillow raises many kinds for hostile bytes
        said = str(error).partition("\n")[0].partition(" <_io")[0]
        return Seen(hashlib.sha256(data).digest(), f"{type(error).__name__}: {said}"[:120])
    digest = hashlib.sha256(f"{rgb.size} ".encode() + rgb.tobytes()).digest()
    grey = rgb.convert("L")
    prints = _VIEWS(grey) if views and _VIEWS else None
    small = rgb.copy() if max(rgb.size) <= SIDE else _shrunk(rgb)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_QUALITY, comment=b"")
    told = (*size, form, mode, exif, *measure(small))
    return Seen(digest, "", dhash.difference_hash(grey), prints, *told, out.getvalue())


def _content(path: Path) -> bytes:
    """Return what a file holds. A device or a pipe may have no end."""
    if path.exists() and not path.is_file():
        raise ValueError("not a regular file")
    return path.read_bytes()


def _shrunk(rgb: Image.Image) -> Image.Image:
    scale = SIDE / max(rgb.size)
    width, height = (max(1, round(side * scale)) for side in rgb.size)
    return rgb.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)


def measure(small: Image.Image) -> tuple[float, float, float]:
    """Return `bright`, `spread` and `sharp` of an image of at most `SIDE` pixels (see `Pictures`)."""
    grey = np.asarray(small.convert("L"))
    levels, counts = np.arange(256), np.bincount(grey.ravel(), minlength=256)
    bright = int(np.searchsorted(np.cumsum(counts), 0.95 * grey.size))
    mean = counts @ levels / grey.size
    spread = (counts @ (levels - mean) ** 2 / grey.size) ** 0.5
    signed = grey.astype(np.int16)
    across = 4 * signed[1:-1, 1:-1]
    for beside in (signed[:-2, 1:-1], signed[2:, 1:-1], signed[1:-1, :-2], signed[1:-1, 2:]):
        across -= beside
    return bright, float(spread), float(across.astype(np.float32).std()) if across.size else 0.0


def surprises(image: Image.Image) -> int:
    """Return the EXIF surprises of an image as bits."""
    exif = image.getexif()
    if not exif:
        return 0
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    found = GPS if exif.get_ifd(ExifTags.IFD.GPSInfo) else 0
    found |= TURNED if exif.get(ExifTags.Base.Orientation, 1) != 1 else 0
    found |= SERIAL if any(camera.get(tag) or exif.get(tag) for tag in _SERIALS) else 0
    return found | (OWNER if any(camera.get(tag) or exif.get(tag) for tag in _OWNERS) else 0)


class Album:
    """What was seen of a dataset's images; the thumbnails are in a file without a name."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._ends = [0]
        self._seen: list[Seen] = []

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Self]:
        """Yield an empty album; its file is gone after the block, however that ends."""
        with TemporaryFile() as file:
            yield cls(file)

    def add(self, seen: Iterable[Seen]) -> None:
        """Add what was seen of the next rows."""
        for one in seen:
            self._file.write(one.small)
            self._ends.append(self._ends[-1] + len(one.small))
            self._seen.append(one._replace(small=b""))

    def thumbnail(self, row: int) -> bytes:
        """Return the small JPEG of a row; b"" if it has none."""
        self._file.seek(self._ends[row])
        return self._file.read(self._ends[row + 1] - self._ends[row])

    def pictures(self) -> Pictures:
        """Return what was seen, by field."""
        return by_field(self._seen)


def by_field(seen: Sequence[Seen]) -> Pictures:
    """Return what was seen of some images, by field."""

    def numbers(name: str, kind: Any) -> Array:
        return np.array([getattr(one, name) for one in seen], dtype=kind)

    return Pictures(
        digest=[one.digest for one in seen],
        error=[one.error for one in seen],
        hash=numbers("hash", np.uint64),
        prints=[one.prints for one in seen],
        width=numbers("width", np.int32),
        height=numbers("height", np.int32),
        format=[one.format for one in seen],
        mode=[one.mode for one in seen],
        exif=numbers("exif", np.int32),
        bright=numbers("bright", np.float32),
        spread=numbers("spread", np.float32),
        sharp=numbers("sharp", np.float32),
    )
