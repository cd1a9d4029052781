"""Settings of Pagé Fortin and Chaib-draa's models, and their training: one stage of Adam.

The paper prints the widths (300, 224, 128; 100 filters of 3, 4 and 5 words) and the dropout. What it leaves
open is ours; learning rates and mini-batch were chosen on validation posts of generated corpora
(docs/settings.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectory.core.errors import BaselineError
from baselines.data.samplers import MixedModalities, Sampler, Shuffled
from baselines.models.base import Group, Optimiser, Stage, Validation
from baselines.models.settings import ModelSettings, setting

#: What the mean log-likelihood of validation must gain, in nats, for an epoch to count as better.
GAIN = 0.005


@dataclass(frozen=True, slots=True)
class CommonSettings(ModelSettings):
    """Of every model of the family."""

    optimiser: Literal["adam", "sgd"] = setting("adam", "the optimiser")
    lr: float = setting(0.0003, "learning rate", above=0)
    weight_decay: float = setting(0.0, "weight decay; word vectors have none", least=0)
    batch: int = setting(64, "posts per mini-batch", least=1)
    epochs: int = setting(50, "the most epochs", least=1)
    patience: int = setting(5, "epochs without a better validation likelihood before training stops", least=1)
    hidden: int = setting(300, "width of a modality's representation", least=1)
    first: int = setting(224, "width of a classifier's first layer", least=1)
    second: int = setting(128, "width of a classifier's second layer", least=1)


@dataclass(frozen=True, slots=True)
class ImageSettings(CommonSettings):
    """Of a model that reads the image."""

    standardise: bool = setting(True, "scale image features to mean 0 and norm 4 (else as they come)")


@dataclass(frozen=True, slots=True)
class TextSettings(CommonSettings):
    """Of a model that reads the text."""

    word_rate: float = setting(1.0, "learning rate of the word vectors, in units of lr; 0: fixed", least=0)
    dropout: float = setting(0.25, "dropout after the lookup of words", least=0, most=0.99)
    filters: int = setting(100, "filters of each width", least=1)
    narrowest: int = setting(3, "words that the narrowest filters read", least=1)
    widest: int = setting(5, "words that the widest filters read; every width between has filters", least=1)

    def __post_init__(self) -> None:
        ModelSettings.__post_init__(self)
        if self.narrowest > self.widest:
            raise BaselineError(
                f"narrowest = {self.narrowest!r} is above widest = {self.widest!r}: there is no filter"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """The filters' widths, in words."""
        return tuple(range(self.narrowest, self.widest + 1))


@dataclass(frozen=True, slots=True)
class MultimodalSettings(TextSettings):
    """Of a model that reads both."""

    standardise: bool = setting(True, "scale image features to mean 0 and norm 4 (else as they come)")


@dataclass(frozen=True, slots=True)
class MultitaskSettings(MultimodalSettings):
    """Of the multitask model."""

    alpha_v: float = setting(1.0, "weight of the image task's loss", least=0)
    alpha_t: float = setting(1.0, "weight of the text task's loss", least=0)
    alpha_m: float = setting(1.0, "weight of the multimodal task's loss", above=0)


def stages(settings: CommonSettings) -> tuple[Stage, ...]:
    """Return the training: shuffled mini-batches, early stopping on validation."""
    return (_stage(settings, Shuffled(settings.batch)),)


def mixed_stages(settings: CommonSettings) -> tuple[Stage, ...]:
    """Return the same with pairs, image-only and text-only posts in every step."""
    return (_stage(settings, MixedModalities(settings.batch)),)


def _stage(settings: CommonSettings, sampler: Sampler) -> Stage:
    groups: tuple[Group, ...] = ()
    if isinstance(settings, TextSettings):
        groups = (Group("lookup", settings.lr * settings.word_rate),)
    return Stage(
        epochs=settings.epochs,
        sampler=sampler,
        optimiser=Optimiser(
            settings.optimiser, settings.lr, weight_decay=settings.weight_decay, groups=groups, lazy=True
        ),
        stopping=Validation(settings.patience, GAIN),
    )


#: The candidates of `--tune`.
GRID = {"lr": (0.0001, 0.0003, 0.001), "weight_decay": (0.0, 0.001)}
WORD_GRID = {"lr": (0.0001, 0.0003, 0.001), "word_rate": (0.3, 1.0, 3.0)}
