"""Settings of Duong et al.'s neural models, and their training: one stage of SGD.

The defaults are the preset `affectory`, chosen on validation posts of generated corpora (docs/settings.md).
The paper's own values (section 5.4) are the preset `duong2017`, in `results/papers/duong2017.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from baselines.data.samplers import Shuffled
from baselines.models.base import Group, Optimiser, Stage, Validation
from baselines.models.settings import ModelSettings, setting

#: What the mean log-likelihood of validation must gain, in nats, for an epoch to count as better.
GAIN = 0.005


@dataclass(frozen=True, slots=True)
class ImageSettings(ModelSettings):
    """Of a model that reads image features."""

    lr: float = setting(0.2, "learning rate of SGD", above=0)
    momentum: float = setting(0.0, "momentum of SGD; embeddings have none", least=0, most=0.99)
    weight_decay: float = setting(0.01, "weight decay; embeddings have none", least=0)
    batch: int = setting(64, "posts per mini-batch", least=1)
    epochs: int = setting(100, "the most epochs", least=1)
    patience: int = setting(5, "epochs without a better validation likelihood before training stops", least=1)
    standardise: bool = setting(True, "scale image features to mean 0 and norm 4 (else as they come)")


@dataclass(frozen=True, slots=True)
class FusionSettings(ImageSettings):
    """Of a model that also reads words."""

    word_rate: float = setting(32.0, "learning rate of the embeddings, in units of lr", least=0)
    hidden: int = setting(100, "width h of the low-rank layer", least=1)
    dropout: float = setting(0.25, "dropout after the lookup of words", least=0, most=0.99)
    pooling: Literal["max", "mean"] = setting("max", "how words become one vector")
    centre: bool = setting(True, "subtract the mean of the training texts' vectors before training")


@dataclass(frozen=True, slots=True)
class JointSettings(FusionSettings):
    """Of a model that pools image and text component by component."""

    fusion: Literal["max", "mean"] = setting("max", "how image and text are pooled")
    missing: Literal["mask", "zero"] = setting(
        "mask", "a missing modality is left out of the pooling, or a vector of zeros"
    )


@dataclass(frozen=True, slots=True)
class CommonSettings(JointSettings):
    """Of common space fusion."""

    # Its loss is larger by the factor `weight`.
    lr: float = setting(0.2 / 3, "learning rate of SGD", above=0)
    weight: float = setting(3.0, "λ, the weight of the likelihood", above=0)
    negatives: int = setting(3, "g, texts of other classes per post", least=1)


def stages(settings: ImageSettings, other_texts: int = 0) -> tuple[Stage, ...]:
    """Return the training: SGD on shuffled mini-batches, early stopping on validation."""
    groups: tuple[Group, ...] = ()
    if isinstance(settings, FusionSettings):
        groups = (Group("lookup", settings.lr * settings.word_rate),)
    stage = Stage(
        epochs=settings.epochs,
        sampler=Shuffled(settings.batch),
        optimiser=Optimiser("sgd", settings.lr, settings.momentum, settings.weight_decay, groups),
        stopping=Validation(settings.patience, GAIN),
        other_texts=other_texts,
    )
    return (stage,)


#: The candidates of `--tune`, chosen like the defaults (docs/settings.md).
GRID = {"lr": (0.05, 0.2), "weight_decay": (0.0, 0.01, 0.03, 0.1)}
WORD_GRID = GRID | {"word_rate": (32.0, 64.0)}
