"""Open image files from the internet with Pillow.

    with open_image(data) as image: …

Pillow refuses a PNG if one of its texts or its colour profile is larger than 1 MB, and it prints warnings
about damaged metadata. Neither concerns the pixels: such chunks are skipped, and the warnings are ignored.
"""

from __future__ import annotations

import io
import logging
import re
import struct
import warnings
import zlib

from PIL import Image, ImageFile

_PNG = b"\x89PNG\r\n\x1a\n"
_METADATA = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")

#: Pillow's own limits for a PNG's texts, in bytes: of one that is compressed, and of all together.
_ONE_TEXT, _ALL_TEXTS = 2**20, 64 * 2**20

_PILLOWS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def open_image(data: bytes, formats: list[str] | None = None) -> ImageFile.ImageFile:
    """Open an encoded image. Pillow's errors for hostile bytes are of many kinds; see `Image.open`."""
    _silence_pillow()
    return Image.open(io.BytesIO(without_large_metadata(data)), formats=formats)


def without_large_metadata(data: bytes) -> bytes:
    """Return a PNG without the texts and the colour profile that Pillow refuses; other data as it is."""
    if not data.startswith(_PNG):
        return data
    kept: list[bytes] = []
    copied, at, room = 0, len(_PNG), _ALL_TEXTS
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length  # the chunk's length, name and checksum
        if kind in _METADATA:
            size = _text_size(kind, data[at + 8 : end - 4]) if room > 0 else None
            room -= _ONE_TEXT if size is None else size
            if size is None or room < 0:
                kept.append(data[copied:at])
                copied = end
        at = end
    return b"".join([*kept, data[copied:]]) if kept else data


def _text_size(kind: bytes, chunk: bytes) -> int | None:
    """Return the size in bytes of a text or a profile, unpacked; None if Pillow would refuse it."""
    packed = chunk.partition(b"\0")[2]
    if kind == b"tEXt":
        return len(chunk)
    if kind == b"iTXt":  # a flag, the method, the language, a translated keyword, then the text
        fields = packed[2:].split(b"\0", 2)
        if packed[:2] != b"\1\0" or len(fields) < 3:
            return len(chunk)
        packed = b"\0" + fields[2]
    if packed[:1] != b"\0":  # the only method there is
        return None
    unpacking = zlib.decompressobj()
    try:
        size = len(unpacking.decompress(packed[1:], _ONE_TEXT))
    except zlib.error:
        return len(chunk)
    return None if unpacking.unconsumed_tail else size


def _silence_pillow() -> None:
    """Ignore the warnings of Pillow's own modules, in this process; other warnings are shown as before.

    `warnings.catch_warnings` isn't safe with threads, which decode images here.
    """
    if _PILLOWS not in warnings.filters:
        warnings.filterwarnings("ignore", module=_PILLOWS[3].pattern)
        # Without a handler, Python prints what a library logs as a warning.
        logging.getLogger("PIL").addHandler(logging.NullHandler())
