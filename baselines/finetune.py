"""Training with the backbone unfrozen, on one device or, through Accelerate, on several.

    tuned = fit_unfrozen(backbone, head, train, validation, FinetuneSettings(), seed=0)
    features = extract(images, tuned.backbone, cache)  # then `tuned.head` scores them as it scores frozen ones

    accelerate launch -m baselines.run NAME --finetune

Duong et al. 2017, section 3.1, name fine-tuning as an option; all values of `FinetuneSettings` but the head's
learning rate are ours.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from baselines.backbones import Backbone, state_digest
from baselines.batch import IMAGE, Batch
from baselines.data import Part, Release
from baselines.finetune_steps import Steps, Unfrozen
from baselines.models.parts import Classifier
from baselines.pixels import ImageRef, image_refs


@dataclass(frozen=True, slots=True)
class FinetuneSettings:
    """How a backbone and its head are trained together.

    `lr` is the head's (Duong et al. 2017, section 4.2: .01), `backbone_lr` the backbone's; `batch` counts the
    posts of a step on all devices together; `patience` the epochs without a better validation likelihood.
    """

    optimiser: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.01
    backbone_lr: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 1e-4
    batch: int = 32
    epochs: int = 20
    patience: int = 3


class Posts(NamedTuple):
    """n posts: all but the image of `batch` is read; `images` has one for each row, or None."""

    batch: Batch
    images: Sequence[ImageRef | None]


@dataclass(frozen=True)
class Finetuned:
    """A backbone and a head that were trained together, as they were in their best epoch."""

    backbone: Backbone
    head: Classifier
    epoch: int
    accuracy: float  # on validation
    likelihood: float  # mean log-likelihood on validation, nats
    problem: str | None = None  # why training was given up; epoch 0 is before any training


def posts_of(release: Release, part: Part, batch: Batch) -> Posts:
    """Return a part of a release, made a `batch` already, with its images."""
    refs = iter(image_refs(release, part))
    return Posts(batch, [next(refs) if digest else None for digest in part.digests])


def fit_unfrozen(
    backbone: Backbone,
    head: Classifier,
    train: Posts,
    validation: Posts,
    settings: FinetuneSettings,
    seed: int,
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    tell: Callable[[int], None] = lambda epoch: None,
) -> Finetuned:
    """Train a copy of `backbone` under a copy of `head`, until validation no longer improves.

    The same seed gives the same network on one device. With `checkpoint`, a file, a run that was killed goes on
    after its last whole epoch, to the same end. `tell` is called after each epoch.

    Raises `BaselineError` where Accelerate is not installed, or not one post fits the device's memory.
    """
    model = Unfrozen(copy.deepcopy(backbone.module), copy.deepcopy(head))
    steps = Steps(model, backbone, settings, seed, torch.device(device), checkpoint)
    steps.resume(train.batch, validation.batch)
    while steps.epoch < settings.epochs and steps.waited < settings.patience and not steps.problem:
        steps.train(train.batch, train.images)
        if not steps.problem:
            steps.judge(*steps.score(validation.batch, validation.images))
        steps.save()
        tell(steps.epoch)
    steps.restore_best()
    digest = state_digest(model.backbone)
    module = model.backbone.cpu().eval()
    return Finetuned(
        replace(
            backbone,
            digest=digest[:16],
            weights_sha256=digest,
            network=replace(backbone.network, module=module),
        ),
        model.head.cpu().eval(),
        steps.best.epoch,
        steps.best.accuracy,
        steps.best.likelihood,
        steps.problem,
    )
