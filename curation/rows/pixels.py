"""Check, decode and hash each image, once.

If the recipe asks for JPEGs of a given size, they are encoded here too, so that no image is decoded twice.

The collector limits the time for decoding an image, but older stores may have images that take minutes. With
a time limit here, the contents of a release would depend on the machine, so `excessive_scans` counts scans
instead.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from PIL import Image

from affectory.core.image_files import open_image, without_large_metadata
from affectory.core.rgb import to_rgb, upright
from collectors.store import media_path
from curation.duplicates.detector import Fingerprint
from curation.duplicates.dhash import difference_hash
from curation.filters.stage import ROWS, separate, with_column
from curation.recipe.recipe import Images

#: The most pixels times scans of a JPEG that is decoded, which takes up to about ten seconds. A progressive
#: photograph of 50 megapixels with ten scans has a fortieth of it.
MAX_SCANNED = 20_000_000_000


class RefusedImage(Exception):
    """An image of the store isn't decoded. `reason` is that of the drop, `detail` the value behind it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image of the store: upright in its own mode and in RGB, and the bytes of its file."""

    upright: Image.Image
    rgb: Image.Image
    data: bytes


@dataclass(frozen=True, slots=True)
class _Seen:
    reason: str = ""
    detail: str = ""
    hash: int | None = None
    size: int | None = None
    encoded: bytes | None = None
    prints: Mapping[str, bytes] = field(default_factory=dict)


def look(
    table: pa.Table, folder: Path, options: Images, fingerprints: Mapping[str, Fingerprint]
) -> tuple[pa.Table, pa.Table]:
    """Hash (and encode) the images of rows that have one; add the columns of `fingerprints`.

    Drops `image_missing`, `image_corrupt` (a file whose bytes don't match its digest, or don't decode) and
    `too_many_scans` (a progressive JPEG that is slow to decode). `folder` is the store's.
    """
    statuses = table["media_status"].to_pylist()
    digests, mimes = table["image_sha256"].to_pylist(), table["image_mime"].to_pylist()
    seen = [
        _look_at(media_path(folder, digest, mime), digest, options, fingerprints)
        if status == "stored"
        else _Seen()
        for status, digest, mime in zip(statuses, digests, mimes, strict=True)
    ]
    table = with_column(table, "image_hash", [one.hash for one in seen])
    table = with_column(table, "image_size", [one.size for one in seen])
    if options.format == "jpeg":
        table = with_column(table, "image_bytes", [one.encoded for one in seen])
    for name in fingerprints:
        table = table.append_column(name, pa.array([one.prints.get(name) for one in seen], pa.binary()))
    keep = [not one.reason for one in seen]
    return separate(table, keep, "pixels", [one.reason for one in seen], [one.detail for one in seen])


def without_images(table: pa.Table, fingerprints: Iterable[str]) -> pa.Table:
    """Return the rows as if none had an image, with the columns of `fingerprints`."""
    for name in ("image_url", "image_sha256", "image_mime", "image_width", "image_height", "image_frames"):
        kind = ROWS.field(name)
        table = table.set_column(ROWS.get_field_index(name), kind, pa.nulls(len(table), kind.type))
    for name in fingerprints:
        table = table.append_column(name, pa.nulls(len(table), pa.binary()))
    return table


def _look_at(path: Path, digest: str, options: Images, fingerprints: Mapping[str, Fingerprint]) -> _Seen:
    try:
        image = decoded(path, digest)
    except RefusedImage as refused:
        return _Seen(refused.reason, refused.detail)
    try:
        grey = image.rgb.convert("L")
        prints = {name: of(grey) for name, of in fingerprints.items()}
        dhash = difference_hash(grey)
        encoded = _encode(image.upright, options) if options.format == "jpeg" else None
        size = len(without_large_metadata(image.data) if encoded is None else encoded)
        return _Seen(hash=dhash, size=size, encoded=encoded, prints=prints)
    except Exception as error:
        return _Seen("image_corrupt", f"{digest}: {type(error).__name__}")


def decoded(path: Path, digest: str) -> Decoded:
    """Read and decode the file of an image, which must have this sha256. Raises `RefusedImage`."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise RefusedImage("image_missing", digest) from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise RefusedImage("image_corrupt", f"{digest}: other bytes")
    try:
        image = open_image(data)
        scans = excessive_scans(image, data)
        if not scans:
            turned = upright(image)  # so that a copy with rotated pixels has the same hash
            return Decoded(turned, to_rgb(turned), data)
    except Exception as error:  # another version of Pillow may not decode what the collector's decoded
        raise RefusedImage("image_corrupt", f"{digest}: {type(error).__name__}") from error
    size = f"{image.width}x{image.height}"
    raise RefusedImage("too_many_scans", f"{digest}: {scans:,} scans of {size} pixels")


def excessive_scans(image: Image.Image, data: bytes) -> int:
    """Return how many scans a JPEG has if they are too many to decode (`MAX_SCANNED`), otherwise 0.

    A progressive JPEG may have any number of scans of a few bytes each, and each scan updates every pixel.
    """
    if image.format not in ("JPEG", "MPO"):
        return 0
    scans = data.count(b"\xff\xda")  # the marker of a scan; within a scan's data each 0xff is followed by 0
    return scans if scans * image.width * image.height > MAX_SCANNED else 0


def _encode(image: Image.Image, options: Images) -> bytes:
    """Return the image as a JPEG whose sides are at most the recipe's; `image` may be changed."""
    flat = to_rgb(image, scale_16_bit=False)
    flat.thumbnail((options.side, options.side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    out = io.BytesIO()
    flat.save(out, "JPEG", quality=options.quality, comment=b"")  # the source's comment may have names
    return out.getvalue()


def lost_digests(dropped: pa.Table) -> Sequence[str]:
    """Return the digests of images that the store should fetch again."""
    reasons = dropped["reason"].to_pylist()
    return sorted(
        {
            digest
            for reason, digest in zip(reasons, dropped["image_sha256"].to_pylist(), strict=True)
            if reason in ("image_missing", "image_corrupt")
        }
    )
