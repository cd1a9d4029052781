"""Probes: a logistic regression on the features of frozen networks.

The protocol of a linear probe is that of Radford et al. 2021, Learning Transferable Visual Models From
Natural Language Supervision, section 3.2 and appendix A.3: scikit-learn's regression by L-BFGS, its penalty
chosen on validation. Features have norm 1 here, so that the same four values of C fit all networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from baselines.data.batch import IMAGE, TEXT, Batch, Modality
from baselines.data.inputs import Data
from baselines.data.task import Task
from baselines.models.base import Fitted, Model, Spec
from baselines.models.today.regression import Posts, RegressionSettings, check, readable, search


class Probe(Model):
    """A linear layer on features of norm 1, one input beside the other. float[B, D] each -> float[B, C].

    `columns`: the inputs, each with its column of `present`. A missing modality is zeros: without any only
    the bias remains.
    """

    def __init__(self, task: Task, columns: Mapping[str, int], width: int) -> None:
        super().__init__(task)
        self.columns = dict(columns)
        self.last = nn.Linear(width, len(task.names))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        return {"y": self.last(beside(batch, self.columns).to(self.last.weight.dtype))}


def beside(batch: Batch, columns: Mapping[str, int]) -> Tensor:
    """Return the features of all inputs side by side, float64[B, D], each normalised, zeros where missing."""
    return torch.cat(
        [
            nn.functional.normalize(batch.inputs[name].double(), dim=-1) * batch.present[:, column, None]
            for name, column in columns.items()
        ],
        -1,
    )


def probe(name: str, title: str, inputs: Mapping[str, Modality]) -> Spec:
    """Return the spec of a probe of these inputs, each with its modality."""
    columns = {one: {"image": IMAGE, "text": TEXT}[modality] for one, modality in inputs.items()}
    reads: tuple[Modality, ...] = tuple(inputs.values())

    def build(task: Task, encoders: Mapping[str, Any], settings: RegressionSettings) -> Probe:
        return Probe(task, columns, sum(encoders[one].width for one in inputs))

    def fit(
        data: Data, settings: RegressionSettings, seeds: Sequence[int], device: torch.device
    ) -> list[Fitted]:
        each = []
        for posts in (data.train, data.validation):
            posts = posts.take(readable(posts, reads))
            each.append(Posts(beside(posts, columns).numpy(), posts.target))
        train, validation = each
        check(name, reads, train.target, validation.target, data.task)
        layer = search(train, validation, data.task, settings)
        state = {"last.weight": layer.weight, "last.bias": layer.bias}
        return layer.for_seeds(seeds, {key: torch.from_numpy(one).float() for key, one in state.items()})

    return Spec(
        name=name,
        title=lambda settings: title,
        reads=reads,
        inputs=tuple(inputs),
        settings=RegressionSettings,
        build=build,
        fit=fit,
        cost=2,
        seeds_together=True,
    )
