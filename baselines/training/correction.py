"""What a model of image and text answers to a post that has only one of them.

Such a post is a vector that the classifier has never been trained on, and its answers may be worse than those
of a prediction that reads no post. So each mode's logits are corrected by what validation posts say once the
other modality is taken away:

    z' = log π + s (z − z̄) / σ + b

π are the shares of the classes in training; z̄ is the mean of the logits and σ their standard deviation. Scale
s and shift b minimise the negative log-likelihood plus |b|² / 2, which is temperature scaling with a bias
(Alexandari, Kundaje and Shrikumar 2020) in each mode. Where the mean log-likelihood isn't higher than that of
π by `MARGIN` standard errors of the difference, the modality tells nothing that can be relied on: s and b are
0, and the answer is the training shares.

    found = learnt(task, train_target, logits, target)
    found(logits)  # float64[n, C]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.data.task import Task

#: By how many standard errors the likelihood must be higher than that of the training shares; chosen on
#: generated posts (docs/performance.md).
MARGIN = 2.5

#: Keeps the shares of a class that training never has above 0.
TINY = 1e-4

#: The fewest validation posts that a scale can be learnt from.
LEAST = 10


@dataclass(frozen=True, slots=True)
class Correction:
    """z' = `scale` · z + `shift`, for the logits of one mode. `shift` has a value for each class or label."""

    scale: float
    shift: tuple[float, ...]

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the corrected logits, float[n, C]."""
        return self.scale * logits + torch.tensor(self.shift, dtype=logits.dtype, device=logits.device)


def learnt(task: Task, train: Tensor, logits: Tensor, target: Tensor) -> Correction:
    """Return the correction of a mode.

    `train`: the targets of the labelled training posts. `logits`, float[n, C], and `target`: those of the
    validation posts that have the modality. Of fewer than `LEAST` posts, or logits that are all alike or not
    finite, only the training shares are left.
    """
    classes = len(task.names)
    prior = _minimum(
        lambda b: task.losses(b.expand(len(train), -1), train).sum() + TINY * b.square().sum(), classes
    )
    z = logits.double()
    centre, spread = z.mean(0), (z - z.mean(0)).square().mean().sqrt()
    if len(z) < LEAST or not bool(torch.isfinite(z).all()) or not bool(spread > 0):
        return Correction(0.0, tuple(prior.tolist()))
    z = (z - centre) / spread

    def corrected(values: Tensor) -> Tensor:
        return prior + values[0] * z + values[1:]

    def penalised(values: Tensor) -> Tensor:
        return task.losses(corrected(values), target).sum() + values[1:].square().sum() / 2

    best = _minimum(penalised, 1 + classes)
    gain = task.losses(prior.expand(len(z), -1), target) - task.losses(corrected(best), target)
    if best[0] <= 0 or not bool(gain.mean() > MARGIN * gain.std() / len(gain) ** 0.5):
        return Correction(0.0, tuple(prior.tolist()))
    scale = best[0] / spread
    return Correction(float(scale), tuple((prior + best[1:] - scale * centre).tolist()))


def _minimum(loss: Callable[[Tensor], Tensor], number: int) -> Tensor:
    """Return the minimum of a convex function of `number` values, float64, by L-BFGS from zeros."""
    values = torch.zeros(number, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([values], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        found = loss(values)
        found.backward()
        return found

    with torch.enable_grad():
        optimiser.step(closure)
    return values.detach()
