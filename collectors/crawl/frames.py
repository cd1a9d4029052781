"""How many frames a GIF or a TIFF has, counted from the file's structure without decoding any.

Pillow's `n_frames` parses every frame of a GIF in full, and for each directory of a TIFF it searches a list
of all those before: files of a few megabytes cost it many seconds. Both functions here take time linear in
the file's size, stop at `MAX_FRAMES`, and raise nothing, whatever the bytes. A frame whose header is cut off
isn't counted, and neither returns less than 1.
"""

from __future__ import annotations

import re
import struct

#: Frames are counted up to here. More than one means animated; nothing depends on the exact number beyond.
MAX_FRAMES = 1000

#: What a GIF's blocks begin with: an image, an extension, the end. Pillow skips other bytes between blocks.
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
    """Return the bytes of the colour table that the flags at this place announce."""
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def tiff_frames(data: bytes) -> int:
    """Return the number of directories in a TIFF's chain, from 1 to `MAX_FRAMES`; a loop ends it."""
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
    """Return the number at this place, 0 beyond the end."""
    if at + struct.calcsize(layout) > len(data):
        return 0
    value: int = struct.unpack_from(layout, data, at)[0]
    return value
