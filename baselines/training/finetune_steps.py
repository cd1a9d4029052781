"""The steps of fine-tuning: an epoch of training, its score on validation, and which epoch was the best."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from affectory.core.errors import BaselineError
from affectory.core.progress import say
from affectory.encoders.image.backbones import Backbone
from affectory.encoders.image.pixels import ImageRef, pixel_batches
from baselines.data.aim import Judged
from baselines.data.batch import IMAGE, Batch, trimmed
from baselines.data.samplers import OtherTexts, Sampler
from baselines.models.base import Model, Stage, total
from baselines.models.settings import ModelSettings, setting


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


class Unfrozen(nn.Module):
    """A backbone and a head as one network: the mean loss of posts with pixels, a scalar.

    Batch norms are trained but for their statistics, which stay those of the backbone's own training
    (`norms_learn`: unless it had none). Statistics of a few posts are noise, another for each process and
    slice of a step; and a file whose norms were folded into the convolutions would be another network.
    """

    def __init__(
        self, backbone: nn.Module, head: Model, answers: str, dim: int, *, norms_learn: bool = False
    ) -> None:
        super().__init__()
        self.backbone, self.head, self.dim = backbone, head, dim
        self.answers = answers  # the head's output that reads both modalities
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
        seen, pixels = batch.present[:, IMAGE], batch.inputs["image"]
        features = pixels.new_zeros(len(seen), self.dim)
        if seen.any():
            features[seen] = self.backbone(pixels[seen]).to(features.dtype)
        return batch._replace(inputs=batch.inputs | {"image": features})

    def logits(self, batch: Batch) -> Tensor:
        """Return float[B, C]."""
        found: Tensor = self.head(self.featured(batch))[self.answers]
        return found

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss: gradients are averaged over processes only in calls of the whole module.

        It is divided by the largest weight of its terms, so that one learning rate fits all models.
        """
        terms = self.head.terms(self.featured(batch))
        return total(terms) / max(one.weight for one in terms.values())


@dataclass
class Best:
    """The best epoch so far."""

    epoch: int = 0
    score: float = math.nan
    likelihood: float = -math.inf
    merit: float = -math.inf  # by which epochs are compared: the likelihood, or the score of --select
    state: dict[str, Tensor] = field(default_factory=dict, repr=False)


