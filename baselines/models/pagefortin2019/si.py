"""SI, the single-task model of the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from baselines.data.batch import IMAGE, Batch
from baselines.data.task import Task
from baselines.models.base import Model, Spec
from baselines.models.pagefortin2019.layers import Classifier, VisualNetwork, where
from baselines.models.pagefortin2019.settings import GRID, ImageSettings, stages


class SingleImage(Model):
    """The visual network and a classifier. float[B, D] -> float[B, C].

    Pagé Fortin and Chaib-draa 2019, Table 2. A post without an image is represented by zeros.
    """

    def __init__(self, task: Task, features: int, settings: ImageSettings) -> None:
        super().__init__(task)
        self.visual = VisualNetwork(features, settings.hidden, settings.standardise)
        self.classify = Classifier(settings.hidden, len(task.names), settings)
        self.hidden = settings.hidden

    def measure(self, posts: Batch) -> None:
        """Take the features' scale from the training posts."""
        self.visual.measure(posts)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        image = where(self.visual, batch.inputs["image"], batch.present[:, IMAGE], self.hidden)
        return {"y": self.classify(image)}


def build(task: Task, encoders: Mapping[str, Any], settings: ImageSettings) -> SingleImage:
    """Return a new model."""
    return SingleImage(task, encoders["image"].width, settings)


SPEC = Spec(
    name="si",
    title=lambda settings: "SI",
    reads=("image",),
    inputs=("image",),
    settings=ImageSettings,
    build=build,
    stages=stages,
    grid=GRID,
    cost=1,
    stacks=False,
    posts="pairs",
    names={"image": "SI"},
)
