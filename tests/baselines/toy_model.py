"""A model as a contributor would add it: everything of it in this one file, and one line in the registry.

Two linear heads: "seen" answers for image and text together and for the image alone, "told" for the text
alone. It has settings, a loss term and a sampler of its own, and is trained in two stages by Adam.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from baselines.data.batch import IMAGE, TEXT, Batch
from baselines.data.task import Task
from baselines.models.base import (
    Combination,
    Group,
    LastEpoch,
    Model,
    Optimiser,
    Spec,
    Stage,
    StepDecay,
    Term,
    Terms,
    Validation,
    own_terms,
)
from baselines.models.registry import Entry
from baselines.models.settings import ModelSettings, setting


@dataclass(frozen=True, slots=True)
class ToySettings(ModelSettings):
    """Of the toy model."""

    lr: float = setting(0.02, "learning rate of Adam", above=0)
    epochs: int = setting(4, "epochs of the second stage", least=1)
    width: int = setting(6, "width of both vectors", least=1)
    decay: float = setting(0.9, "factor of the learning rate after each epoch", above=0, most=1)
    agreement: float = setting(0.1, "weight of the term that pulls both heads together", least=0)
    activation: Literal["relu", "tanh"] = setting("relu", "after the first layer")
    warm: bool = setting(True, "train the heads alone for an epoch first")


@dataclass(frozen=True, slots=True)
class Halves:
    """The labelled posts in their order, then in the reverse one, by halves of the training part."""

    def epoch(self, posts: Batch, drawer: torch.Generator) -> list[Tensor]:
        """Return the rows of each step."""
        rows = posts.labelled.nonzero().flatten().cpu()
        first, second = rows.tensor_split(2)
        return [first, second, second.flip(0), first.flip(0)]


class Toy(Model):
    """Two heads; the second reads the text alone. float[B, D], int64[B, L] -> float[B, C] each."""

    def __init__(self, task: Task, features: int, vectors: Tensor, settings: ToySettings) -> None:
        super().__init__(task)
        self.lookup = nn.Embedding.from_pretrained(vectors.clone(), freeze=False, padding_idx=0)
        self.image = nn.Linear(features, settings.width)
        self.text = nn.Linear(vectors.shape[1], settings.width)
        self.seen = nn.Linear(2 * settings.width, len(task.names))
        self.told = nn.Linear(settings.width, len(task.names))
        self.activation = torch.relu if settings.activation == "relu" else torch.tanh
        self.agreement = settings.agreement
        self.register_buffer("mean", torch.zeros(features))

    mean: Tensor

    def measure(self, posts: Batch) -> None:
        """Take the mean features of the training posts that have an image."""
        self.mean.copy_(posts.inputs["image"][posts.present[:, IMAGE]].float().mean(0))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits of both heads."""
        seen, told = (batch.present[:, column].unsqueeze(-1) for column in (IMAGE, TEXT))
        image = self.activation(self.image(batch.inputs["image"].float() - self.mean)) * seen
        tokens = batch.inputs["words"]
        words = (tokens != 0).unsqueeze(-1)
        mean = (self.lookup(tokens) * words).sum(-2) / words.sum(-2).clamp(min=1)
        text = self.activation(self.text(mean)) * told
        return {"seen": self.seen(torch.cat([image, text], -1)), "told": self.told(text)}

    def pictures(self, batch: Batch) -> dict[str, Tensor]:
        """Return the images' features before and after the first layer."""
        image = batch.inputs["image"].float()
        return {"raw": image, "cooked": self.activation(self.image(image - self.mean))}

    def terms(self, batch: Batch) -> Terms:
        """Return both likelihoods, and the squared distance of the heads over all posts that have a text."""
        logits, told = self(batch), batch.present[:, TEXT]
        apart = (logits["seen"] - logits["told"]).square().mean(-1)
        return {
            "seen": self.likelihood(logits["seen"], batch),
            "told": self.likelihood(logits["told"], batch, told),
            "agreement": Term((apart * told).sum(), told.sum(), self.agreement),
        }


def likelihoods(model: Toy, batch: Batch) -> Terms:
    """Return the terms of the first stage: the likelihoods alone."""
    return {name: term for name, term in own_terms(model, batch).items() if name != "agreement"}


def build(task: Task, encoders: Mapping[str, Any], settings: ToySettings) -> Toy:
    """Return a new model."""
    return Toy(task, encoders["image"].width, torch.from_numpy(encoders["words"].start), settings)


def stages(settings: ToySettings) -> tuple[Stage, ...]:
    """Return the training: an epoch with frozen words, then all of it."""
    frozen = Optimiser("adamw", settings.lr, groups=(Group("lookup", 0.0),))
    warm = Stage(1, Halves(), frozen, LastEpoch(), terms=likelihoods)
    whole = Stage(
        settings.epochs,
        Halves(),
        Optimiser("adam", settings.lr, weight_decay=1e-4),
        Validation(patience=2),
        StepDecay(settings.decay),
    )
    return (warm, whole) if settings.warm else (whole,)


SPEC = Spec(
    name="toy",
    title=lambda settings: f"Toy ({settings.activation})",
    reads=("image", "text"),
    inputs=("image", "words"),
    settings=ToySettings,
    build=build,
    stages=stages,
    heads={"both": "seen", "image": "seen", "text": "told"},
    grid={"lr": (0.001, 0.02), "agreement": (0.0, 0.1)},
    cost=0.5,
)

#: The line in the registry.
ENTRY = Entry("toys", "Toy", "tests.baselines.toy_model:SPEC")


@dataclass(frozen=True, slots=True)
class ColdSettings(ToySettings):
    """Of the toy model in one stage, as fine-tuning needs it."""

    warm: bool = setting(False, "train the heads alone for an epoch first")


COLD_ENTRY = Entry("toys", "Toy", "tests.baselines.toy_model:COLD")
COLD = replace(SPEC, settings=ColdSettings)

#: A row that is made of two others, without training.
MEAN = Spec(
    name="mean",
    title=lambda settings: "Mean of two",
    reads=("image", "text"),
    inputs=(),
    made_of=Combination("image", "text", "mean"),
)
MEAN_ENTRY = Entry("toys", "Mean of two", "tests.baselines.toy_model:MEAN")

#: The toy model as one that learns from unpaired posts too.
BOTH_WAYS = replace(SPEC, name="toy", posts="both ways", compared={"image": "image"})
BOTH_WAYS_ENTRY = Entry("toys", "Toy", "tests.baselines.toy_model:BOTH_WAYS")
