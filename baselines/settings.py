"""What a model is trained with: the paper's values where it states them, ours (named so) where it doesn't."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: The neural models; the text-based one has settings of its own (`train_text.TextSettings`).
NEURAL = ("image", "early", "joint", "common")
#: The six models in the order of Duong et al.'s Table 4.
MODELS = ("image", "text", "late", "early", "joint", "common")

TITLES = {
    "image": "Image-based",
    "text": "Text-based",
    "late": "Late fusion",
    "early": "Early fusion",
    "joint": "Joint fusion",
    "common": "Common space fusion",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Duong et al. 2017, section 4.2: SGD, learning rate .01, h = 100, dropout .25, g and λ = 3.

    Ours: batch, epochs, patience (epochs without a better validation likelihood), momentum, weight decay (of
    all but the word vectors). `width` is d where no vectors are given.
    """

    lr: float = 0.01
    momentum: float = 0.0
    batch: int = 32
    epochs: int = 100
    patience: int = 8
    weight_decay: float = 0.0
    hidden: int = 100
    dropout: float = 0.25
    pooling: Literal["max", "mean"] = "max"
    fusion: Literal["max", "mean"] = "max"
    missing: Literal["mask", "zero"] = "mask"
    negatives: int = 3
    weight: float = 3.0
