"""Training a whole network of `transformers` (Accelerate, the extra `finetune`).

    best = train(model, data.train, data.validation, Recipe(lr=2e-5, batch=64, epochs=5), seed=0, device=cpu)
    model.load_state_dict(best.state)

The epoch with the best validation score is kept, in half precision and in main memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from affectory.encoders.image.network import state_digest
from baselines.data.batch import Batch
from baselines.data.samplers import Shuffled
from baselines.models.base import BestScore, Fitted, Model, Schedule, Unfinished
from baselines.training import launch
from baselines.training.epochs import untold
from baselines.training.steps import STEADY, Best, Learner, Routine, Steps

#: Posts that are run at once outside training.
ROWS = 64

MACRO_F1 = BestScore("f1_macro")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained: AdamW, which without weight decay is Adam.

    `weight_decay`: of weights but for biases and norms. `clip`: as of `Optimiser`. `selects`: the validation
    score by which the epoch is chosen, where the task's aim selects none; None: the likelihood.
    """

    lr: float
    batch: int
    epochs: int
    weight_decay: float = 0.0
    schedule: Schedule = STEADY
    clip: float | None = None
    selects: BestScore | None = None


@dataclass
class Trained:
    """The best epoch, its parameters in half precision (none if no epoch had a finite loss), and by epoch the
    task's headline metric and the losses."""

    best: Best
    history: tuple[float, ...]
    losses: tuple[tuple[float, float], ...]

    @property
    def state(self) -> dict[str, Tensor]:
        """The parameters of the best epoch."""
        return {name.removeprefix("head."): one for name, one in self.best.state.items()}


def train(
    model: Model,
    train: Batch,
    validation: Batch,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    unfinished: Unfinished | None = None,
    tell: Callable[[int], None] = untold,
) -> Trained:
    """Train a model on the labelled posts, by its loss for image and text together (the head "y").

    Several processes that were started together train it together. With `unfinished`, a run that was killed
    goes on after its last whole epoch, to the same end. `tell` is called with each epoch that has ended.
    """
    work = partial(_train, model, train, validation, recipe, seed, device, unfinished, tell)
    launch.call(work)
    return work()


def fitted(
    model: Model,
    found: Trained,
    validation: Batch,
    seed: int,
    device: torch.device,
    *,
    note: str,
    encoders: Mapping[str, Any],
    problem: str,
) -> Fitted:
    """Return the network of the best epoch, judged on validation posts in the precision of a checkpoint.

    `problem`: what is said if no epoch had a finite loss.
    """
    if not (state := found.state):
        return Fitted(seed, {}, 0, float("nan"), float("-inf"), problem)
    model.load_state_dict(state)
    model.to(device).eval()
    with torch.inference_mode():
        logits = model(validation.to(device))["y"].double().cpu()
    score, likelihood, selected = model.task.judged(logits, validation.target)
    return Fitted(
        seed,
        state,
        found.best.epoch,
        score,
        likelihood,
        note=note,
        history=found.history,
        losses=found.losses,
        encoders=encoders,
        selected=selected,
    )


def _train(
    model: Model,
    train: Batch,
    validation: Batch,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    unfinished: Unfinished | None,
    tell: Callable[[int], None],
) -> Trained:
    if unfinished is not None:
        unfinished = replace(unfinished, mark=f"{unfinished.mark} {recipe!r} {state_digest(model)}")
    routine = Routine(
        Shuffled(recipe.batch),
        recipe.epochs,
        rows=ROWS,
        schedule=recipe.schedule,
        clip=recipe.clip,
        selects=recipe.selects,
        halves=True,
    )
    learner = _Whole(model, "y")
    # Some networks have parameters that their pooled vector doesn't depend on.
    steps = Steps(learner, _optimiser(model, recipe), routine, seed, device, gaps=True)
    steps.run(_Stored(train), _Stored(validation), unfinished, tell)
    return Trained(steps.best, tuple(steps.history), tuple(steps.losses))


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    every = list(model.parameters())
    groups = [
        {"params": [one for one in every if one.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [one for one in every if one.ndim < 2], "weight_decay": 0.0},  # biases and norms
    ]
    return torch.optim.AdamW(groups, lr=recipe.lr)


class _Whole(Learner):
    """A model whose loss has one term, over the labelled posts."""

    def counts(self, posts: Batch, rows: Tensor, more: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return how many of the posts are labelled."""
        return {self.answers: posts.labelled[rows].sum()}


@dataclass(frozen=True)
class _Stored:
    """Posts with all that the network reads."""

    batch: Batch

    def read(self, steps: Sequence[Tensor]) -> Iterator[Batch]:
        """Yield the posts of each step."""
        return (self.batch.take(rows) for rows in steps)
