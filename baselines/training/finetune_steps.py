"""The steps of fine-tuning: an epoch of training, its score on validation, and which epoch was the best."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from affectory.core.errors import BaselineError
from affectory.core.progress import say
from affectory.encoders.image.backbones import Backbone
from affectory.encoders.image.pixels import ImageRef, pixel_batches
from baselines.data.batch import IMAGE, TEXT, Batch
from baselines.models.duong2017.parts import Classifier
from baselines.settings import FinetuneSettings
from baselines.training.loop import negatives


class Posts(NamedTuple):
    """n posts: all but the image of `batch` is read; `images` has one for each row, or None."""

    batch: Batch
    images: Sequence[ImageRef | None]


class Unfrozen(nn.Module):
    """A backbone and a head as one network: the mean loss of posts with pixels, a scalar.

    Batch norms are trained but for their statistics, which stay those of the backbone's own training
    (`norms_learn`: unless it had none). Statistics of a few posts are noise, another for each process and
    slice of a step; and a file whose norms were folded into the convolutions would be another network.
    """

    def __init__(self, backbone: nn.Module, head: Classifier, dim: int, *, norms_learn: bool = False) -> None:
        super().__init__()
        self.backbone, self.head, self.dim = backbone, head, dim
        self.norms_learn = norms_learn

    def train(self, mode: bool = True) -> Unfrozen:
        """Switch dropout on or off, and the statistics of batch norms where they learn."""
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, nn.BatchNorm2d) and not self.norms_learn:
                module.eval()
        return self

    def featured(self, batch: Batch) -> Batch:
        """Return the batch with features, float[B, dim], for pixels; zeros where there is no image."""
        seen = batch.present[:, IMAGE]
        features = batch.image.new_zeros(len(seen), self.dim)
        if seen.any():
            features[seen] = self.backbone(batch.image[seen]).to(features.dtype)
        return batch._replace(image=features)

    def forward(self, batch: Batch, negatives: Tensor) -> Tensor:
        """Return the loss: gradients are averaged over processes only in calls of the whole module."""
        return self.head.loss(self.featured(batch), negatives)


@dataclass
class Best:
    """The best epoch so far."""

    epoch: int = 0
    accuracy: float = math.nan
    likelihood: float = -math.inf
    state: dict[str, Tensor] = field(default_factory=dict, repr=False)


class Steps:
    """Fine-tuning, epoch by epoch: `train`, then `judge`."""

    def __init__(
        self,
        model: Unfrozen,
        backbone: Backbone,
        settings: FinetuneSettings,
        seed: int,
        device: torch.device,
        *,
        imageless: bool,
    ) -> None:
        # `imageless`: some posts have no image, and a process may then have none in a step.
        self.model, self.backbone, self.settings, self.seed = model, backbone, settings, seed
        self.epoch = self.waited = 0
        self.best = Best()
        self.problem: str | None = None
        self._slices = 1  # a step is computed in so many parts
        self._accelerator = _accelerator(device, imageless)
        self.device: torch.device = self._accelerator.device
        self._loss, self.optimiser = self._accelerator.prepare(model, _optimiser(model, settings))

    @property
    def over(self) -> bool:
        """Whether training has ended."""
        ended = self.epoch >= self.settings.epochs or self.waited >= self.settings.patience
        return ended or self.problem is not None

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes files."""
        return bool(self._accelerator.is_main_process)

    def train(self, train: Posts) -> None:
        """Train for an epoch. Draws depend on seed and epoch alone: a resumed run draws the same."""
        rank, world = self._accelerator.process_index, self._accelerator.num_processes
        drawer = torch.Generator().manual_seed(1_000_003 * self.seed + self.epoch)
        order = torch.randperm(len(train.batch.label), generator=drawer)
        # A step that would leave a process without a post is left out.
        steps = [rows for rows in _cut(order, self.settings.batch) if len(rows) >= world]
        mine = [rows[rank::world] for rows in steps]
        torch.manual_seed(1_000_003 * self.seed + self.epoch + rank)  # dropout
        self.epoch += 1
        self.model.train()
        pixels = pixel_batches(train.images, self.backbone, [rows.tolist() for rows in mine])
        for whole, rows, some in zip(steps, mine, pixels, strict=True):
            # The processes' gradients are averaged: each weighs as much as it has posts.
            loss = self._step(_rows(train.batch, rows, some), drawer, len(rows) * world / len(whole))
            if not math.isfinite(loss):
                self.problem = (
                    f"its loss became NaN or infinite in epoch {self.epoch}: try a smaller learning rate"
                )
                break

    def _step(self, batch: Batch, drawer: torch.Generator, weight: float) -> float:
        """Take one step and return the loss; once it does not fit the device's memory, in slices."""
        while True:
            try:
                loss = self._slice_by_slice(batch, drawer, weight)
                self.optimiser.step()
                return float(self._accelerator.reduce(loss, "mean"))
            except torch.OutOfMemoryError as error:
                size = math.ceil(len(batch.label) / self._slices)
                if size == 1:
                    raise BaselineError(
                        f"{self.device} has not enough memory to train on one post: use --device cpu"
                    ) from error
                self._slices *= 2
                say(f"{self.device} is out of memory: going on with {math.ceil(size / 2)} posts at once")

    def _slice_by_slice(self, batch: Batch, drawer: torch.Generator, weight: float) -> Tensor:
        """Compute the step's gradients; a post's texts of other classes come from its slice."""
        self.optimiser.zero_grad()
        n = len(batch.label)
        size = math.ceil(n / self._slices)
        total = torch.zeros((), device=self.device)
        for at in range(0, n, size):
            part = _to(Batch(*(field[at : at + size] for field in batch)), self.device)
            with_text = part.present[:, TEXT]
            drawn = negatives(part.label[None], with_text[None], self.model.head.negatives_per_post, [drawer])
            last = at + size >= n  # gradients travel between processes once a step
            with nullcontext() if last else self._accelerator.no_sync(self._loss):
                loss = self._loss(part, drawn[0]) * (len(part.label) / n)
                self._accelerator.backward(loss * weight)
            total += loss.detach()
        return total

    @torch.no_grad()
    def judge(self, validation: Posts) -> None:
        """Score the network on validation, and keep it if it is the best so far."""
        accuracy, likelihood = self._score(validation)
        if not math.isfinite(likelihood):
            self.problem = (
                f"its validation loss became NaN or infinite in epoch {self.epoch}: "
                "try a smaller learning rate"
            )
        elif likelihood > self.best.likelihood:
            state = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}
            self.best, self.waited = Best(self.epoch, accuracy, likelihood, state), 0
        else:
            self.waited += 1

    def _score(self, validation: Posts) -> tuple[float, float]:
        """Return accuracy and mean log-likelihood over all processes."""
        rank, world = self._accelerator.process_index, self._accelerator.num_processes
        rows = torch.arange(len(validation.batch.label))[rank::world]
        batches = _cut(rows, math.ceil(self.settings.batch / self._slices))
        pixels = pixel_batches(validation.images, self.backbone, [some.tolist() for some in batches])
        self.model.eval()
        sums = torch.zeros(2)
        for some, images in zip(batches, pixels, strict=True):
            batch = _to(_rows(validation.batch, some, images), self.device)
            with self._accelerator.autocast():
                logs = self.model.head(self.model.featured(batch)).float().log_softmax(-1)
            right = (logs.argmax(-1) == batch.label).float().sum()
            sums += torch.stack([right, logs.gather(1, batch.label.unsqueeze(1)).sum()]).cpu()
        whole = self._accelerator.reduce(sums.to(self.device), "sum") / len(validation.batch.label)
        return float(whole[0]), float(whole[1])

    def end(self) -> None:
        """Make the network that of its best epoch, on the CPU."""
        self.model.cpu()
        if self.best.state:
            self.model.load_state_dict(self.best.state)
        self.model.eval()


