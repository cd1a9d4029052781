"""RAW-N-COOK, SemiMemes' classifier, and its ablations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.data.batch import Batch
from baselines.data.samplers import Shuffled, Unlabelled
from baselines.data.task import Task
from baselines.models.base import Group, LastEpoch, Model, Optimiser, Spec, Stage, StepDecay, Term, Terms
from baselines.models.semimemes2023.crom_ae import CromAE, reconstruction
from baselines.models.semimemes2023.db_loss import DBFocalLoss
from baselines.models.semimemes2023.features import PAIR, features
from baselines.models.semimemes2023.settings import (
    RawNCookSettings,
    WithoutCromAE,
    WithoutDBLoss,
    WithoutEither,
)
from baselines.models.settings import ModelSettings


class Branches(nn.Module):
    """Vectors of several widths, each through Linear, ReLU and dropout; concatenated and classified.

    [float[B, D_1], …] -> float[B, C].
    """

    def __init__(self, widths: list[int], hidden: int, dropout: float, classes: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout)) for width in widths
        )
        self.last = nn.Linear(len(widths) * hidden, classes)

    def forward(self, vectors: list[Tensor]) -> Tensor:
        """Return the logits."""
        each = [branch(vector) for branch, vector in zip(self.branches, vectors, strict=True)]
        logits: Tensor = self.last(torch.cat(each, -1))
        return logits


class RawNCook(Model):
    """Raw and cooked features of image and text, each 256 wide after its branch, and a linear layer.

    First CROM-AE learns from the unlabelled pairs; then, frozen, it cooks the features of the labelled posts.
    Raw features of a missing modality are zeros, cooked ones those of what the other one decodes to. Every
    label is decided on its own, by the distribution-balanced loss; of single classes too (one against the
    rest), where the largest logit decides. Weights of classes (--balance) multiply either loss: with its
    published constants the distribution-balanced one weighs all labels within 5% of each other.
    """

    def __init__(self, task: Task, image: int, text: int, settings: RawNCookSettings) -> None:
        super().__init__(task)
        widths = [image, text]
        self.crom_ae = CromAE(image, text) if settings.crom_ae else None
        self.classifier = Branches(
            widths * 2 if settings.crom_ae else widths, settings.hidden, settings.dropout, len(task.names)
        )
        self.balanced = DBFocalLoss(task.names, settings.constants()) if settings.db_loss else None

    def measure(self, posts: Batch) -> None:
        """Take the number of labelled posts, and of those with each label."""
        if self.balanced is not None:
            self.balanced.measure(self.hot(posts.target)[posts.labelled])

    def hot(self, target: Tensor) -> Tensor:
        """Return targets as float[B, C], 1 for each label of a post, or for its class."""
        if self.task.kind == "several":
            return target
        return (target.unsqueeze(-1) == torch.arange(len(self.task.names), device=target.device)).float()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        image, text = features(batch, PAIR, self.classifier.last.weight)
        vectors = [image, text]
        if self.crom_ae is not None:
            vectors += self.crom_ae.cooked(image, text, batch.present)
        return {"y": self.classifier(vectors)}

    def pictures(self, batch: Batch) -> dict[str, Tensor]:
        """Return raw and cooked features, of images and of texts; none without CROM-AE."""
        if self.crom_ae is None:
            return {}
        image, text = features(batch, PAIR, self.classifier.last.weight)
        cooked_image, cooked_text = self.crom_ae.cooked(image, text, batch.present)
        return {
            "raw image": image,
            "cooked image": cooked_image,
            "raw text": text,
            "cooked text": cooked_text,
        }

    def terms(self, batch: Batch) -> Terms:
        """Return the loss of the labelled posts, its mean over posts and labels."""
        logits, target = self(batch)["y"], self.hot(batch.target)
        if self.balanced is not None:
            losses = self.balanced(logits, target)
        else:
            losses = F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")
        weights = self.task.weights(batch.target)
        if weights is not None:
            losses = losses * weights.to(losses.dtype)
        return {"y": Term((losses.mean(-1) * batch.labelled).sum(), batch.labelled.sum())}


def build(task: Task, encoders: Mapping[str, Any], settings: RawNCookSettings) -> RawNCook:
    """Return a new model."""
    return RawNCook(task, encoders["pair_image"].width, encoders["pair_text"].width, settings)


def stages(settings: RawNCookSettings) -> tuple[Stage, ...]:
    """Return the training: CROM-AE on unlabelled pairs, then the classifier on labelled posts."""
    frozen = (Group("crom_ae", 0.0),) if settings.crom_ae else ()
    classify = Stage(
        settings.epochs,
        Shuffled(settings.batch),
        Optimiser("adam", settings.lr, groups=frozen),
        LastEpoch(),
        settings.schedule(),
    )
    if not settings.crom_ae:
        return (classify,)
    cook = Stage(
        settings.ae_epochs,
        Unlabelled(settings.ae_batch),
        Optimiser(
            "adam", settings.ae_lr, weight_decay=settings.ae_weight_decay, groups=(Group("classifier", 0.0),)
        ),
        LastEpoch(),
        StepDecay(settings.ae_decay),
        terms=reconstruction,
    )
    return cook, classify


def title(settings: RawNCookSettings) -> str:
    """Return the row's title."""
    without = [
        name for name, there in (("CROM-AE", settings.crom_ae), ("DB loss", settings.db_loss)) if not there
    ]
    return "RAW-N-COOK" + (f" without {' and '.join(without)}" if without else "")


def _spec(name: str, settings: type[ModelSettings], cost: float) -> Spec:
    return Spec(
        name=name,
        title=title,
        reads=("image", "text"),
        inputs=PAIR,
        settings=settings,
        build=build,
        stages=stages,
        grid={"lr": (1e-4, 3e-4, 1e-3)},
        cost=cost,
    )


SPEC = _spec("raw_n_cook", RawNCookSettings, 20)
NO_CROM_AE = _spec("raw_n_cook_no_crom_ae", WithoutCromAE, 2)
NO_DB_LOSS = _spec("raw_n_cook_no_db_loss", WithoutDBLoss, 20)
NO_EITHER = _spec("raw_n_cook_no_crom_ae_no_db_loss", WithoutEither, 2)
