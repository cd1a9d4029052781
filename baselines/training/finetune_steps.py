"""What fine-tuning an image network adds to training end to end: its settings, its images, its optimiser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from affectory.encoders.image.backbones import Backbone
from affectory.encoders.image.pixels import ImageRef, pixel_batches
from baselines.data.batch import IMAGE, Batch
from baselines.data.samplers import Sampler
from baselines.models.base import Model, Stage
from baselines.models.settings import ModelSettings, setting
from baselines.training.steps import Learner, Routine


@dataclass(frozen=True, slots=True)
class FinetuneSettings(ModelSettings):
    """How an image network is trained together with the model that reads it, its head.

    Duong et al. 2017, section 4.2, name fine-tuning as an option and state nothing more of it.
    """

    optimiser: Literal["sgd", "adamw"] = setting("sgd", "the optimiser")
    lr: float = setting(0.01, "learning rate of the head", above=0)
    backbone_lr: float = setting(0.001, "learning rate of the image network", least=0)
    momentum: float = setting(0.9, "momentum of SGD", least=0, most=0.99)
    weight_decay: float = setting(1e-4, "weight decay", least=0)
    batch: int = setting(32, "posts per step, on all devices together", least=1)
    epochs: int = setting(20, "the most epochs", least=1)
    patience: int = setting(3, "epochs without a better validation likelihood before training stops", least=1)


class Posts(NamedTuple):
    """n posts: all but the image of `batch` is read; `images` has one for each row, or None."""

    batch: Batch
    images: Sequence[ImageRef | None]


class Pictured(NamedTuple):
    """Posts whose images are decoded as they are read."""

    posts: Posts
    backbone: Backbone

    @property
    def batch(self) -> Batch:
        """All posts, without pixels."""
        return self.posts.batch

    def read(self, steps: Sequence[Tensor]) -> Iterator[Batch]:
        """Yield the posts of each step with their pixels."""
        pixels = pixel_batches(self.posts.images, self.backbone, [rows.tolist() for rows in steps])
        for rows, images in zip(steps, pixels, strict=True):
            batch = self.batch.take(rows)
            yield batch._replace(inputs=batch.inputs | {"image": images})


class Unfrozen(Learner):
    """A backbone and a head as one network: the mean loss of posts with pixels, a scalar.

    Batch norms are trained but for their statistics, which stay those of the backbone's own training
    (`norms_learn`: unless it had none). Statistics of a few posts are noise, another for each process and
    slice of a step; and a file whose norms were folded into the convolutions would be another network.
    """

    def __init__(
        self, backbone: nn.Module, head: Model, answers: str, dim: int, *, norms_learn: bool = False
    ) -> None:
        super().__init__(head, answers)
        self.backbone, self.dim = backbone, dim
        self.norms_learn = norms_learn

    def train(self, mode: bool = True) -> Unfrozen:
        """Switch dropout on or off, and the statistics of batch norms where they learn."""
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, nn.BatchNorm2d) and not self.norms_learn:
                module.eval()
        return self

    def seen(self, batch: Batch) -> Batch:
        """Return the batch with features, float[B, dim], for pixels; zeros where there is no image."""
        there, pixels = batch.present[:, IMAGE], batch.inputs["image"]
        features = pixels.new_zeros(len(there), self.dim)
        if there.any():
            features[there] = self.backbone(pixels[there]).to(features.dtype)
        return batch._replace(inputs=batch.inputs | {"image": features})

    @torch.no_grad()
    def counts(self, posts: Batch, rows: Tensor, more: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the posts of each term, which the head tells without seeing an image."""
        read = {name: tensor for name, tensor in posts.inputs.items() if name != "image"}
        blind = posts._replace(inputs=read).take(rows)
        features = torch.zeros(len(rows), self.dim)
        blind = blind._replace(inputs={**blind.inputs, **more, "image": features})
        learning = self.head.training
        self.head.eval()  # no dropout: it would draw
        terms = self.head.terms(blind.to(next(self.head.parameters()).device))
        self.head.train(learning)
        return {name: one.posts for name, one in terms.items()}


def routine(settings: FinetuneSettings, stage: Stage) -> Routine:
    """Return how a head is trained with its backbone. `stage`: how it is on frozen features."""
    return Routine(
        _of_size(stage.sampler, settings.batch),
        settings.epochs,
        rows=settings.batch,
        patience=settings.patience,
        other_texts=stage.other_texts,
    )


def _of_size(sampler: Sampler, batch: int) -> Sampler:
    """Return a sampler with other mini-batches; the head's own are for features that are computed once."""
    return replace(sampler, batch=batch) if is_dataclass(sampler) and hasattr(sampler, "batch") else sampler


def optimiser(model: Unfrozen, settings: FinetuneSettings, stage: Stage) -> torch.optim.Optimizer:
    """Return the optimiser. The head's groups keep their rates relative to each other, but for AdamW, whose
    steps are of one size, however small the gradient."""
    backbone: dict[str, Any] = {"params": list(model.backbone.parameters()), "lr": settings.backbone_lr}
    fixed = [group.part for group in stage.optimiser.groups if group.lr == 0]
    if settings.optimiser == "adamw":
        named = model.head.named_parameters()
        head: dict[str, Any] = {
            "params": [one for name, one in named if not any(part in name for part in fixed)]
        }
        return torch.optim.AdamW([backbone, head], lr=settings.lr, weight_decay=settings.weight_decay)
    groups: dict[float, list[Tensor]] = {}
    for name, parameter in model.head.named_parameters():
        own = next((group.lr for group in stage.optimiser.groups if group.part in name), stage.optimiser.lr)
        groups.setdefault(settings.lr * own / stage.optimiser.lr, []).append(parameter)
    heads = [{"params": parameters, "lr": lr} for lr, parameters in groups.items()]
    return torch.optim.SGD(
        [backbone, *heads], lr=settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay
    )
