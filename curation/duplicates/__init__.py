"""Duplicates by bytes, image hashes and texts: the groups, and the recipe's policy for them.

To add a detector, write a file with its function and its `DETECTOR`, and add a line to `IMAGES` or `TEXTS`.
"""

from __future__ import annotations

from curation.duplicates import dhash, embedding, near_texts, pdq, same_bytes
from curation.duplicates.detector import Detector

#: The detectors by the names that `images` lists in a recipe's `[duplicates]`.
IMAGES: dict[str, Detector] = {
    "exact": same_bytes.DETECTOR,
    "dhash": dhash.DETECTOR,
    "pdq": pdq.DETECTOR,
    "embedding": embedding.DETECTOR,
}

#: The detectors that each value of `texts` applies.
TEXTS: dict[str, tuple[Detector, ...]] = {
    "off": (),
    "equal": (near_texts.EQUAL,),
    "near": (near_texts.NEAR,),
}
