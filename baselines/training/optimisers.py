"""The optimisers of a stage of training, by parameter groups.

Adam and AdamW are PyTorch's. `Sgd` calls the library's own function: its class costs a quarter of a
millisecond a step, half of one where gradients are sparse, and its first call imports torch's compiler, which
takes each process more than a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from baselines.models.base import Group, Optimiser


class Steps:
    """The optimisers of all groups; `step` updates every parameter and forgets the gradients."""

    def __init__(self, optimisers: Iterable[tuple[Any, float]]) -> None:
        self._optimisers = list(optimisers)  # each with its learning rate

    def step(self, scale: float = 1.0) -> None:
        """Take a step, at `scale` times the learning rates."""
        for optimiser, lr in self._optimisers:
            if isinstance(optimiser, Sgd):
                optimiser.lr = lr * scale
                optimiser.step()
                continue
            for group in optimiser.param_groups:
                group["lr"] = lr * scale
            optimiser.step()
            optimiser.zero_grad()


def optimiser_of(
    wanted: Optimiser, parameters: Mapping[str, Tensor], embeddings: Mapping[str, nn.Embedding]
) -> Steps:
    """Return the optimisers of the parameters, by name. Those of a group with rate 0 are frozen.

    The gradients of `embeddings` become sparse where SGD has neither momentum nor weight decay for them.
    """
    groups: dict[Group, list[Tensor]] = {}
    rest = Group("", wanted.lr, wanted.weight_decay)
    for name, parameter in parameters.items():
        own = next((group for group in wanted.groups if group.part in name), rest)
        parameter.requires_grad_(own.lr > 0)
        momentum = wanted.momentum if own is rest else 0.0
        if name in embeddings:
            embeddings[name].sparse = wanted.kind == "sgd" and not momentum and not own.weight_decay
        if own.lr > 0:
            groups.setdefault(own, []).append(parameter)
    made: list[tuple[Any, float]] = []
    for group, mine in groups.items():
        if wanted.kind == "sgd":
            momentum = wanted.momentum if group is rest else 0.0
            made.append(
                (Sgd(mine, lr=group.lr, momentum=momentum, weight_decay=group.weight_decay), group.lr)
            )
        else:
            kind = torch.optim.Adam if wanted.kind == "adam" else torch.optim.AdamW
            made.append((kind(mine, lr=group.lr, weight_decay=group.weight_decay), group.lr))
    return Steps(made)


class Sgd:
    """Stochastic gradient descent, for one learning rate. A sparse gradient knows neither momentum nor decay.

    v ← momentum · v + (∇ + weight_decay · w), w ← w − lr · v.
    """

    def __init__(
        self, parameters: Iterable[Tensor], *, lr: float, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        self.parameters = list(parameters)
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self._moving: dict[int, Tensor | None] = {}

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter against its gradient, and forget the gradients."""
        dense: dict[int, Tensor] = {}
        for number, parameter in enumerate(self.parameters):
            gradient, parameter.grad = parameter.grad, None
            if gradient is not None and gradient.is_sparse:
                place = tuple(gradient._indices())  # those of `indices()` would be sorted first
                parameter.index_put_(place, gradient._values() * -self.lr, accumulate=True)
            elif gradient is not None:
                dense[number] = gradient
        moving = [self._moving.get(number) for number in dense]
        sgd(
            [self.parameters[number] for number in dense],
            list(dense.values()),
            moving,
            foreach=False,
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            lr=self.lr,
            dampening=0,
            nesterov=False,
            maximize=False,
        )
        self._moving.update(zip(dense, moving, strict=True))
