"""SM, the single-task multimodal model. With one modality at test it is SM_I or SM_T."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from baselines.data.batch import IMAGE, TEXT, Batch
from baselines.data.task import Task
from baselines.models.base import Model, Spec
from baselines.models.pagefortin2019.layers import Classifier, VisualNetwork, textual, where
from baselines.models.pagefortin2019.settings import WORD_GRID, MultimodalSettings, stages


class SingleMultimodal(Model):
    """The visual and the textual network, concatenated, and a classifier.

    Pagé Fortin and Chaib-draa 2019, Table 2. Nothing tells the classifier that a modality is missing: its
    representation is zeros. float[B, D], int64[B, L] -> float[B, C].
    """

    def __init__(self, task: Task, features: int, vectors: Tensor, settings: MultimodalSettings) -> None:
        super().__init__(task)
        self.visual = VisualNetwork(features, settings.hidden, settings.standardise)
        self.textual = textual(vectors, settings)
        self.classify = Classifier(2 * settings.hidden, len(task.names), settings)
        self.hidden = settings.hidden

    def measure(self, posts: Batch) -> None:
        """Take the features' scale from the training posts."""
        self.visual.measure(posts)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        seen, told = batch.present[:, IMAGE], batch.present[:, TEXT]
        image = where(self.visual, batch.inputs["image"], seen, self.hidden)
        text = where(self.textual, batch.inputs["cased_words"], told, self.hidden)
        return {"y": self.classify(torch.cat([image, text], 1))}


def build(task: Task, encoders: Mapping[str, Any], settings: MultimodalSettings) -> SingleMultimodal:
    """Return a new model."""
    vectors = torch.from_numpy(encoders["cased_words"].start)
    return SingleMultimodal(task, encoders["image"].width, vectors, settings)


SPEC = Spec(
    name="sm",
    title=lambda settings: "SM",
    reads=("image", "text"),
    inputs=("image", "cased_words"),
    settings=MultimodalSettings,
    build=build,
    stages=stages,
    grid=WORD_GRID,
    cost=11,
    stacks=False,
    posts="pairs",
    names={"both": "SM", "image": "SM_I", "text": "SM_T"},
)
