"""Settings of the models of this family that read features, and how their learning rates decay.

The defaults are those of the slides and the released code, which are the preset `semimemes2023` too
(`results/papers/semimemes2023.toml`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from baselines.data.batch import Batch
from baselines.models.base import StepDecay
from baselines.models.semimemes2023.db_loss import PRESETS, Balance
from baselines.models.settings import ModelSettings, setting

#: The decay of learning rates by the share of labelled posts: with the balanced loss, and without it.
DECAYS = {0.30: 0.85, 0.10: 0.90, 0.05: 0.93}
PLAIN_DECAYS = {0.30: 0.95, 0.10: 0.97, 0.05: 0.99}


@dataclass(frozen=True)
class DecayByShare:
    """The step decay of the nearest of some shares of labelled training posts, the larger of two as near."""

    factors: Mapping[float, float]
    every: int = 1
    unit: Literal["epoch", "step"] = "epoch"

    def __call__(self, posts: Batch) -> StepDecay:
        """Return the decay for these training posts."""
        share = float(posts.labelled.double().mean())
        nearest = min(self.factors, key=lambda known: (round(abs(known - share), 6), -known))
        return StepDecay(self.factors[nearest], self.every, self.unit)


@dataclass(frozen=True, slots=True)
class RawNCookSettings(ModelSettings):
    """Of RAW-N-COOK."""

    crom_ae: bool = setting(True, "also read the cooked features of CROM-AE")
    db_loss: bool = setting(True, "the distribution-balanced loss (else binary cross-entropy)")
    lr: float = setting(1e-4, "learning rate of Adam", above=0)
    decay: float | None = setting(
        None, "factor of lr after each epoch; none: by the share of labelled posts", above=0, most=1
    )
    batch: int = setting(40, "labelled posts per mini-batch", least=1)
    epochs: int = setting(50, "epochs; the last one is kept", least=1)
    hidden: int = setting(256, "width of each of the two or four branches", least=1)
    dropout: float = setting(0.2, "dropout of the branches", least=0, most=0.99)
    ae_lr: float = setting(2e-4, "CROM-AE: learning rate of Adam", above=0)
    ae_weight_decay: float = setting(1e-4, "CROM-AE: weight decay", least=0)
    ae_decay: float = setting(0.95, "CROM-AE: factor of ae_lr after each epoch", above=0, most=1)
    ae_batch: int = setting(40, "CROM-AE: unlabelled posts per mini-batch", least=1)
    ae_epochs: int = setting(100, "CROM-AE: epochs", least=1)
    balance: Literal["semimemes", "coco", "voc"] = setting(
        "semimemes", "the constants of the balanced loss, where those below are none"
    )
    alpha: float | None = setting(None, "α, the least weight of a label", least=0)
    beta: float | None = setting(None, "β, slope of the weight over the rarity r", least=0)
    mu: float | None = setting(None, "μ, the rarity r of the middle weight")
    lam: float | None = setting(None, "λ, by which negative logits are scaled", above=0)
    kappa: float | None = setting(None, "κ, of the shift ν of a label's logits", least=0)
    gamma: float | None = setting(None, "γ, the focal exponent; 0 is off", least=0)
    balance_param: float | None = setting(
        None, "factor of the balanced loss, 2 in its authors' implementation", above=0
    )

    def constants(self) -> Balance:
        """Return the constants of the balanced loss."""
        preset = PRESETS[self.balance]
        names = ("alpha", "beta", "mu", "lam", "kappa", "gamma", "balance_param")
        own = {name: getattr(self, name) for name in names}
        return Balance(**{k: getattr(preset, k) if value is None else value for k, value in own.items()})

    def schedule(self) -> StepDecay | DecayByShare:
        """Return how the learning rate falls in the second stage."""
        if self.decay is not None:
            return StepDecay(self.decay)
        return DecayByShare(DECAYS if self.db_loss else PLAIN_DECAYS)


@dataclass(frozen=True, slots=True)
class WithoutCromAE(RawNCookSettings):
    """Of RAW-N-COOK on raw features alone."""

    crom_ae: bool = setting(False, "also read the cooked features of CROM-AE")


@dataclass(frozen=True, slots=True)
class WithoutDBLoss(RawNCookSettings):
    """Of RAW-N-COOK with binary cross-entropy."""

    db_loss: bool = setting(False, "the distribution-balanced loss (else binary cross-entropy)")


@dataclass(frozen=True, slots=True)
class WithoutEither(WithoutCromAE):
    """Of RAW-N-COOK on raw features with binary cross-entropy."""

    db_loss: bool = setting(False, "the distribution-balanced loss (else binary cross-entropy)")
