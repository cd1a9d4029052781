"""Training of the neural models: SGD on features that are computed once, early stopping on validation.

A split is one `Batch` that lives on the device; a step takes rows of it by their numbers. Seeds that are
given together are trained together (`stack.py`): on a GPU all of them, on a CPU one a process (`jobs.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from baselines import models
from baselines.data.batch import PADDING, TEXT, Batch
from baselines.settings import Settings
from baselines.training.sgd import Sgd
from baselines.training.stack import Stack

#: What the mean log-likelihood of validation must gain, in nats, for an epoch to count as a better one.
BETTER = 0.005

#: Rows of which logits are computed at once.
CHUNK = 4096


class Data(NamedTuple):
    """What a model is trained on. `vectors`: float[V, d], the words' first ones."""

    train: Batch
    validation: Batch
    vectors: Tensor
    classes: int

    def to(self, device: torch.device) -> Data:
        """Return the same on a device."""
        train, validation = (Batch(*(t.to(device) for t in part)) for part in (self.train, self.validation))
        return Data(train, validation, self.vectors.to(device), self.classes)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network: the parameters of its best epoch, and how it did there on validation."""

    seed: int
    state: dict[str, Tensor] = field(repr=False)
    epoch: int
    accuracy: float
    likelihood: float  # mean log-likelihood, nats
    problem: str | None = None  # why it was given up; the state is then empty


def fit(
    name: str,
    data: Data,
    settings: Settings,
    seeds: Sequence[int],
    device: torch.device,
    tell: Callable[[int], None] = lambda epoch: None,
) -> list[Fitted]:
    """Train a model for each seed. The same seed gives the same network on one device, alone or with others
    up to rounding and dropout's draws. A seed whose loss becomes NaN or infinite stops; the others continue.
    """
    stack = Stack([new(name, data, settings, seed).to(device) for seed in seeds])
    data = data.to(device)
    values, rate = stack.parameters(), settings.lr * stack.first.pace
    # The words' gradients are sparse, which knows neither momentum nor decay.
    words = Sgd([value for name, value in values.items() if "lookup" in name], lr=rate * settings.word_rate)
    others = Sgd(
        [value for name, value in values.items() if "lookup" not in name],
        lr=rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    drawers = [torch.Generator().manual_seed(seed) for seed in seeds]
    torch.manual_seed(seeds[0])
    best: list[Fitted | None] = [None] * len(seeds)
    waited, problems = [0] * len(seeds), [""] * len(seeds)
    for epoch in range(1, settings.epochs + 1):
        stack.train(True)
        orders = torch.stack([torch.randperm(len(data.train.label), generator=g) for g in drawers])
        for start in range(0, orders.shape[1], settings.batch):
            rows = orders[:, start : start + settings.batch].to(device)
            posts = take(data.train, rows)
            drawn = negatives(posts.label, posts.present[..., TEXT], stack.first.negatives_per_post, drawers)
            loss = stack.losses(posts, drawn)
            loss.sum().backward()
            words.step()
            others.step()
        stack.train(False)
        accuracies, likelihoods = _score(stack, data.validation)
        for i, seed in enumerate(seeds):
            if problems[i] or waited[i] >= settings.patience:
                continue
            known = best[i]
            if not math.isfinite(likelihoods[i]):
                problems[i] = f"its loss became NaN or infinite in epoch {epoch}: try a smaller learning rate"
            elif known is None or likelihoods[i] > known.likelihood + BETTER:
                best[i] = Fitted(seed, stack.state(i), epoch, accuracies[i], likelihoods[i])
                waited[i] = 0
            else:
                waited[i] += 1
        tell(epoch)
        if all(p or w >= settings.patience for p, w in zip(problems, waited, strict=True)):
            break
    return [_ended(b, seed, p) for b, seed, p in zip(best, seeds, problems, strict=True)]


def _ended(best: Fitted | None, seed: int, problem: str) -> Fitted:
    if best is None:
        return Fitted(seed, {}, 0, math.nan, -math.inf, problem)
    return best if not problem else Fitted(seed, {}, best.epoch, best.accuracy, best.likelihood, problem)


def new(name: str, data: Data, settings: Settings, seed: int) -> models.Classifier:
    """Return a model before any training, with the scale and the centre of the training posts."""
    torch.manual_seed(seed)
    model = models.make(name, data.train.image.shape[1], data.vectors, data.classes, settings)
    model.measure(data.train)
    return model


def take(batch: Batch, rows: Tensor) -> Batch:
    """Return some posts of a batch: int64[…] numbers give fields of shape […, …].

    No more padding is kept than they need.
    """
    found = Batch(*(part.index_select(0, rows.flatten()).unflatten(0, rows.shape) for part in batch))
    return found._replace(tokens=trimmed(found.tokens))


def trimmed(tokens: Tensor) -> Tensor:
    """Cut off the padding that all texts share: one long title would make every step as slow as itself."""
    longest = int((tokens != PADDING).any(tuple(range(tokens.ndim - 1))).sum())
    return tokens[..., : max(1, longest)]


def negatives(label: Tensor, with_text: Tensor, number: int, drawers: Sequence[torch.Generator]) -> Tensor:
    """Draw, for each post of a step, posts of it whose texts are of other classes.

    `label`: int64[S, B]. `with_text`: bool[S, B]. Returns places in the step, int64[S, B, number]; -1 where
    there is none to draw.
    """
    if not number:
        return label.new_zeros((*label.shape, 0))
    other = (label.unsqueeze(-1) != label.unsqueeze(-2)) & with_text.unsqueeze(-2)
    upto = other.cumsum(-1)
    most = upto[..., -1:]
    share = torch.stack([torch.rand((label.shape[1], number), generator=g) for g in drawers])
    nth = (share.to(label.device) * most).long() + 1
    return torch.searchsorted(upto, nth).where(most > 0, -1)


def _score(stack: Stack, batch: Batch) -> tuple[list[float], list[float]]:
    """Return each network's accuracy and mean log-likelihood."""
    logs = torch.log_softmax(logits(stack, batch), -1)
    right = (logs.argmax(-1) == batch.label).double().mean(-1)
    likelihood = logs[:, torch.arange(len(batch.label)), batch.label].double().mean(-1)
    return right.tolist(), likelihood.tolist()


def logits(stack: Stack, batch: Batch) -> Tensor:
    """Return float[S, n, C] logits of a whole split."""
    parts = [
        stack.logits(Batch(*(part[start : start + CHUNK] for part in batch)))
        for start in range(0, max(1, len(batch.label)), CHUNK)
    ]
    return torch.cat(parts, 1)
