"""The models, one a file."""

from __future__ import annotations

from torch import Tensor

from baselines.models.common import CommonSpaceFusion
from baselines.models.early import EarlyFusion
from baselines.models.image import ImageBased
from baselines.models.joint import JointFusion
from baselines.models.late import LateFusion
from baselines.models.parts import Classifier
from baselines.models.text import TextBased
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
