"""Early fusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from baselines.data.batch import IMAGE, TEXT, Batch
from baselines.data.task import Task
from baselines.models.base import Model, Spec
from baselines.models.duong2017.layers import LowRank, TextEncoder
from baselines.models.duong2017.settings import WORD_GRID, FusionSettings, stages
from baselines.models.layers import Standardise


class EarlyFusion(Model):
    """Both vectors concatenated, then the low-rank classifier.

    Duong et al. 2017, section 3.2, equation 3: [γ(i); ψ(s)] -> h -> |Y|. A missing modality's part is zero.
    float[B, D], int64[B, L] -> float[B, C].
    """

    def __init__(self, task: Task, features: int, vectors: Tensor, settings: FusionSettings) -> None:
        super().__init__(task)
        self.scale = Standardise(features, settings.standardise)
        self.text = TextEncoder(vectors, settings.pooling, settings.dropout, settings.centre)
        self.classify = LowRank(features + self.text.width, len(task.names), settings.hidden)

    def measure(self, posts: Batch) -> None:
        """Take the features' scale and the texts' centre from the training posts."""
        self.scale.measure(posts)
        self.text.measure(posts)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        image = self.scale(batch.inputs["image"]) * batch.present[:, IMAGE].unsqueeze(-1)
        text = self.text(batch.inputs["words"]) * batch.present[:, TEXT].unsqueeze(-1)
        return {"y": self.classify(torch.cat([image, text], -1))}


def build(task: Task, encoders: Mapping[str, Any], settings: FusionSettings) -> EarlyFusion:
    """Return a new model."""
    return EarlyFusion(task, encoders["image"].width, torch.from_numpy(encoders["words"].start), settings)


SPEC = Spec(
    name="early",
    title=lambda settings: "Early fusion",
    reads=("image", "text"),
    inputs=("image", "words"),
    settings=FusionSettings,
    build=build,
    stages=stages,
    grid=WORD_GRID,
    cost=2,
)