class Steps:
    """Fine-tuning, epoch by epoch: `train`, then `judge`."""

    def __init__(
        self,
        model: Unfrozen,
        backbone: Backbone,
        settings: FinetuneSettings,
        stage: Stage,
        seed: int,
        device: torch.device,
        *,
        gaps: bool,
    ) -> None:
        # `stage`: how the head is trained on frozen features.
        # `gaps`: some posts lack image or text, and a process may then have none in a step.
        self.model, self.backbone, self.settings, self.seed = model, backbone, settings, seed
        self.other_texts = stage.other_texts
        self.sampler = _of_size(stage.sampler, settings.batch)
        self.epoch = self.waited = 0
        self.best = Best()
        self.problem: str | None = None
        self._slices = 1  # a step is computed in so many parts
        self._accelerator = _accelerator(device, gaps)
        self.device: torch.device = self._accelerator.device
        self._loss, self.optimiser = self._accelerator.prepare(model, _optimiser(model, settings, stage))

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
        each = self.sampler.epoch(train.batch, drawer)
        others = self._others(train.batch)
        # A step that would leave a process without a post is left out.
        steps = [rows for rows in each if len(rows) >= world]
        mine = [rows[rank::world] for rows in steps]
        torch.manual_seed(1_000_003 * self.seed + self.epoch + rank)  # dropout
        self.epoch += 1
        self.model.train()
        pixels = pixel_batches(train.images, self.backbone, [rows.tolist() for rows in mine])
        for whole, rows, some in zip(steps, mine, pixels, strict=True):
            # The processes' gradients are averaged: each weighs as much as it has posts.
            posts = _rows(train.batch, rows, some)
            if others is not None:
                drawn = others.draw(drawer)  # [P, g]
                words = train.batch.inputs["words"][drawn.flatten()].unflatten(0, drawn.shape)
                own = others.pattern[rows]
                posts.inputs["other_texts"] = trimmed(words)
                posts.inputs["pattern"] = own.where(others.count[own] > 0, -1)
            loss = self._step(posts, len(rows) * world / len(whole))
            if not math.isfinite(loss):
                self.problem = (
                    f"the loss became NaN or infinite in epoch {self.epoch}: try a smaller learning rate"
                )
                break

    def _others(self, posts: Batch) -> OtherTexts | None:
        return OtherTexts(posts, self.model.head.task, self.other_texts) if self.other_texts else None

    def _step(self, batch: Batch, weight: float) -> float:
        """Take one step and return the loss; once it does not fit the device's memory, in slices."""
        while True:
            try:
                loss = self._slice_by_slice(batch, weight)
                self.optimiser.step()
                return float(self._accelerator.reduce(loss, "mean"))
            except torch.OutOfMemoryError as error:
                size = math.ceil(batch.size / self._slices)
                if size == 1:
                    raise BaselineError(
                        f"{self.device} has not enough memory to train on one post: use --device cpu"
                    ) from error
                self._slices *= 2
                say(f"{self.device} is out of memory: going on with {math.ceil(size / 2)} posts at once")

    def _slice_by_slice(self, batch: Batch, weight: float) -> Tensor:
        """Compute the step's gradients."""
        self.optimiser.zero_grad()
        n = batch.size
        size = math.ceil(n / self._slices)
        total_ = torch.zeros((), device=self.device)
        for at in range(0, n, size):
            part = _sliced(batch, at, at + size).to(self.device)
            last = at + size >= n  # gradients travel between processes once a step
            with nullcontext() if last else self._accelerator.no_sync(self._loss):
                loss = self._loss(part) * (part.size / n)
                self._accelerator.backward(loss * weight)
            total_ += loss.detach()
        return total_

    @torch.no_grad()
    def judge(self, validation: Posts) -> None:
        """Score the network on validation, and keep it if it is the best so far."""
        score, likelihood, selected = self._score(validation)
        merit = likelihood if self.model.head.task.aim.select is None else selected
        if not math.isfinite(likelihood):
            self.problem = (
                f"the validation loss became NaN or infinite in epoch {self.epoch}: "
                "try a smaller learning rate"
            )
        elif merit > self.best.merit:
            state = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}
            self.best, self.waited = Best(self.epoch, score, likelihood, merit, state), 0
        else:
            self.waited += 1

    def _score(self, validation: Posts) -> Judged:
        """Return how the network does on validation, over all processes."""
        rank, world = self._accelerator.process_index, self._accelerator.num_processes
        task, posts = self.model.head.task, validation.batch
        rows = torch.arange(posts.size)[rank::world]
        batches = _cut(rows, math.ceil(self.settings.batch / self._slices))
        pixels = pixel_batches(validation.images, self.backbone, [some.tolist() for some in batches])
        self.model.eval()
        # Every process fills in its own rows of zeros, and the sum is all of them.
        logits = torch.zeros(posts.size, len(task.names), device=self.device)
        for some, images in zip(batches, pixels, strict=True):
            batch = _rows(posts, some, images).to(self.device)
            with self._accelerator.autocast():
                logits[some.to(self.device)] = self.model.logits(batch).float()
        whole = self._accelerator.reduce(logits, "sum").cpu().double()
        return task.judged(whole, posts.target)

    def end(self) -> None:
        """Make the network that of its best epoch, on the CPU."""
        self.model.cpu()
        if self.best.state:
            self.model.load_state_dict(self.best.state)
        self.model.eval()


def _of_size(sampler: Sampler, batch: int) -> Sampler:
    """Return a sampler with other mini-batches; the head's own are for features that are computed once."""
    return replace(sampler, batch=batch) if is_dataclass(sampler) and hasattr(sampler, "batch") else sampler


def _cut(rows: Tensor, size: int) -> list[Tensor]:
    return [rows[at : at + size] for at in range(0, len(rows), size)]


def _rows(batch: Batch, rows: Tensor, pixels: Tensor) -> Batch:
    found = batch.take(rows)
    return found._replace(inputs=found.inputs | {"image": pixels})


def _sliced(batch: Batch, start: int, end: int) -> Batch:
    """Return some posts of a step; the texts of other classes belong to all of them."""
    shared = {name: tensor for name, tensor in batch.inputs.items() if name == "other_texts"}
    own = {name: tensor[start:end] for name, tensor in batch.inputs.items() if name not in shared}
    return batch._replace(inputs={}).slice(start, end)._replace(inputs=own | shared)


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


def _accelerator(device: torch.device, gaps: bool) -> Any:
    accelerate = _accelerate()
    half = device.type == "cuda" and torch.cuda.is_bf16_supported()
    unused = accelerate.DistributedDataParallelKwargs(find_unused_parameters=gaps)
    return accelerate.Accelerator(
        cpu=device.type == "cpu", mixed_precision="bf16" if half else "no", kwargs_handlers=[unused]
    )


def _optimiser(model: Unfrozen, settings: FinetuneSettings, stage: Stage) -> torch.optim.Optimizer:
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
