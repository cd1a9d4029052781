"""The models, one a file."""

from __future__ import annotations

from torch import Tensor

from baselines.models.duong2017.common import CommonSpaceFusion
from baselines.models.duong2017.early import EarlyFusion
from baselines.models.duong2017.image import ImageBased
from baselines.models.duong2017.joint import JointFusion
from baselines.models.duong2017.parts import Classifier
from baselines.models.duong2017.text import TextBased
from baselines.models.late import LateFusion
from baselines.settings import Settings

__all__ = [
    "Classifier",
    "CommonSpaceFusion",
    "EarlyFusion",
    "ImageBased",
    "JointFusion",
    "LateFusion",
    "TextBased",
    "make",
]


def make(name: str, features: int, vectors: Tensor, classes: int, settings: Settings) -> Classifier:
    """Return a new model: `image`, `early`, `joint` or `common`.

    `features` is the width of an image's, `vectors` float[V, d] the words' first ones.
    """
    if name == "image":
        return ImageBased(features, classes)
    fusions = {"early": EarlyFusion, "joint": JointFusion, "common": CommonSpaceFusion}
    return fusions[name](features, vectors, classes, settings)
