"""Ext-PIE-Net, with and without its pretraining: PIE heads over frozen features, attention between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from affectory.core.errors import BaselineError
from baselines.data.batch import IMAGE, TEXT, Batch
from baselines.data.samplers import Shuffled, Unlabelled
from baselines.data.task import Task
from baselines.models.base import Group, LastEpoch, Model, OneCycle, Optimiser, Spec, Stage, Term, Terms
from baselines.models.semimemes2023.contrastive import cosine_hinge, nt_xent
from baselines.models.settings import ModelSettings, setting


@dataclass(frozen=True, slots=True)
class ExtPieNetSettings(ModelSettings):
    """Of the training."""

    lr: float = setting(1e-4, "highest learning rate of Adam, in one cycle", above=0)
    batch: int = setting(256, "posts per mini-batch", least=1)
    epochs: int = setting(50, "epochs; the last is kept", least=1)


@dataclass(frozen=True, slots=True)
class PretrainedSettings(ExtPieNetSettings):
    """Of the pretraining too. The defaults are the released code's; its mini-batches had 32 posts."""

    pretrain_epochs: int = setting(100, "epochs of pretraining; the last is kept", least=1)
    pretrain_batch: int = setting(256, "unlabelled posts per mini-batch of pretraining", least=2)
    pretrain_lr: float = setting(1e-4, "learning rate of Adam in pretraining", above=0)
    pretrain_weight_decay: float = setting(1e-4, "weight decay in pretraining", least=0)
    projection: int = setting(512, "width of the projections, an even number", least=2)
    margin: float = setting(0.0, "margin of the cosine hinges", least=0)
    temperature: float = setting(0.07, "τ of NT-Xent", above=0)
    image_weight: float = setting(0.2, "weight of the hinges between fused vectors and images", least=0)
    text_weight: float = setting(0.2, "weight of the hinges between fused vectors and texts", least=0)
    view_weight: float = setting(0.6, "weight of NT-Xent between the fused vectors of two views", least=0)
    from_fused: float = setting(
        0.7, "share of the hinge from fused vectors to the others; the rest is the other way", least=0, most=1
    )


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
        dtype = self.text.weight.dtype
        image = self.image_head(batch.inputs["image"].to(dtype)) * seen
        text = torch.tanh(self.text(self.text_head(batch.inputs["first_token"].to(dtype)))) * told
        return {"y": self.classify(self.fusion(image, text))}


