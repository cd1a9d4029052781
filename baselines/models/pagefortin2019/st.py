"""ST, the single-task model of the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from baselines.data.batch import TEXT, Batch
from baselines.data.task import Task
from baselines.models.base import Model, Spec
from baselines.models.pagefortin2019.layers import Classifier, textual, where
from baselines.models.pagefortin2019.settings import WORD_GRID, TextSettings, stages


class SingleText(Model):
    """The textual network and a classifier. int64[B, L] -> float[B, C].

    Pagé Fortin and Chaib-draa 2019, Table 2. A post without a text is represented by zeros.
    """

    def __init__(self, task: Task, vectors: Tensor, settings: TextSettings) -> None:
        super().__init__(task)
        self.textual = textual(vectors, settings)
        self.classify = Classifier(settings.hidden, len(task.names), settings)
        self.hidden = settings.hidden

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        text = where(self.textual, batch.inputs["cased_words"], batch.present[:, TEXT], self.hidden)
        return {"y": self.classify(text)}


def build(task: Task, encoders: Mapping[str, Any], settings: TextSettings) -> SingleText:
    """Return a new model."""
    return SingleText(task, torch.from_numpy(encoders["cased_words"].start), settings)


SPEC = Spec(
    name="st",
    title=lambda settings: "ST",
    reads=("text",),
    inputs=("cased_words",),
    settings=TextSettings,
    build=build,
    stages=stages,
    grid=WORD_GRID,
    cost=10,
    stacks=False,
    posts="pairs",
    names={"text": "ST"},
)
