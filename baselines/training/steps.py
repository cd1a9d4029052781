"""Training a whole network end to end, epoch by epoch, on one device or, through Accelerate, on several.

    steps = Steps(learner, optimiser, Routine(Shuffled(32), epochs=20, rows=64), seed=0, device=device)
    steps.run(train, validation)
    steps.best.epoch, steps.best.state

Each process computes its share of every mini-batch, and the sum of their gradients is that of the whole
mini-batch in one process. So the number of processes changes a network by rounding alone, but for dropout,
which each process draws for its own posts, and batch norms whose statistics learn: each normalises by its own
posts.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from affectory.core.errors import BaselineError
from affectory.core.output import say
from baselines.data.aim import Judged
from baselines.data.batch import Batch, trimmed
from baselines.data.samplers import OtherTexts, Sampler
from baselines.models.base import BestScore, Model, Schedule, StepDecay, Unfinished, total
from baselines.training.checkpoint import save
from baselines.training.epochs import untold
from baselines.training.launch import accelerate

#: The format of the file that a killed run goes on from.
VERSION = 5

#: Learning rates that stay.
STEADY = StepDecay()


class Learner(nn.Module, ABC):
    """A network that is trained as a whole: the loss of a mini-batch, a scalar.

    `head`: the model that answers. `answers`: its output that is judged on validation.
    """

    def __init__(self, head: Model, answers: str) -> None:
        super().__init__()
        self.head, self.answers = head, answers

    @abstractmethod
    def counts(self, posts: Batch, rows: Tensor, more: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return how many of some posts each term of the loss is over. `more`: inputs of these rows."""

    def seen(self, batch: Batch) -> Batch:
        """Return the batch as the head reads it."""
        return batch

    def logits(self, batch: Batch) -> Tensor:
        """Return float[B, C]."""
        found: Tensor = self.head(self.seen(batch))[self.answers]
        return found

    def forward(self, batch: Batch, counts: Mapping[str, Tensor] | None = None) -> Tensor:
        """Return the loss: gradients are summed over processes only in calls of the whole module.

        `counts`: the posts that each term is divided by, where the batch is a part of a step. The loss is
        divided by the largest weight of its terms, so that one learning rate fits all models.
        """
        terms = self.head.terms(self.seen(batch))
        if counts is not None:
            terms = {name: one._replace(posts=counts[name]) for name, one in terms.items()}
        return total(terms) / max(one.weight for one in terms.values())


class Posts(Protocol):
    """Posts that are read a mini-batch at a time; `batch` holds at least what is cheap to read."""

    @property
    def batch(self) -> Batch:
        """All posts."""
        ...

    def read(self, steps: Sequence[Tensor]) -> Iterator[Batch]:
        """Yield the posts of each step, by their rows, with all that the network reads."""
        ...


@dataclass(frozen=True)
class Routine:
    """How a network is trained.

    `rows`: posts at once on validation. `patience`: epochs without a better one before training stops; None:
    all `epochs`. `other_texts`: as of `Stage`. `clip`: as of `Optimiser`. `selects`: the validation score by
    which epochs are compared, where the task's aim selects none; None: the likelihood. `halves`: whether the
    best epoch is kept in half precision.
    """

    sampler: Sampler
    epochs: int
    rows: int
    patience: int | None = None
    other_texts: int = 0
    schedule: Schedule = STEADY
    clip: float | None = None
    selects: BestScore | None = None
    halves: bool = False


@dataclass
class Best:
    """The best epoch so far; in its state, on the CPU, are the parameters, in the main process alone."""

    epoch: int = 0
    score: float = math.nan
    likelihood: float = -math.inf
    merit: float = -math.inf  # by which epochs are compared: the likelihood, or another score
    state: dict[str, Tensor] = field(default_factory=dict, repr=False)