class Pretraining(nn.Module):
    """What pretraining has beside the PIE heads: projections of image, text and both, and a FusionNet.

    float[B, D], float[B, E] -> float[B, P] each: image, text, fused.
    """

    def __init__(self, image: int, text: int, width: int) -> None:
        super().__init__()
        self.image, self.text, self.fused = (
            nn.Sequential(nn.Linear(given, width), nn.ReLU(), nn.Linear(width, width))
            for given in (image, text, width)
        )
        self.fusion = FusionNet(width)

    def forward(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        projected = self.image(image), self.text(text)
        return *projected, self.fused(self.fusion(*projected))


class PretrainedExtPieNet(ExtPieNet):
    """Ext-PIE-Net whose PIE heads are first trained on unlabelled pairs, two views of each image.

    .2 · (.7 h(F→I) + .3 h(I→F)) + .2 · (.7 h(F→T) + .3 h(T→F)) + .6 · NT-Xent(F, F'): h is a cosine hinge,
    summed over all posts of a mini-batch and their negatives; I, T and F are of the first view, and F' of the
    second. The classifier has a FusionNet and a text layer of its own.
    """

    def __init__(self, task: Task, image: int, text: int, settings: PretrainedSettings) -> None:
        super().__init__(task, image, text)
        self.pretraining = Pretraining(image, text, settings.projection)
        self.settings = settings

    def contrast(self, batch: Batch) -> Terms:
        """Return the terms of the pretraining, over the posts that have image and text."""
        chosen, dtype = self.settings, self.text.weight.dtype
        pairs = batch.present.all(-1)
        views, words = (batch.inputs[name][pairs].to(dtype) for name in ("image_views", "first_token"))
        told = self.text_head(words)
        image, text, fused = self.pretraining(self.image_head(views[:, 0]), told)
        *_, other = self.pretraining(self.image_head(views[:, 1]), told)

        def hinges(others: Tensor) -> Tensor:
            there = cosine_hinge(fused, others, chosen.margin).sum()
            back = cosine_hinge(others, fused, chosen.margin).sum()
            return chosen.from_fused * there + (1 - chosen.from_fused) * back

        one = torch.ones((), device=pairs.device)  # hinges are summed, not averaged, as in the released code
        return {
            "image": Term(hinges(image), one, chosen.image_weight),
            "text": Term(hinges(text), one, chosen.text_weight),
            "views": Term(nt_xent(fused, other, chosen.temperature).sum(), pairs.sum(), chosen.view_weight),
        }


def contrast(model: Any, batch: Batch) -> Terms:
    """Return the terms of the pretraining, whatever the labels."""
    found: Terms = model.contrast(batch)
    return found


def build(task: Task, encoders: Mapping[str, Any], settings: ExtPieNetSettings) -> ExtPieNet:
    """Return a new model. Raises `BaselineError` for an odd width where attention has two heads."""
    image, text = encoders["image"].width, encoders["first_token"].width
    if image % 2:
        raise BaselineError(
            f"Ext-PIE-Net has two heads, and --backbone gives {image} features: take one of an even width"
        )
    if not isinstance(settings, PretrainedSettings):
        return ExtPieNet(task, image, text)
    if settings.projection % 2:
        raise BaselineError(
            f"--set ext_pie_net_pretrained.projection={settings.projection}: Ext-PIE-Net has two heads; "
            "take an even number"
        )
    return PretrainedExtPieNet(task, image, text, settings)


def stages(settings: ExtPieNetSettings) -> tuple[Stage, ...]:
    """Return the training: Adam in one cycle, the PIE heads frozen, the last epoch kept."""
    frozen = (Group("_head.", 0.0),)
    optimiser = Optimiser("adam", settings.lr, groups=frozen)
    return (Stage(settings.epochs, Shuffled(settings.batch), optimiser, LastEpoch(), OneCycle()),)


def pretrained_stages(settings: PretrainedSettings) -> tuple[Stage, ...]:
    """Return the training: the PIE heads on unlabelled pairs, then the classifier on labelled posts."""
    rate, decay = settings.pretrain_lr, settings.pretrain_weight_decay
    learning = (Group("pretraining.", rate, decay), Group("_head.", rate, decay))
    rest = Group("", 0.0)  # all that neither of them names
    pretrain = Stage(
        settings.pretrain_epochs,
        Unlabelled(settings.pretrain_batch),
        Optimiser("adam", rate, groups=(*learning, rest)),
        LastEpoch(),
        terms=contrast,
    )
    [classify] = stages(settings)
    frozen = (Group("pretraining.", 0.0), *classify.optimiser.groups)
    return pretrain, replace(classify, optimiser=replace(classify.optimiser, groups=frozen))


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

PRETRAINED = Spec(
    name="ext_pie_net_pretrained",
    title=lambda settings: "Ext-PIE-Net (pretrained on unlabelled posts)",
    reads=("image", "text"),
    inputs=("image", "first_token", "image_views"),
    settings=PretrainedSettings,
    build=build,
    stages=pretrained_stages,
    grid={"lr": (1e-4, 1e-3)},
    cost=20,
    stacks=False,
    note="reconstructed: the released code can't run as published; the PIE heads are pretrained on the "
    "unlabelled training posts, over frozen encoders, where the published ones were pretrained together with "
    "their encoders on other memes",
)
