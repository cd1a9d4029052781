"""The benchmarks' pictures: any number of JPEGs with different pixels, each as cheap as a copy.

    numbered(17)        # about 90 kB, 640 x 480

Drawing and encoding take milliseconds, which a benchmark of the collector would measure too. Therefore 64
pictures are encoded once, with a restart marker after every eighth block. Data between two markers can be
decoded by itself (ITU-T T.81, E.1.4), so the first row of blocks, five such intervals, is replaced by one
that shows the number in binary: 40 black or white squares of 16 pixels, which remain after shrinking and
encoding.
"""

from __future__ import annotations

import functools
import io

from PIL import Image

from collectors.sandbox.generated.pictures import draw
from collectors.sandbox.generated.posts import EMOTIONS

POOL = 64
SIZE = (640, 480)
_BLOCK = 16  # pixels: a block (MCU) holds 8 x 8 samples of each colour, which has half the resolution
_INTERVAL = 8  # blocks between two restart markers, one bit each
_BYTES = SIZE[0] // _BLOCK // _INTERVAL
_START_OF_SCAN, _END = b"\xff\xda", b"\xff\xd9"


def numbered(number: int) -> bytes:
    """Return picture `number`, a JPEG; raises `OverflowError` from 2**40 on."""
    head, rest = _drawn(number % POOL)
    squares = [_squares(byte) + _restart(i) for i, byte in enumerate(number.to_bytes(_BYTES, "big"))]
    return b"".join([head, *squares, rest])


@functools.lru_cache(maxsize=POOL)
def _drawn(place: int) -> tuple[bytes, bytes]:
    """Return a picture's headers, and its scan without the first row of blocks."""
    data = _encoded(draw(f"bench/{place}", EMOTIONS[place % 4], SIZE, detail=3.1))
    start, marker = _scan(data), _restart(_BYTES - 1)
    return data[:start], data[data.index(marker, start) + len(marker) :]


@functools.lru_cache(maxsize=256)
def _squares(byte: int) -> bytes:
    """Return the scan of eight squares, the highest bit first and white where it is set."""
    bits = bytes(255 * (byte >> bit & 1) for bit in reversed(range(_INTERVAL)))
    size = (_INTERVAL * _BLOCK, _BLOCK)
    row = Image.frombytes("L", (_INTERVAL, 1), bits).resize(size, Image.Resampling.NEAREST)
    data = _encoded(row.convert("RGB"))
    return data[_scan(data) : -len(_END)]


def _restart(number: int) -> bytes:
    return bytes([0xFF, 0xD0 + number])


def _encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    # All pictures have the same tables: those of the quality, and the standard Huffman codes.
    options = {"quality": 82, "subsampling": "4:2:0", "restart_marker_blocks": _INTERVAL}
    image.save(out, "JPEG", **options)
    return out.getvalue()


def _scan(data: bytes) -> int:
    """Return the offset of a JPEG's scan data, after the scan's header."""
    at = data.index(_START_OF_SCAN) + 2
    return at + int.from_bytes(data[at : at + 2], "big")
