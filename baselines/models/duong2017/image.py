"""Image-based classification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from baselines.data.batch import IMAGE, Batch
from baselines.data.task import Task
from baselines.models.base import Model, Spec
from baselines.models.duong2017.settings import GRID, ImageSettings, stages
from baselines.models.layers import Standardise


class ImageBased(Model):
    """A linear classifier on frozen features γ(i).

    Duong et al. 2017, sections 4.2 and 5.3: P(y|i) = softmax(W γ(i) + b). γ is a network without its last
    layer, 2048-d; Inception-v3 is inferred from that width (the paper cites GoogLeNet). float[B, D] ->
    float[B, C]. Without an image only the bias remains, the classes' prior.
    """

    def __init__(self, task: Task, features: int, settings: ImageSettings) -> None:
        super().__init__(task)
        self.scale = Standardise(features, settings.standardise)
        self.last = nn.Linear(features, len(task.names))

    def measure(self, posts: Batch) -> None:
        """Take the features' scale from the training posts."""
        self.scale.measure(posts)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        seen = batch.present[:, IMAGE].unsqueeze(-1)
        return {"y": self.last(self.scale(batch.inputs["image"]) * seen)}


def build(task: Task, encoders: Mapping[str, Any], settings: ImageSettings) -> ImageBased:
    """Return a new model."""
    return ImageBased(task, encoders["image"].width, settings)


SPEC = Spec(
    name="image",
    title=lambda settings: "Image-based",
    reads=("image",),
    inputs=("image",),
    settings=ImageSettings,
    build=build,
    stages=stages,
    grid=GRID,
    cost=1,
)
