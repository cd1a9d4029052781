"""Probes of a frozen image-text pair (--pair), CLIP or SigLIP: of its image side, its text side and both.

Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision.
"""

from __future__ import annotations

from baselines.models.today.probe import probe

IMAGE = probe("clip_image", "Image-text pair, images, logistic regression", {"pair_image": "image"})
TEXT = probe("clip_text", "Image-text pair, texts, logistic regression", {"pair_text": "text"})
BOTH = probe(
    "clip", "Image-text pair, both, logistic regression", {"pair_image": "image", "pair_text": "text"}
)
