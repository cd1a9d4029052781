"""What a model is trained with: the paper's values where it states them, ours (named so) where it doesn't."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple, get_args

from affectory.core.errors import BaselineError

Model = Literal["image", "text", "late", "early", "joint", "common"]

#: The neural models; the text-based one has settings of its own (`TextSettings`).
NEURAL = ("image", "early", "joint", "common")
#: The six models in the order of Duong et al.'s Table 4.
MODELS: tuple[Model, ...] = get_args(Model)

TITLES = {
    "image": "Image-based",
    "text": "Text-based",
    "late": "Late fusion",
    "early": "Early fusion",
    "joint": "Joint fusion",
    "common": "Common space fusion",
}


class _Range(NamedTuple):
    holds: Callable[[float], bool]
    told: str


_ABOVE_0 = _Range(lambda value: 0 < value < math.inf, "above 0")
_FROM_0 = _Range(lambda value: 0 <= value < math.inf, "0 or more")
_FROM_1 = _Range(lambda value: 1 <= value < math.inf, "1 or more")
_SHARE = _Range(lambda value: 0 <= value <= 0.99, "between 0 and .99")

#: What each number must be, by its name in any of the settings.
_RANGES = (
    dict.fromkeys(("lr", "weight"), _ABOVE_0)
    | dict.fromkeys(("word_rate", "backbone_lr", "weight_decay", "negatives", "minn", "maxn"), _FROM_0)
    | dict.fromkeys(("batch", "epochs", "patience", "hidden"), _FROM_1)
    | dict.fromkeys(("dim", "epoch", "minCount", "wordNgrams", "bucket", "lrUpdateRate"), _FROM_1)
    | dict.fromkeys(("momentum", "dropout"), _SHARE)
)


def _check(settings: Settings | FinetuneSettings | TextSettings) -> None:
    """Raise `BaselineError` for the first number that is out of its range."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        wanted = _RANGES.get(field.name)
        if wanted and value is not None and not wanted.holds(value):
            raise BaselineError(f"{field.name} = {value!r}: it must be {wanted.told}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Duong et al. 2017, section 4.2: SGD, h = 100, dropout .25, g = 3 (Reddit) or 4 (Flickr), λ = 3.

    `negatives` is g; None: a run takes the paper's for its release, or 3.

    The paper's learning rate is .01, on features as they come from Inception; ours is for features of a
    smaller norm and texts around 0 (`models.parts`: Standardise, TextEncoder). Ours too: batch, epochs,
    patience (epochs without a better likelihood on validation), momentum and weight decay (of all but the
    words), and `word_rate`, the learning rate of the word vectors in units of `lr`. A word occurs in few
    posts of a mini-batch, so embeddings get small, sparse gradients: at rate 1 the image branch fits first
    and text alone stays weak.
    """

    lr: float = 0.2
    word_rate: float = 16.0  # the rate of the words' vectors, in lr
    momentum: float = 0.0
    batch: int = 64
    epochs: int = 100
    patience: int = 5
    weight_decay: float = 0.0
    hidden: int = 100
    dropout: float = 0.25
    pooling: Literal["max", "mean"] = "max"
    fusion: Literal["max", "mean"] = "max"
    missing: Literal["mask", "zero"] = "mask"
    negatives: int | None = None  # the common space's g (none: the paper's for the release, or 3)
    weight: float = 3.0  # the common space's λ

    def __post_init__(self) -> None:
        _check(self)

    @property
    def g(self) -> int:
        """The texts of other classes for each post in the common space's loss."""
        return 3 if self.negatives is None else self.negatives


@dataclass(frozen=True, slots=True)
class FinetuneSettings:
    """How a network for images is trained together with the model that reads it, its head.

    `lr` is the head's (Duong et al. 2017, section 4.2: .01), `backbone_lr` the network's; `batch` counts the
    posts of a step on all devices together; `patience` the epochs without a better validation likelihood.
    `word_rate` is that of `Settings`, for SGD; AdamW's steps are of one size, however small the gradient.
    """

    optimiser: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.01
    word_rate: float = 16.0  # the rate of the words' vectors, in lr
    backbone_lr: float = 0.001
    momentum: float = 0.9  # SGD's
    weight_decay: float = 1e-4
    batch: int = 32
    epochs: int = 20
    patience: int = 3

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True)
class TextSettings:
    """The settings of fastText under its own names, and its defaults for supervised training.

    `lr`: first learning rate, going down to 0. `dim`: width of a row. `epoch`: times each text is read.
    `minCount`: a rarer word has no row. `wordNgrams`: longest word n-gram. `minn`, `maxn`: shortest and
    longest character n-gram; none where `maxn` is 0. `bucket`: numbers that n-grams are hashed to.
    `lrUpdateRate`: tokens between two changes of the learning rate.
    """

    lr: float = 0.1
    dim: int = 100
    epoch: int = 5
    minCount: int = 1
    wordNgrams: int = 1
    minn: int = 0
    maxn: int = 0
    bucket: int = 2_000_000
    lrUpdateRate: int = 100

    def __post_init__(self) -> None:
        _check(self)
        if self.maxn and self.minn > self.maxn:
            raise BaselineError(f"minn = {self.minn!r} is above maxn = {self.maxn!r}: no n-gram is that long")


#: fastText as the baselines train it by default. Its own defaults read a set of a few thousand titles too
#: seldom to learn anything; these did well on validation (`tune.NGRAMS`, `tune.SCHEDULES`).
TEXT = TextSettings(lr=0.25, epoch=20, minn=3, maxn=6)
