"""The one look at each image: the file is what its digest says, it decodes, and this is its hash.

Where the recipe wants JPEGs of one side, they are encoded here too, so that no image is decoded twice.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from PIL import Image, ImageOps

from collectors.store import media_path
from curation.near_images import difference_hash
from curation.recipe import Images
from curation.stage import ROWS, separate, with_column

#: The side to which a JPEG is decoded for its hash alone: well above the 9x8 that the hash needs.
HASH_SIDE = 64


@dataclass(frozen=True, slots=True)
class _Seen:
    reason: str = ""
    detail: str = ""
    hash: int | None = None
    size: int | None = None
    encoded: bytes | None = None


def look(table: pa.Table, folder: Path, options: Images) -> tuple[pa.Table, pa.Table]:
    """Hash (and encode) the images of rows that have one; drop `image_missing` and `image_corrupt`.

    `folder` is the store's. Corrupt is a file whose bytes aren't those of its digest, or don't decode.
    """
    statuses = table["media_status"].to_pylist()
    digests, mimes = table["image_sha256"].to_pylist(), table["image_mime"].to_pylist()
    seen = [
        _look_at(media_path(folder, digest, mime), digest, options) if status == "stored" else _Seen()
        for status, digest, mime in zip(statuses, digests, mimes, strict=True)
    ]
    table = with_column(table, "image_hash", [one.hash for one in seen])
    table = with_column(table, "image_size", [one.size for one in seen])
    if options.format == "jpeg":
        table = with_column(table, "image_bytes", [one.encoded for one in seen])
    keep = [not one.reason for one in seen]
    return separate(table, keep, "pixels", [one.reason for one in seen], [one.detail for one in seen])


def without_images(table: pa.Table) -> pa.Table:
    """Return the rows as if none had an image."""
    for name in ("image_url", "image_sha256", "image_mime", "image_width", "image_height", "image_frames"):
        field = ROWS.field(name)
        table = table.set_column(ROWS.get_field_index(name), field, pa.nulls(len(table), field.type))
    return table


def _look_at(path: Path, digest: str, options: Images) -> _Seen:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return _Seen("image_missing", digest)
    if hashlib.sha256(data).hexdigest() != digest:
        return _Seen("image_corrupt", f"{digest}: other bytes")
    try:
        with Image.open(io.BytesIO(data)) as image:
            jpeg = options.format == "jpeg"
            if image.format == "JPEG":  # for the hash alone, its grey channel at an eighth of its size
                side = options.side if jpeg else HASH_SIDE
                mode = image.mode if jpeg else "L"
                image.draft(mode, (min(image.width, side), min(image.height, side)))
            image.load()
            ImageOps.exif_transpose(image, in_place=True)  # a copy that was turned for good is a twin too
            encoded = _encode(image, options) if jpeg else None
            size = len(data if encoded is None else encoded)
            return _Seen(hash=difference_hash(image), size=size, encoded=encoded)
    except Exception as error:  # the collector decoded it once; another Pillow may not
        return _Seen("image_corrupt", f"{digest}: {type(error).__name__}")


def _encode(image: Image.Image, options: Images) -> bytes:
    """Return the image as a JPEG of at most the recipe's side; transparency becomes white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        flat = Image.new("RGB", rgba.size, "white")
        flat.paste(rgba, mask=rgba)
    else:
        flat = image.convert("RGB")
    flat.thumbnail((options.side, options.side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    out = io.BytesIO()
    flat.save(out, "JPEG", quality=options.quality, comment=b"")  # not the source's: names, places
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
