"""Joint fusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from baselines.data.batch import Batch
from baselines.data.task import Task
from baselines.models.base import Model, Spec
from baselines.models.duong2017.layers import LowRank, TextEncoder, pool
from baselines.models.duong2017.settings import WORD_GRID, JointSettings, stages
from baselines.models.layers import Standardise


class JointFusion(Model):
    """Image and text as vectors of one width, pooled component by component.

    Duong et al. 2017, section 4.3: γ̃ = W̃ γ(i) + b̃ (equation 11, which prints W̃ transposed), x = max(γ̃, ψ(s))
    or their mean (equation 10), then x -> h -> |Y|, trained by the negative log-likelihood (equation 12; its
    sum is a mean over the mini-batch here). A missing modality is left out of the pooling; with
    `missing="zero"` it is a vector of zeros. float[B, D], int64[B, L] -> float[B, C].
    """

    def __init__(self, task: Task, features: int, vectors: Tensor, settings: JointSettings) -> None:
        super().__init__(task)
        self.scale = Standardise(features, settings.standardise)
        self.text = TextEncoder(vectors, settings.pooling, settings.dropout, settings.centre)
        self.project = nn.Linear(features, self.text.width)
        self.classify = LowRank(self.text.width, len(task.names), settings.hidden)
        self.fusion, self.missing = settings.fusion, settings.missing

    def measure(self, posts: Batch) -> None:
        """Take the features' scale and the texts' centre from the training posts."""
        self.scale.measure(posts)
        self.text.measure(posts)

    def vectors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return γ̃ and ψ, float[B, d] each."""
        return self.project(self.scale(batch.inputs["image"])), self.text(batch.inputs["words"])

    def pictures(self, batch: Batch) -> dict[str, Tensor]:
        """Return γ̃ and ψ."""
        image, text = self.vectors(batch)
        return {"image": image, "text": text}

    def fuse(self, image: Tensor, text: Tensor, present: Tensor) -> Tensor:
        """Pool γ̃ and ψ, and classify the result: float[B, C]."""
        both = torch.stack([image, text], -2)
        real = present.unsqueeze(-1)
        if self.missing == "zero":  # zero before the centre is subtracted
            both, real = torch.where(real, both, -self.text.centre), torch.ones_like(real)
        return self.classify(pool(both, real, -2, self.fusion))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        image, text = self.vectors(batch)
        return {"y": self.fuse(image, text, batch.present)}


def build(task: Task, encoders: Mapping[str, Any], settings: JointSettings) -> JointFusion:
    """Return a new model."""
    return JointFusion(task, encoders["image"].width, torch.from_numpy(encoders["words"].start), settings)


SPEC = Spec(
    name="joint",
    title=lambda settings: f"Joint fusion ({settings.fusion})",
    reads=("image", "text"),
    inputs=("image", "words"),
    settings=JointSettings,
    build=build,
    stages=stages,
    grid=WORD_GRID,
    cost=3,
    shared_space=True,
)
