"""Duplicates by bytes, image hashes and texts: the groups, and the recipe's policy for them.

To add a detector, write a file with its function and its `DETECTOR`, and add a line to `IMAGES` or `TEXTS`.
"""

from __future__ import annotations

from curation.duplicates import near_images, near_texts, same_bytes
from curation.duplicates.detector import Detector

#: The detectors that each value of `images` in a recipe's `[duplicates]` applies.
IMAGES: dict[str, tuple[Detector, ...]] = {
    "off": (),
    "exact": (same_bytes.DETECTOR,),
    "near": (same_bytes.DETECTOR, near_images.DETECTOR),
}

#: The detectors that each value of `texts` applies.
TEXTS: dict[str, tuple[Detector, ...]] = {
    "off": (),
    "equal": (near_texts.EQUAL,),
    "near": (near_texts.NEAR,),
}
