"""Ext-PIE-Net without its pretraining: PIE heads over frozen features, attention between image and text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from affectory.core.errors import BaselineError
from baselines.data.batch import IMAGE, TEXT, Batch
from baselines.data.samplers import Shuffled
from baselines.data.task import Task
from baselines.models.base import Group, LastEpoch, Model, OneCycle, Optimiser, Spec, Stage
from baselines.models.settings import ModelSettings, setting


@dataclass(frozen=True, slots=True)
class ExtPieNetSettings(ModelSettings):
    """Of the training."""

    lr: float = setting(1e-4, "highest learning rate of Adam, in one cycle", above=0)
    batch: int = setting(256, "posts per mini-batch", least=1)
    epochs: int = setting(50, "epochs; the last is kept", least=1)


class PieHead(nn.Module):
    """LayerNorm(x + sigmoid(W₁ a + b₁)), then a linear layer of the same width. float[B, D] -> float[B, D].

    Song and Soleymani 2019, section 3.1. a is self-attention over the parts of x; one vector is a sequence of
    one part, whose softmax is 1, so a = x whatever its weights.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.residual = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.last(self.norm(features + torch.sigmoid(self.residual(features))))
        return found


class FusionNet(nn.Module):
    """Self-attention with two heads over {image, text}, LayerNorm of the residual, and the sum of both.

    float[B, D], float[B, D] -> float[B, D].
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        both = torch.stack([image, text], 1)
        found: Tensor = self.norm(both + self.attention(both, both, both, need_weights=False)[0]).sum(1)
        return found


class ExtPieNet(Model):
    """Sharma et al. 2022 (Ext-PIE-Net), as SemiMemes compares it. float[B, D], float[B, E] -> float[B, C].

    i = PIE(image), t = tanh(W PIE(text)) of the image's width, f = FusionNet(i, t), then tanh layers of 512
    and 256 and a linear one. Image: ResNet-18 (512), text: DistilBERT's CLS (768). The encoders and both PIE
    heads are frozen. A vector of a missing modality is zero before the fusion.
    """

    def __init__(self, task: Task, image: int, text: int) -> None:
        super().__init__(task)
        self.image_head, self.text_head = PieHead(image), PieHead(text)
        self.text = nn.Linear(text, image)
        self.fusion = FusionNet(image)
        self.classify = nn.Sequential(
            nn.Linear(image, 512), nn.Tanh(), nn.Linear(512, 256), nn.Tanh(), nn.Linear(256, len(task.names))
        )

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        seen, told = (batch.present[:, column].unsqueeze(-1) for column in (IMAGE, TEXT))
        given = {name: one.to(self.text.weight.dtype) for name, one in batch.inputs.items()}
        image = self.image_head(given["image"]) * seen
        text = torch.tanh(self.text(self.text_head(given["first_token"]))) * told
        return {"y": self.classify(self.fusion(image, text))}


def build(task: Task, encoders: Mapping[str, Any], settings: ExtPieNetSettings) -> ExtPieNet:
    """Return a new model. Raises `BaselineError` for image features of an odd width."""
    width = encoders["image"].width
    if width % 2:
        raise BaselineError(
            f"ext_pie_net has two heads, and --backbone gives {width} features: take one of an even width"
        )
    return ExtPieNet(task, width, encoders["first_token"].width)


def stages(settings: ExtPieNetSettings) -> tuple[Stage, ...]:
    """Return the training: Adam in one cycle, the PIE heads frozen, the last epoch kept."""
    frozen = (Group("_head.", 0.0),)
    optimiser = Optimiser("adam", settings.lr, groups=frozen)
    return (Stage(settings.epochs, Shuffled(settings.batch), optimiser, LastEpoch(), OneCycle()),)


SPEC = Spec(
    name="ext_pie_net",
    title=lambda settings: "Ext-PIE-Net (no pretraining)",
    reads=("image", "text"),
    inputs=("image", "first_token"),
    settings=ExtPieNetSettings,
    build=build,
    stages=stages,
    grid={"lr": (1e-4, 1e-3)},
    cost=3,
    stacks=False,  # attention over networks at once isn't supported
    note="reconstructed: the released code can't run as published; without pretraining, so that the frozen "
    "PIE heads are as they were drawn",
)
