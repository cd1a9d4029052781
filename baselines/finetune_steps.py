"""The steps of fine-tuning: an epoch, its score on validation, and the file that a killed run goes on from."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from baselines.backbones import Backbone, state_digest
from baselines.batch import IMAGE, Batch
from baselines.errors import BaselineError
from baselines.image_progress import say
from baselines.models.parts import Classifier
from baselines.pixels import ImageRef, pixel_batches
from baselines.train import _Negatives as Negatives

#: The format of the checkpoint.
VERSION = 1


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


class Unfrozen(nn.Module):
    """A backbone and a head as one network; of a batch's `image`, the pixels of present images alone are run."""

    def __init__(self, backbone: nn.Module, head: Classifier) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def featured(self, batch: Batch, dim: int) -> Batch:
        """Return the batch with features, float[B, dim], in place of pixels; zeros where there is no image."""
        seen = batch.present[:, IMAGE]
        features = batch.image.new_zeros(len(seen), dim)
        if seen.any():
            features[seen] = self.backbone(batch.image[seen]).to(features.dtype)
        return batch._replace(image=features)


class _Loss(nn.Module):
    """What Accelerate wraps: gradients are averaged over processes only for a call of the wrapped module."""

    def __init__(self, model: Unfrozen, dim: int) -> None:
        super().__init__()
        self.model, self.dim = model, dim

    def forward(self, batch: Batch, negatives: Tensor) -> Tensor:
        return self.model.head.loss(self.model.featured(batch, self.dim), negatives)


@dataclass
class Best:
    """The best epoch so far."""

    epoch: int = 0
    accuracy: float = math.nan
    likelihood: float = -math.inf
    state: dict[str, Tensor] = field(default_factory=dict)


class Steps:
    """Fine-tuning, epoch by epoch: `train`, `score`, `judge`, `save`."""

    def __init__(
        self, model: Unfrozen, backbone: Backbone, settings: FinetuneSettings, seed: int, device: torch.device
    ) -> None:
        self.model, self.backbone, self.settings, self.seed = model, backbone, settings, seed
        self.epoch = self.waited = 0
        self.best = Best()
        self.problem: str | None = None
        self._start = state_digest(model)
        self._slices = 1  # a step is computed in so many parts
        self._accelerator = _accelerator(device)
        self._loss, self._optimiser = self._accelerator.prepare(
            _Loss(model, backbone.dim), _optimiser(model, settings)
        )

    @property
    def over(self) -> bool:
        """Whether training has ended."""
        ended = self.epoch >= self.settings.epochs or self.waited >= self.settings.patience
        return ended or self.problem is not None

    def train(self, train: Batch, images: Sequence[ImageRef | None]) -> None:
        """Train for an epoch. Every draw depends on seed and epoch alone, so that a resumed run draws the same."""
        rank, world = self._accelerator.process_index, self._accelerator.num_processes
        drawer = torch.Generator().manual_seed(1_000_003 * self.seed + self.epoch)
        order = torch.randperm(len(train.label), generator=drawer)
        # A step that would leave a process without a post is left out.
        steps = [rows for rows in order.split(self.settings.batch) if len(rows) >= world]
        mine = [rows[rank::world] for rows in steps]
        torch.manual_seed(1_000_003 * self.seed + self.epoch + rank)  # dropout
        negatives = Negatives(train, self.model.head.negatives_per_post)
        self.model.train()
        pixels = pixel_batches(images, self.backbone, [rows.tolist() for rows in mine])
        for whole, rows, some in zip(steps, mine, pixels, strict=True):
            drawn = negatives.draw(rows.unsqueeze(0), [drawer]).squeeze(0)
            # Processes' gradients are averaged: each weighs as much as it has posts.
            loss = self._step(_rows(train, rows, some), drawn, weight=len(rows) * world / len(whole))
            if not math.isfinite(loss):
                self.problem = (
                    f"its loss was no number in epoch {self.epoch + 1}: try a smaller learning rate"
                )
                break
        self.epoch += 1

    def _step(self, batch: Batch, negatives: Tensor, weight: float) -> float:
        """Take one step; return the loss on this process. A batch too large for the device is cut into slices."""
        n = len(batch.label)
        while True:
            size = math.ceil(n / self._slices)
            try:
                self._optimiser.zero_grad()
                total = 0.0
                for at in range(0, n, size):
                    part = Batch(*(field[at : at + size].to(self._accelerator.device) for field in batch))
                    given = negatives[at : at + size].to(self._accelerator.device)
                    loss = self._loss(part, given) * (len(part.label) / n)
                    self._accelerator.backward(loss * weight)
                    total += float(loss.detach())
                self._optimiser.step()
                return total
            except torch.OutOfMemoryError as error:
                if size == 1:
                    raise BaselineError(
                        f"{self._accelerator.device} has not enough memory to train on one post: --device cpu"
                    ) from error
                self._slices *= 2
                say(f"{self._accelerator.device} is out of memory: going on with {math.ceil(size / 2)} posts at once")

    @torch.no_grad()
    def score(self, validation: Batch, images: Sequence[ImageRef | None]) -> tuple[float, float]:
        """Return accuracy and mean log-likelihood on validation, over all processes."""
        self.model.eval()
        rank, world = self._accelerator.process_index, self._accelerator.num_processes
        mine = torch.arange(len(validation.label))[rank::world]
        batches = list(mine.split(math.ceil(self.settings.batch / self._slices)))
        sums = torch.zeros(2, dtype=torch.float64, device="cpu")
        for rows, some in zip(
            batches, pixel_batches(images, self.backbone, [b.tolist() for b in batches]), strict=True
        ):
            batch = Batch(*(part.to(self._accelerator.device) for part in _rows(validation, rows, some)))
            with self._accelerator.autocast():
                logits = self.model.head(self.model.featured(batch, self.backbone.dim))
            logs = logits.double().log_softmax(-1)
            right = (logs.argmax(-1) == batch.label).sum()
            likelihood = logs.gather(1, batch.label.unsqueeze(1)).sum()
            sums += torch.stack([right.double(), likelihood]).cpu()
        whole = self._accelerator.reduce(sums.to(self._accelerator.device), "sum") / len(validation.label)
        return float(whole[0]), float(whole[1])

    def judge(self, accuracy: float, likelihood: float) -> None:
        """Keep the network if it is the best so far."""
        if not math.isfinite(likelihood):
            self.problem = f"its validation loss was no number in epoch {self.epoch}: try a smaller learning rate"
        elif likelihood > self.best.likelihood:
            state = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}
            self.best, self.waited = Best(self.epoch, accuracy, likelihood, state), 0
        else:
            self.waited += 1

    def restore_best(self) -> None:
        """Make the network that of its best epoch, on the CPU."""
        self.model.cpu()
        if self.best.state:
            self.model.load_state_dict(self.best.state)
        self.model.eval()

    def mark(self, train: Posts, validation: Posts) -> str:
        """Return a digest of all that the training depends on."""

    def save(self, path: Path, mark: str) -> None:
        """Write what a later run goes on from, whole or not at all."""
        if not self._accelerator.is_main_process:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        torch.save(
            {
                "version": VERSION,
                "mark": mark,
                "epoch": self.epoch,
                "waited": self.waited,
                "problem": self.problem,
                "best": vars(self.best),
                "model": self.model.state_dict(),
                "optimiser": self._optimiser.state_dict(),
            },
            temporary,
        )
        temporary.replace(path)