def _cut(rows: Tensor, size: int) -> list[Tensor]:
    return [rows[at : at + size] for at in range(0, len(rows), size)]


def _rows(batch: Batch, rows: Tensor, pixels: Tensor) -> Batch:
    return Batch(pixels, batch.tokens[rows], batch.present[rows], batch.label[rows])


def _to(batch: Batch, device: torch.device) -> Batch:
    return Batch(*(field.to(device) for field in batch))


def in_main_process(device: torch.device) -> bool:
    """Return whether this process writes and prints, of those that train together on such devices.

    Raises `BaselineError` where Accelerate is not installed.
    """
    state = _accelerate()
    if device.index is not None:
        torch.cuda.set_device(device)  # where Accelerate is given one process, it takes this one
    return bool(state.PartialState(cpu=device.type == "cpu").is_main_process)


def _accelerate() -> Any:
    try:
        return importlib.import_module("accelerate")  # an extra, and not typed
    except ImportError as error:
        raise BaselineError(
            "--finetune needs Accelerate: pip install 'affectory[finetune]' (or uv sync --extra finetune)"
        ) from error


def _accelerator(device: torch.device, imageless: bool) -> Any:
    accelerate = _accelerate()
    half = device.type == "cuda" and torch.cuda.is_bf16_supported()
    unused = accelerate.DistributedDataParallelKwargs(find_unused_parameters=imageless)
    return accelerate.Accelerator(
        cpu=device.type == "cpu", mixed_precision="bf16" if half else "no", kwargs_handlers=[unused]
    )


def _optimiser(model: Unfrozen, settings: FinetuneSettings) -> torch.optim.Optimizer:
    backbone, head = list(model.backbone.parameters()), dict(model.head.named_parameters())
    words = [value for name, value in head.items() if "lookup" in name]
    others = [value for name, value in head.items() if "lookup" not in name]
    if settings.optimiser == "adamw":  # which feels no size of a loss or a gradient
        groups: list[dict[str, Any]] = [{"params": backbone, "lr": settings.backbone_lr}]
        groups += [{"params": words + others}]
        return torch.optim.AdamW(groups, lr=settings.lr, weight_decay=settings.weight_decay)
    pace = model.head.pace
    groups = [
        {"params": backbone, "lr": settings.backbone_lr * pace},
        {"params": others, "lr": settings.lr * pace},
    ]
    if words:  # the image-based model has none
        groups += [{"params": words, "lr": settings.lr * pace * settings.word_rate}]
    return torch.optim.SGD(groups, momentum=settings.momentum, weight_decay=settings.weight_decay)