class Steps:
    """The training of a network: `run`, or epoch by epoch `train`, then `judge`."""

    def __init__(
        self,
        model: Learner,
        optimiser: torch.optim.Optimizer,
        routine: Routine,
        seed: int,
        device: torch.device,
        *,
        gaps: bool,
    ) -> None:
        # `gaps`: some parameters get no gradient in some step, or in some process.
        self.model, self.routine, self.seed = model, routine, seed
        self.epoch = self.waited = 0
        self.best = Best()
        self.history: list[float] = []  # the task's headline metric after each epoch
        self.losses: list[tuple[float, float]] = []  # of training and of validation, in each epoch
        self.problem: str | None = None
        self._trained = math.nan  # the mean loss of an epoch's steps
        self._slices = 1  # a step is computed in so many parts
        self._rates = [group["lr"] for group in optimiser.param_groups]
        self._accelerator = _accelerator(device, gaps)
        self.device: torch.device = self._accelerator.device
        self._rank: int = self._accelerator.process_index
        self._world: int = self._accelerator.num_processes
        with warnings.catch_warnings():
            # Newer versions of PyTorch rename an option that older ones know by this name alone.
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
            self._loss, self.optimiser = self._accelerator.prepare(model, optimiser)

    @property
    def over(self) -> bool:
        """Whether training has ended."""
        patience = self.routine.patience
        waited = patience is not None and self.waited >= patience
        return self.epoch >= self.routine.epochs or waited or self.problem is not None

    def run(
        self,
        train: Posts,
        validation: Posts,
        unfinished: Unfinished | None = None,
        tell: Callable[[int], None] = untold,
    ) -> None:
        """Train to the end. With `unfinished`, go on after the last whole epoch of a run that was killed.

        `tell` is called after each epoch.
        """
        if unfinished is not None:
            self._resume(unfinished)
        while not self.over:
            self.train(train)
            if self.problem is None:
                self.judge(validation)
            if unfinished is not None and self._rank == 0:
                self._save(unfinished)
            tell(self.epoch)

    def train(self, train: Posts) -> None:
        """Train for an epoch. Draws depend on seed and epoch alone: a resumed run draws the same."""
        drawer = torch.Generator().manual_seed(1_000_003 * self.seed + self.epoch)
        each = self.routine.sampler.epoch(train.batch, drawer)
        number = self.routine.other_texts
        others = OtherTexts(train.batch, self.model.head.task, number) if number else None
        # A process without a post in a step computes one for nothing: all must take part.
        mine = [rows[self._rank :: self._world] if len(rows) > self._rank else rows[:1] for rows in each]
        torch.manual_seed(1_000_003 * self.seed + self.epoch + self._rank)  # dropout
        done, steps = self.epoch * len(each), self.routine.epochs * len(each)
        self.epoch += 1
        self.model.train()
        losses = []
        for number, (whole, rows, batch) in enumerate(zip(each, mine, train.read(mine), strict=True), done):
            scale = self.routine.schedule.scale(self.epoch - 1, number, steps)
            for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
                group["lr"] = rate * scale
            drawn = others.draw(drawer) if others is not None else None
            batch.inputs.update(_more(train.batch, rows, others, drawn))
            counts = partial(self._counts, train.batch, whole, others, drawn)
            loss = self._step(batch, counts, spare=len(whole) <= self._rank)
            if not math.isfinite(loss):
                self.problem = (
                    f"the loss became NaN or infinite in epoch {self.epoch}: try a smaller learning rate"
                )
                break
            losses.append(loss)
        self._trained = sum(losses) / len(losses) if losses else math.nan
        self._average_statistics()

    def _counts(
        self, posts: Batch, rows: Tensor, others: OtherTexts | None, drawn: Tensor | None
    ) -> dict[str, Tensor]:
        """Return the posts of each term in a whole step, over all processes."""
        return self.model.counts(posts, rows, _more(posts, rows, others, drawn))

    def _step(self, batch: Batch, counts: Callable[[], Mapping[str, Tensor]], *, spare: bool) -> float:
        """Take one step and return the loss; once it does not fit the device's memory, in slices.

        `spare`: the batch is of another process, and counts for nothing here.
        """
        while True:
            try:
                loss = self._slice_by_slice(batch, counts, 0.0 if spare else 1.0)
                break
            except torch.OutOfMemoryError as error:
                size = math.ceil(batch.size / self._slices)
                if size == 1:
                    raise BaselineError(
                        f"{self.device} has not enough memory to train on one post: use --device cpu"
                    ) from error
                if self._world > 1:  # the others wait for gradients, of which some may have been sent
                    raise BaselineError(
                        f"{self.device} has not enough memory to train on {size} posts at once: start more "
                        "processes, or set a smaller batch"
                    ) from error
                self._slices *= 2
                say(f"{self.device} is out of memory: going on with {math.ceil(size / 2)} posts at once")
        if self.routine.clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.routine.clip)
        self.optimiser.step()
        return float(self._accelerator.reduce(loss, "sum"))

    def _slice_by_slice(
        self, batch: Batch, counts: Callable[[], Mapping[str, Tensor]], share: float
    ) -> Tensor:
        """Compute the step's gradients, and return this process's part of the loss."""
        self.optimiser.zero_grad()
        n = batch.size
        size = math.ceil(n / self._slices)
        whole = counts() if size < n or self._world > 1 else None
        found = torch.zeros((), device=self.device)
        for at in range(0, n, size):
            part = _sliced(batch, at, at + size).to(self.device)
            last = at + size >= n  # gradients travel between processes once a step
            with nullcontext() if last else self._accelerator.no_sync(self._loss):
                loss = self._loss(part, whole) * share
                self._accelerator.backward(loss * self._world)  # which are then averaged over processes
            found += loss.detach()
        return found

    def _average_statistics(self) -> None:
        """Give all processes the same statistics of batch norms."""
        if self._world > 1:
            for buffer in self.model.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(self._accelerator.reduce(buffer, "mean"))

    @torch.no_grad()
    def judge(self, validation: Posts) -> None:
        """Score the network on validation, and keep it if it is the best so far."""
        score, likelihood, merit = self._score(validation)
        self.history.append(score)
        self.losses.append((self._trained, -likelihood))
        if not math.isfinite(likelihood):
            self.problem = (
                f"the validation loss became NaN or infinite in epoch {self.epoch}: "
                "try a smaller learning rate"
            )
        elif merit > self.best.merit:
            state = self._kept() if self._rank == 0 else {}
            self.best, self.waited = Best(self.epoch, score, likelihood, merit, state), 0
        else:
            self.waited += 1

    def _kept(self) -> dict[str, Tensor]:
        half = self.routine.halves
        return {
            name: one.detach().to(
                "cpu", torch.half if half and one.is_floating_point() else one.dtype, copy=True
            )
            for name, one in self.model.state_dict().items()
        }

    def _score(self, validation: Posts) -> Judged:
        """Return how the network does on validation, over all processes; `selected` compares epochs."""
        task, posts = self.model.head.task, validation.batch
        rows = torch.arange(posts.size)[self._rank :: self._world]
        parts = list(rows.split(math.ceil(self.routine.rows / self._slices))) if len(rows) else []
        self.model.eval()
        # Every process fills in its own rows of zeros, and the sum is all of them.
        logits = torch.zeros(posts.size, len(task.names), device=self.device)
        for some, batch in zip(parts, validation.read(parts), strict=True):
            with self._accelerator.autocast():
                logits[some.to(self.device)] = self.model.logits(batch.to(self.device)).float()
        whole = self._accelerator.reduce(logits, "sum").cpu().double()
        judged = task.judged(whole, posts.target)
        if task.aim.select is not None or not math.isfinite(judged.likelihood):
            return judged
        own = self.routine.selects
        merit = own.of(task, task.probabilities(whole), posts.target) if own else judged.likelihood
        return judged._replace(selected=merit)

    def _save(self, unfinished: Unfinished) -> None:
        """Write what a later run goes on from, whole or not at all."""
        unfinished.path.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "version": VERSION,
            "mark": unfinished.mark,
            "epoch": self.epoch,
            "waited": self.waited,
            "problem": self.problem,
            "best": vars(self.best),
            "history": self.history,
            "losses": self.losses,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        save(state, unfinished.path)

    def _resume(self, unfinished: Unfinished) -> None:
        """Go on from a file, if it is of this very training; else it is written anew."""
        path = unfinished.path
        if not path.exists():
            return
        try:
            found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            same = (found["version"], found["mark"]) == (VERSION, unfinished.mark)
        except Exception as error:  # no zip, no pickle of ours, other keys: whatever torch says of it
            raise BaselineError(f"{path} is not a checkpoint of an unfinished training: remove it") from error
        if same:
            self.epoch, self.waited, self.problem = found["epoch"], found["waited"], found["problem"]
            self.best, self.history = Best(**found["best"]), found["history"]
            self.losses = found["losses"]
            self.model.load_state_dict(found["model"])
            self.optimiser.load_state_dict(found["optimiser"])


