"""Stochastic gradient descent as `torch.optim.SGD` defines it, for steps of two milliseconds.

The library's class costs a quarter of a millisecond a step, half a one where gradients are sparse, and its
first call imports torch's compiler, which takes each process more than a second. The mathematics are the
library's own function.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.sgd import sgd


class Sgd:
    """Steps of one learning rate. A sparse gradient knows neither momentum nor decay.

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
