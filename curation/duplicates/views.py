"""Views of a picture: how it looks mirrored, cropped, without its border, slightly turned.

The hash of a picture is compared with the hashes of another one's views, so that an edited copy is near to
one of them. All views are made of one small grey picture, which costs little beside decoding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from curation.duplicates.across import link_across
from curation.duplicates.components import ALONE, Forest, Labels

Hash: TypeAlias = Callable[[Image.Image], bytes]

#: The side of the small picture: a border is cut off to 0.4%.
SIDE = 256
#: What is cut off each side for a view, in percent, and off one side alone.
CROPS, ONE_SIDE = (2, 4, 6, 8, 10, 12), (5,)
#: The angles of the turned views, in degrees.
ANGLES = (-2, 2)
#: How many grey levels the pixels of a border may differ.
PLAIN_BORDER = 24

#: A picture's own hashes, as it is and without its border, come first among its fingerprints.
OWN = 2


def fingerprint(grey: Image.Image, of: Hash) -> bytes:
    """Return the hashes of a grey picture and of its views, its own (`OWN`) first."""
    return b"".join(of(view) for view in _views(grey))


def _views(grey: Image.Image) -> Iterator[Image.Image]:
    small = grey.resize((SIDE, SIDE), Image.Resampling.HAMMING)
    trimmed = small.crop(_inner(np.asarray(small)))
    yield from (small, trimmed)
    for one in (small, trimmed):
        yield one.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for percent in CROPS:
        cut = round(SIDE * percent / 100)
        yield small.crop((cut, cut, SIDE - cut, SIDE - cut))
    for percent in ONE_SIDE:
        cut = round(SIDE * percent / 100)
        for left, top, right, bottom in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)):
            yield small.crop((cut * left, cut * top, SIDE - cut * right, SIDE - cut * bottom))
    half = small.reduce(2)
    for angle in ANGLES:
        yield _turned(half, angle, grey.width / grey.height)


def _turned(small: Image.Image, degrees: float, aspect: float) -> Image.Image:
    """Return a picture turned about its centre, black in the corners. `small` was `aspect` times as wide."""
    cos, sin, middle = math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), small.width / 2
    rows = (cos, sin / aspect), (-sin * aspect, cos)
    moved = [(a, b, middle - a * middle - b * middle) for a, b in rows]
    return small.transform(
        small.size, Image.Transform.AFFINE, (*moved[0], *moved[1]), Image.Resampling.BILINEAR
    )


def _inner(grey: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return the box within a border of one colour; of a picture without one, the whole of it."""
    left, right = _edge(grey.T), _edge(grey.T[::-1])
    top, bottom = _edge(grey), _edge(grey[::-1])
    if max(left + right, top + bottom) > SIDE // 2:  # not a border: most of the picture is plain
        return 0, 0, SIDE, SIDE
    return left, top, SIDE - right, SIDE - bottom


def _edge(lines: NDArray[np.uint8]) -> int:
    """Return how many of the first lines have one colour, and one more, which the colour runs into."""
    if int(lines[0].max()) - int(lines[0].min()) > PLAIN_BORDER:  # most pictures
        return 0
    lowest = np.minimum.accumulate(lines.min(axis=1)).astype(np.int16)
    highest = np.maximum.accumulate(lines.max(axis=1)).astype(np.int16)
    plain = int(np.argmin(np.append(highest - lowest <= PLAIN_BORDER, False)))
    return min(plain + 1, len(lines)) if plain else 0


def stored(column: pa.ChunkedArray, words: int) -> tuple[Labels, NDArray[np.uint64]]:
    """Return the rows that have a fingerprint, and its hashes: uint64[rows, hashes, words]."""
    rows = np.flatnonzero(column.is_valid())
    numbers = [np.empty(0, ">u8")]
    for chunk in column.drop_null().chunks:
        _, offsets, data = chunk.buffers()
        begin, end = np.frombuffer(offsets, np.int32)[[chunk.offset, chunk.offset + len(chunk)]]
        if begin < end:
            numbers.append(np.frombuffer(data, ">u8", (end - begin) // 8, begin))
    return rows, np.concatenate(numbers, dtype=np.uint64).reshape(len(rows), -1 if len(rows) else 0, words)


def link_views(
    size: int,
    rows: Labels,
    hashes: NDArray[np.uint64],
    distance: int,
    told: Callable[[NDArray[np.uint64]], NDArray[np.bool_]],
    own: int = OWN,
) -> Labels:
    """Label alike the rows of which one's own hash is within `distance` bits of the other's or of a view.

    `hashes`, uint64[rows, hashes, words], are those of `rows`, of `size` rows in all; the first `own` are of
    the picture itself. Those of which `told`, a function of uint64[n, words], says that they say nothing are
    passed over.
    """
    every = hashes.reshape(-1, hashes.shape[2])
    useful = told(every).reshape(hashes.shape[:2])
    # Most pictures have no border to cut off: a view's hash is often that of the view before.
    useful[:, 1:] &= (hashes[:, 1:] != hashes[:, :-1]).any(axis=2)
    base = useful[:, :own]
    forest = Forest(size)
    link_across(
        forest,
        hashes[:, :own][base],
        np.repeat(rows, base.sum(axis=1)),
        every.compress(useful.ravel(), axis=0),
        np.repeat(rows, useful.sum(axis=1)),
        distance,
    )
    labels = forest.labels()
    return np.where(np.bincount(labels, minlength=size)[labels] > 1, labels, ALONE)