def _more(posts: Batch, rows: Tensor, others: OtherTexts | None, drawn: Tensor | None) -> dict[str, Tensor]:
    """Return the texts of other classes that some posts are given, by their rows `drawn`, int64[P, g]."""
    if others is None or drawn is None:
        return {}
    words = posts.inputs["words"][drawn.flatten()].unflatten(0, drawn.shape)
    own = others.pattern[rows]
    return {"other_texts": trimmed(words), "pattern": own.where(others.count[own] > 0, -1)}


def _sliced(batch: Batch, start: int, end: int) -> Batch:
    """Return some posts of a step; the texts of other classes belong to all of them."""
    shared = {name: tensor for name, tensor in batch.inputs.items() if name == "other_texts"}
    own = {name: tensor[start:end] for name, tensor in batch.inputs.items() if name not in shared}
    return batch._replace(inputs={}).slice(start, end)._replace(inputs=own | shared)


def _accelerator(device: torch.device, gaps: bool) -> Any:
    they = accelerate("training end to end")
    if device.index is not None:
        torch.cuda.set_device(device)  # where Accelerate is given one process, it takes this one
    half = device.type == "cuda" and torch.cuda.is_bf16_supported()
    # Statistics of batch norms are averaged once an epoch, not sent from one process in every step.
    how = they.DistributedDataParallelKwargs(find_unused_parameters=gaps, broadcast_buffers=False)
    return they.Accelerator(
        cpu=device.type == "cpu", mixed_precision="bf16" if half else "no", kwargs_handlers=[how]
    )
