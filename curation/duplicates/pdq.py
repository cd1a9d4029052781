"""Near-duplicate images by PDQ, Facebook's hash of 256 bits, and by that of their views.

The hash is computed by `pdqhash`, of the picture reduced to 64 by 64 grey pixels. A plain picture (of a
quality below 50 of 100, as PDQ has it) has no duplicates but those of the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from affectory.core.errors import RecipeError
from curation.duplicates.across import FARTHEST
from curation.duplicates.components import Labels
from curation.duplicates.detector import Asked, Detector, Fingerprint, Options
from curation.duplicates.views import fingerprint, link_views, stored

WORDS = 4
#: The least quality of which PDQ's authors say that the hash is of use.
QUALITY = 50
_NOTHING = bytes(8 * WORDS)  # no picture's hash: half of its bits are ones


class Pdq(Options):
    """`distance`: the bits in which hashes may differ. `views`: mirrored, cropped… views count too.

    `drop_distance`: the same for posts that the policy may drop, which are compared without views; more than
    `distance` is as much.
    """

    distance: Annotated[int, Field(ge=0, le=FARTHEST[WORDS])] = 31
    views: bool = True
    drop_distance: Annotated[int, Field(ge=0, le=FARTHEST[WORDS])] = 10

    def within(self, asked: Asked) -> int:
        """Return the distance of the links that are asked for."""
        return min(self.distance, self.drop_distance) if asked.drop else self.distance


def _library() -> Callable[[Any], tuple[Any, float]]:
    try:
        import pdqhash
    except ImportError:
        raise RecipeError(
            "the detector 'pdq' needs the package pdqhash: pip install 'affectory[duplicates]'"
        ) from None
    compute: Callable[[Any], tuple[Any, float]] = pdqhash.compute
    return compute


def _hash(grey: Image.Image, compute: Callable[[Any], tuple[Any, float]]) -> bytes:
    """Return PDQ of a grey picture, or zeros where it is of too little quality."""
    levels = np.asarray(grey.resize((64, 64), Image.Resampling.BOX))
    bits, quality = compute(np.repeat(levels[:, :, None], 3, axis=2))
    return np.packbits(np.asarray(bits, np.uint8)).tobytes() if quality >= QUALITY else _NOTHING


def _tells(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    return np.asarray(hashes.any(axis=1))


def _groups(rows: pa.Table, asked: Asked) -> Labels:
    """Label rows of near-equal hashes alike; rows without an image, or with a plain one, are alone."""
    options: Pdq = asked.options
    pictures, hashes = stored(rows[options.column], WORDS)
    if asked.drop or not options.views:
        return link_views(len(rows), pictures, hashes[:, :1], options.within(asked), _tells, own=1)
    return link_views(len(rows), pictures, hashes, options.distance, _tells)


def _fingerprint(options: Pdq) -> Fingerprint:
    of = partial(_hash, compute=_library())
    return partial(fingerprint, of=of) if options.views else of


DETECTOR = Detector(_groups, (), Pdq, _fingerprint)
