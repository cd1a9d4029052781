"""Regions of images that were computed elsewhere, from a file.

A .npz or .safetensors file has for each post an array of its id, float[n, D], the features of n regions of
its image, and an array "ID.boxes", float[n, 4]: x₁, y₁, x₂, y₂ as shares of the image's width and height. A
post's second image is "ID#1". The boxes may be left out of the whole file.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from affectory.core.errors import BaselineError
from affectory.core.numbers import count
from affectory.encoders.image.regions import BOX
from baselines.data.release import Part


class RegionRows(NamedTuple):
    """Regions of posts, flattened: float16[n, number · (width + BOX)]."""

    width: int
    number: int
    has_boxes: bool
    rows: NDArray[np.float16]


def read_regions(path: Path, part: Part) -> RegionRows:
    """Read the regions of posts that have an image.

    Raises `BaselineError` for a file that can't be read, a post that it lacks, and an array of another shape,
    or with a box outside of its image.
    """
    names = [
        f"{post}#{image}" if image else post
        for post, image in zip(part.post_ids.tolist(), part.image_index.tolist(), strict=True)
    ]
    with _opened(path) as (keys, get):
        if lost := [name for name in names if name not in keys]:
            more = f" and {count(len(lost) - 1, 'more post')}" if len(lost) > 1 else ""
            raise BaselineError(
                f"--regions {str(path)!r} has no regions of the post {lost[0]!r}{more}: "
                "compute them, or take --regions grid"
            )
        has_boxes = any(f"{name}.boxes" in keys for name in names)
        found = [_region(path, name, get, has_boxes=has_boxes, keys=keys) for name in names]
    widths = sorted({one.shape[1] for one in found})
    if len(widths) > 1:
        raise BaselineError(
            f"--regions {str(path)!r} has features of different widths: "
            f"{', '.join(str(one - BOX) for one in widths)}"
        )
    number = max((len(one) for one in found), default=1)
    out = np.zeros((len(found), number, widths[0] if widths else BOX), np.float16)
    for row, one in enumerate(found):
        out[row, : len(one)] = one
    return RegionRows(out.shape[2] - BOX, number, has_boxes, out.reshape(len(found), -1))


def _region(
    path: Path, name: str, get: Callable[[str], NDArray[Any]], *, has_boxes: bool, keys: Collection[str]
) -> NDArray[np.float32]:
    """Return the regions of a post, float[n, D + BOX]."""
    features = get(name)
    if features.ndim != 2 or not features.size:
        raise BaselineError(
            f"--regions {str(path)!r}: {name!r} has the shape {features.shape}, not (regions, width)"
        )
    if not np.isfinite(features).all():
        raise BaselineError(f"--regions {str(path)!r}: the array {name!r} has NaN or infinite features")
    boxes: NDArray[Any] = np.zeros((len(features), 4))
    if has_boxes:
        boxes = get(f"{name}.boxes") if f"{name}.boxes" in keys else np.empty(0)
        if boxes.shape != (len(features), 4):
            raise BaselineError(
                f"--regions {str(path)!r}: the boxes of {name!r} have the shape {boxes.shape}, "
                f"not {(len(features), 4)}"
            )
        if not ((boxes >= 0) & (boxes <= 1)).all():
            raise BaselineError(
                f"--regions {str(path)!r}: a box of {name!r} is outside of 0 to 1: "
                "divide by the image's width and height"
            )
    there = np.ones((len(features), 1))
    return np.concatenate([features, boxes, there], 1, dtype=np.float32, casting="unsafe")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Collection[str], Callable[[str], NDArray[Any]]]]:
    """Open a file: the names of its arrays, and what reads one."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "numpy") as tensors:
                yield frozenset(tensors.keys()), tensors.get_tensor
        else:
            with np.load(path) as arrays:
                yield frozenset(arrays.files), arrays.__getitem__
    except BaselineError:
        raise
    except (OSError, ValueError, SafetensorError, zipfile.BadZipFile, AttributeError) as error:
        raise BaselineError(
            f"--regions {str(path)!r} can't be read ({error}): give grid, torchvision-frcnn, or a .npz or "
            ".safetensors file"
        ) from error
