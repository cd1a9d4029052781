"""Images that can't be decoded, EXIF data that surprises, and images of poor quality."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np

from affectory.core.numbers import count
from curation.audit.finding import Finding
from curation.audit.rows import GPS, OWNER, SERIAL, TURNED, Array, Pictures

#: An image is dark if 95 of 100 pixels are at most this grey (of 255).
DARK = 60
#: It is plain if the standard deviation of its grey levels is less.
PLAIN = 4
#: It is blurred if the standard deviation of the Laplacian, of the image 160 pixels wide or high, is less
#: than this share of that of the grey levels. A Gaussian blur over 1% of the width is below it.
BLURRED = 0.18
#: Its shape is odd if one side is more than so many times the other.
ODD = 3
#: It is tiny if its shorter side has fewer pixels.
TINY = 64

_SURPRISES = {
    GPS: ("gps", "{names} the place where {it_was} taken (GPS)"),
    TURNED: ("turned", "{is_} stored turned, with an EXIF orientation that not every reader obeys"),
    SERIAL: ("serial", "{names} the serial number of a camera or a lens"),
    OWNER: ("owner", "{names} a person (artist, or owner of the camera)"),
}
_ONE = {"is_": "is", "has": "has", "names": "names", "it_was": "it was"}
_MANY = {"is_": "are", "has": "have", "names": "name", "it_was": "they were"}


def files(pictures: Pictures) -> Iterator[Finding]:
    """Yield the images that can't be decoded."""
    bad = np.array([bool(error) for error in pictures.error], dtype=bool)
    if bad.any():
        why = Counter(_reason(error) for error in pictures.error if error)
        listed = ", ".join(f"{reason} ({n:,})" for reason, n in why.most_common(4))
        number, at = int(bad.sum()), np.flatnonzero(bad).tolist()
        says = f"{count(number, 'image')} can’t be decoded: {listed}."
        of = int(pictures.there.sum())
        yield Finding(
            "files",
            "undecodable",
            says,
            number,
            of,
            [[row] for row in at],
            [pictures.error[row] for row in at],
        )


def _reason(error: str) -> str:
    """Return why an image can't be decoded, without the numbers of that image."""
    name, _, said = error.partition(": ")
    return re.sub(r" \([^)]*\)?|\.$", "", said or name)


def exif(pictures: Pictures) -> Iterator[Finding]:
    """Yield the images whose EXIF data surprises."""
    for bit, (name, words) in _SURPRISES.items():
        yield from _finding("exif", name, words, (pictures.exif & bit) > 0, pictures)


def quality(pictures: Pictures) -> Iterator[Finding]:
    """Yield the images that are dark, plain, blurred, of an odd shape, or tiny."""
    for name, (words, bad) in judged(pictures).items():
        yield from _finding("quality", name, words, bad, pictures)


def judged(pictures: Pictures) -> dict[str, tuple[str, Array]]:
    """Return the faults of images by name: what they are, and which images have them (bool[n])."""
    short = np.minimum(pictures.width, pictures.height)
    long = np.maximum(pictures.width, pictures.height)
    dark, plain = pictures.bright <= DARK, pictures.spread < PLAIN
    measured = pictures.decoded & (short >= 3)
    return {
        "dark": (f"{{is_}} dark (95% of the pixels are {DARK} of 255 or darker)", measured & dark & ~plain),
        "plain": ("{is_} of one colour", measured & plain),
        "blurred": (
            "{is_} blurred, visibly at 160 pixels",
            measured & (pictures.sharp < BLURRED * pictures.spread) & ~plain & ~dark & (short >= TINY),
        ),
        "odd": (f"{{has}} a side more than {ODD} times the other", pictures.decoded & (long > ODD * short)),
        "tiny": (f"{{is_}} less than {TINY} pixels wide or high", pictures.decoded & (short < TINY)),
    }


def _finding(kind: str, name: str, words: str, chosen: Array, pictures: Pictures) -> Iterator[Finding]:
    number, of = int(chosen.sum()), int(pictures.decoded.sum())
    if number:
        says = f"{number:,} of {count(of, 'image')} {words.format(**(_ONE if number == 1 else _MANY))}."
        at = np.flatnonzero(chosen).tolist()
        yield Finding(kind, name, says, number, of, [[row] for row in at])
