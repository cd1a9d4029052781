"""Training with the backbone unfrozen, on one device or, through Accelerate, on several.

    tuned = fit_unfrozen(backbone, head, train, validation, FinetuneSettings(), seed=0)
    features = extract(images, tuned.backbone, cache)  # `tuned.head` reads them as it reads frozen ones

Duong et al. 2017, section 3.1, name fine-tuning as an option and tell nothing more of it.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from affectory.encoders.image.backbones import RANDOM, Backbone, state_digest
from baselines.data.batch import Batch
from baselines.data.images import image_refs
from baselines.data.release import Part, Release
from baselines.models.base import Model, Stage, Unfinished
from baselines.training.finetune_steps import (
    FinetuneSettings,
    Pictured,
    Posts,
    Unfrozen,
    optimiser,
    routine,
)
from baselines.training.steps import Steps

__all__ = ["FinetuneSettings", "Finetuned", "Posts", "fit_unfrozen", "posts_of"]


@dataclass(frozen=True)
class Finetuned:
    """A backbone and a head that were trained together, as they were in their best epoch."""

    backbone: Backbone
    head: Model
    epoch: int  # 0: before any training
    score: float  # the task's headline metric on validation
    likelihood: float  # mean log-likelihood on validation, nats
    problem: str | None = None  # why training was given up
    history: tuple[float, ...] = ()  # as of `Fitted`
    losses: tuple[tuple[float, float], ...] = ()


def posts_of(release: Release, part: Part, batch: Batch) -> Posts:
    """Return a part of a release with its images; `batch` holds its tokens, labels and what is present."""
    refs = iter(image_refs(release, part))
    return Posts(batch, [next(refs) if digest else None for digest in part.digests])


def fit_unfrozen(
    backbone: Backbone,
    head: Model,
    train: Posts,
    validation: Posts,
    settings: FinetuneSettings,
    stage: Stage,
    seed: int,
    *,
    answers: str = "y",
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    tell: Callable[[int], None] = lambda epoch: None,
) -> Finetuned:
    """Train a copy of `backbone` under a copy of `head` until validation no longer improves.

    `stage`: how the head is trained on frozen features: the relative rates of its parameters, its texts of
    other classes. `answers`: the head's output that is judged on validation.

    The same seed gives the same network on one device. With `checkpoint`, a file, a run that was killed goes
    on after its last whole epoch, to the same end. `tell` is called after each epoch.

    Raises `BaselineError` where Accelerate is not installed, an image can't be decoded, or not one post fits
    the device's memory. Training stops if the loss becomes NaN or infinite: see `Finetuned.problem`.
    """
    # `extract` leaves a network so; of another format the rounding differs, and the end with it.
    network = copy.deepcopy(backbone.module).to(memory_format=torch.channels_last)
    norms_learn = backbone.digest == RANDOM
    model = Unfrozen(network, copy.deepcopy(head), answers, backbone.dim, norms_learn=norms_learn)
    mark = _mark(model, train, validation, settings, stage, seed, backbone)
    gaps = not bool(train.batch.present.all()) or any(image is None for image in train.images)
    steps = Steps(
        model,
        optimiser(model, settings, stage),
        routine(settings, stage),
        seed,
        torch.device(device),
        gaps=gaps,
    )
    unfinished = None if checkpoint is None else Unfinished(checkpoint, mark)
    steps.run(Pictured(train, backbone), Pictured(validation, backbone), unfinished, tell)
    best = steps.best
    model.cpu()
    if best.state:
        model.load_state_dict(best.state)
    model.eval()
    return Finetuned(
        _with(backbone, model),
        model.head,
        best.epoch,
        best.score,
        best.likelihood,
        steps.problem,
        tuple(steps.history),
        tuple(steps.losses),
    )


def _with(backbone: Backbone, model: Unfrozen) -> Backbone:
    """Return the backbone with its trained network and that one's digest."""
    digest = state_digest(model.backbone)
    network = replace(backbone.network, module=model.backbone)
    return replace(backbone, digest=digest[:16], weights_sha256=digest, network=network)


def _mark(
    model: Unfrozen,
    train: Posts,
    validation: Posts,
    settings: FinetuneSettings,
    stage: Stage,
    seed: int,
    backbone: Backbone,
) -> str:
    """Return a digest of all that a training depends on."""
    how = f"{settings!r} {stage.optimiser!r} {stage.other_texts} {model.head.task.aim}"
    told = f"{torch.__version__} {how} {seed} {backbone.preprocessing} {state_digest(model)}"
    sha256 = hashlib.sha256(told.encode())
    for posts in (train, validation):
        read = {name: tensor for name, tensor in posts.batch.inputs.items() if name != "image"}
        for tensor in (*read.values(), *posts.batch[1:]):
            sha256.update(tensor.cpu().contiguous().numpy().tobytes())
        sha256.update("\n".join(image.sha256 if image else "-" for image in posts.images).encode())
    return sha256.hexdigest()
