"""How many frames a GIF, a PNG or a TIFF has, counted from the file's structure without decoding any.

Pillow's `n_frames` parses every frame of a GIF in full, and for each directory of a TIFF it searches a list
of all earlier ones: a file of a few megabytes takes it many seconds. Of an animated PNG it believes the
number in the header, up to 2,147,483,647. The functions here take time linear in the file's size, stop at
`MAX_FRAMES`, and never raise. A frame with a truncated header isn't counted; the result is at least 1.
"""

from __future__ import annotations

import re
import struct

#: Counting stops here. More than one frame means animated; nothing depends on the exact number.
MAX_FRAMES = 1000

#: First bytes of a GIF's blocks: image, extension, trailer. Like Pillow, we skip other bytes between them.
_GIF_BLOCK = re.compile(rb"[,!;]")


def gif_frames(data: bytes) -> int:
    """Return the number of image blocks in a GIF, from 1 to `MAX_FRAMES`."""
    frames, at = 0, 13 + _colour_table(data, 10)
    while frames < MAX_FRAMES:
        block = _GIF_BLOCK.search(data, at)
        if block is None or block.group() == b";":
            break
        at = block.end()
        if block.group() == b"!":
            at += 1  # the extension's label
        elif at + 9 < len(data):
            frames += 1
            at += 9 + _colour_table(data, at + 8) + 1  # position and size, colours, bits of an LZW code
        else:
            break
        while at < len(data) and data[at]:  # sub-blocks: a length, then as many bytes; 0 ends them
            at += data[at] + 1
        at += 1
    return max(frames, 1)


def _colour_table(data: bytes, flags_at: int) -> int:
    """Return the size in bytes of the colour table that the flags at this offset announce."""
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def png_frames(data: bytes) -> int:
    """Return the number of frames in a PNG, from 1 to `MAX_FRAMES`; a still picture before them counts."""
    frames, animated, at = 0, False, 8
    while at + 8 <= len(data) and frames < MAX_FRAMES:
        kind = data[at + 4 : at + 8]
        animated = animated or kind == b"acTL"
        if kind == b"IDAT" and not animated:
            return 1
        # A frame has a control chunk; the picture of a program that knows no animation may have none.
        frames += kind == b"fcTL" or (kind == b"IDAT" and frames == 0)
        at += 12 + _unsigned(">I", data, at)
    return max(frames, 1)


def tiff_frames(data: bytes) -> int:
    """Return the number of directories in a TIFF's chain, from 1 to `MAX_FRAMES`; a cycle ends it."""
    order = ">" if data.startswith(b"MM") else "<"
    seen: set[int] = set()
    at = _unsigned(order + "I", data, 4)
    while at and at not in seen and len(seen) < MAX_FRAMES:
        end = at + 2 + 12 * _unsigned(order + "H", data, at)
        if end + 4 > len(data):
            break
        seen.add(at)
        at = _unsigned(order + "I", data, end)
    return max(len(seen), 1)


def _unsigned(layout: str, data: bytes, at: int) -> int:
    """Return the number at this offset, 0 beyond the end."""
    if at + struct.calcsize(layout) > len(data):
        return 0
    value: int = struct.unpack_from(layout, data, at)[0]
    return value
