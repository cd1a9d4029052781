"""Networks of one shape, a seed each, as one: what a GPU trains side by side.

With one network nothing is stacked, and the word vectors' gradients are sparse: what a CPU is best at.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from baselines.data.batch import Batch
from baselines.models.duong2017.parts import Classifier


class _Objective(nn.Module):
    """The loss as a module's call, for `functional_call`."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, negatives: Tensor) -> Tensor:
        return self.model.loss(batch, negatives)


class Stack:
    """S networks. Their parameters and batches have a first dimension of S."""

    def __init__(self, models: Sequence[Classifier]) -> None:
        self.size = len(models)
        self.first = models[0]
        self._objective = _Objective(self.first)
        self._stacked: dict[str, Tensor] = {}
        self._buffers: dict[str, Tensor] = {}
        if self.size > 1:
            self._stacked, self._buffers = stack_module_state([_Objective(model) for model in models])
            self._objective = copy.deepcopy(self._objective).to("meta")
        for module in self._objective.modules():
            if isinstance(module, nn.Embedding):
                module.sparse = self.size == 1

    def parameters(self) -> dict[str, Tensor]:
        """Return what is trained, by name."""
        return self._stacked or dict(self._objective.named_parameters())

    def losses(self, batch: Batch, negatives: Tensor) -> Tensor:
        """Return each network's loss on its own batch, float[S]."""
        if self.size == 1:
            first = Batch(*(part[0] for part in batch))
            return torch.atleast_1d(self._objective(first, negatives[0]))

        def one(values: dict[str, Tensor], buffers: dict[str, Tensor], *inputs: Tensor) -> Tensor:
            arguments = (Batch(*inputs[:-1]), inputs[-1])
            found: Tensor = functional_call(self._objective, (values, buffers), arguments)
            return found

        return torch.vmap(one, randomness="different")(self._stacked, self._buffers, *batch, negatives)

    @torch.no_grad()
    def logits(self, batch: Batch) -> Tensor:
        """Return each network's logits for the same batch, float[S, B, C]. Call it in evaluation mode."""
        model = self._objective.model
        if self.size == 1:
            return model(batch).unsqueeze(0)

        def one(values: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
            inside = {name.removeprefix("model."): value for name, value in (values | buffers).items()}
            found: Tensor = functional_call(model, inside, (batch,))
            return found

        return torch.vmap(one)(self._stacked, self._buffers)

    def train(self, on: bool) -> None:
        """Switch dropout on or off."""
        self._objective.train(on)

    def state(self, number: int) -> dict[str, Tensor]:
        """Return a copy of one network's parameters and buffers, on the CPU."""
        if self.size == 1:
            found = self.first.state_dict()
        else:
            every = self._stacked | self._buffers
            found = {name.removeprefix("model."): value[number] for name, value in every.items()}
        return {name: value.detach().cpu().clone() for name, value in found.items()}
