"""The optimisers of a stage of training, by parameter groups.

`Sgd` and `Adam` call PyTorch's own functions. Its classes import torch's compiler, which takes each process
seconds, and SGD's costs a quarter of a millisecond a step, half of one where gradients are sparse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from baselines.models.base import Group, Optimiser

#: Adam's ε.
EPS = 1e-8


class Steps:
    """The optimisers of all groups; `step` updates every parameter and forgets the gradients."""

    def __init__(self, optimisers: Iterable[Sgd | Adam]) -> None:
        self._optimisers = [(one, one.lr) for one in optimisers]

    def step(self, scale: float = 1.0) -> None:
        """Take a step, at `scale` times the learning rates."""
        for optimiser, lr in self._optimisers:
            optimiser.lr = lr * scale
            optimiser.step()


def optimiser_of(
    wanted: Optimiser, parameters: Mapping[str, Tensor], embeddings: Mapping[str, nn.Embedding]
) -> Steps:
    """Return the optimisers of the parameters, by name. Those of a group with rate 0 are frozen.

    The gradients of `embeddings` become sparse where they have no weight decay and aren't clipped, and the
    optimiser is SGD without momentum, or lazy Adam.
    """
    for group in wanted.groups:
        assert any(group.part in name for name in parameters), f"no parameter is named {group.part!r}"
    groups: dict[Group, list[Tensor]] = {}
    rest = Group("", wanted.lr, wanted.weight_decay)
    for name, parameter in parameters.items():
        own = next((group for group in wanted.groups if group.part in name), rest)
        parameter.requires_grad_(own.lr > 0)
        momentum = wanted.momentum if own is rest else 0.0
        if name in embeddings:
            by_row = wanted.lazy if wanted.kind != "sgd" else not momentum
            embeddings[name].sparse = by_row and not own.weight_decay and wanted.clip is None
        if own.lr > 0:
            groups.setdefault(own, []).append(parameter)
    made: list[Sgd | Adam] = []
    for group, mine in groups.items():
        if wanted.kind == "sgd":
            momentum = wanted.momentum if group is rest else 0.0
            made.append(Sgd(mine, lr=group.lr, momentum=momentum, weight_decay=group.weight_decay))
        else:
            decoupled = wanted.kind == "adamw"
            made.append(
                Adam(
                    mine,
                    lr=group.lr,
                    weight_decay=group.weight_decay,
                    decoupled=decoupled,
                    betas=wanted.betas,
                )
            )
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


class Adam:
    """Adam (Kingma and Ba 2015), for one learning rate; `decoupled` decay is AdamW's.

    ε = 1e-8. A sparse gradient moves the numbers that it names alone, as
    `torch.optim.SparseAdam` does. The dense step is PyTorch's fused one: a fifth of the time on a CPU.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        lr: float,
        weight_decay: float = 0.0,
        decoupled: bool = False,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        self.parameters = list(parameters)
        self.lr, self.weight_decay, self.decoupled, self.betas = lr, weight_decay, decoupled, betas
        self._moments: dict[int, tuple[Tensor, Tensor, Tensor]] = {}  # first, second, number of steps

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient, and forget the gradients."""
        held: dict[int, Tensor] = {}
        for number, parameter in enumerate(self.parameters):
            gradient, parameter.grad = parameter.grad, None
            if gradient is None:
                continue
            if number not in self._moments:
                first, second = torch.zeros_like(parameter), torch.zeros_like(parameter)
                self._moments[number] = first, second, torch.zeros((), device=parameter.device)
            if gradient.is_sparse:
                self._lazy(parameter, gradient.coalesce(), *self._moments[number])
            else:
                held[number] = gradient
        moments = [self._moments[number] for number in held]
        adam(
            [self.parameters[number] for number in held],
            list(held.values()),
            [first for first, _, _ in moments],
            [second for _, second, _ in moments],
            [],
            [steps for _, _, steps in moments],
            fused=True,
            decoupled_weight_decay=self.decoupled,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.lr,
            weight_decay=self.weight_decay,
            eps=EPS,
            maximize=False,
        )

    def _lazy(
        self, parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor, steps: Tensor
    ) -> None:
        """Update the moments and the numbers that a sparse gradient names, and no others."""
        place, values = tuple(gradient.indices()), gradient.values()
        steps += 1
        taken = float(steps)
        beta1, beta2 = self.betas
        mean = first[place].lerp_(values, 1 - beta1)
        square = second[place].mul_(beta2).addcmul_(values, values, value=1 - beta2)
        first[place], second[place] = mean, square
        rate = self.lr * (1 - beta2**taken) ** 0.5 / (1 - beta1**taken)
        parameter[place] += (mean / square.sqrt_().add_(EPS)).mul_(-rate)
