"""The logistic regression of all linear rows: scikit-learn's, with C chosen on validation.

    layer = search(train, validation, task, RegressionSettings())
    layer.logits(features)  # float64[n, C]

One label a post: multinomial. Several: a regression for each label, one against the rest. It minimises the
negative log-likelihood, summed over posts (each times its weight), plus ‖W‖² / 2C, by L-BFGS from zeros:
there is no random part.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectory.core.errors import BaselineError
from baselines.data.batch import IMAGE, TEXT, Batch, Modality
from baselines.data.task import Task
from baselines.models.base import Fitted
from baselines.models.settings import ModelSettings, setting

#: The candidates of C.
CANDIDATES = (0.3, 1.0, 3.0, 10.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RegressionSettings(ModelSettings):
    """scikit-learn's settings, under its own names."""

    C: float | None = setting(
        None, "inverse of the penalty's weight; none: .3, 1, 3 or 10, by validation likelihood", above=0
    )
    max_iter: int = setting(1000, "iterations of L-BFGS at most", least=1)


class Posts(NamedTuple):
    """Features, float64[n, D], a NumPy array or a sparse matrix of SciPy, and the targets of n posts."""

    features: Any
    target: Tensor


@dataclass(frozen=True)
class Layer:
    """A trained linear layer. `converged`: whether L-BFGS ended; the last three are those of `Judged`."""

    weight: Floats  # [C, D]
    bias: Floats  # [C]
    penalty: float  # scikit-learn's C
    converged: bool
    score: float = float("nan")
    likelihood: float = float("-inf")
    selected: float = float("nan")

    def logits(self, features: Any) -> Floats:
        """Return float64[n, C]."""
        found: Floats = np.asarray(features @ self.weight.T) + self.bias
        return found

    def for_seeds(
        self, seeds: Sequence[int], state: dict[str, Tensor], encoders: Mapping[str, Any] | None = None
    ) -> list[Fitted]:
        """Return the network once for each seed: all are the same."""
        note = (
            f"a logistic regression with C = {self.penalty:g}, without a random part: all seeds are one fit"
        )
        if not self.converged:
            note += "; L-BFGS had not converged, raise max_iter"
        return [
            Fitted(
                seed,
                state,
                0,
                self.score,
                self.likelihood,
                note=note,
                encoders=encoders,
                selected=self.selected,
            )
            for seed in seeds
        ]


def readable(posts: Batch, reads: Sequence[Modality]) -> Tensor:
    """Return the rows, int64[k], of the labelled posts that have a modality the model reads."""
    columns = [{"image": IMAGE, "text": TEXT}[modality] for modality in reads]
    return (posts.labelled & posts.present[:, columns].any(-1)).nonzero().flatten()


def check(model: str, reads: Sequence[Modality], train: Tensor, validation: Tensor, task: Task) -> None:
    """Raise `BaselineError` for the targets of readable posts from which no regression can be made."""
    what = " or ".join(f"{'an' if modality == 'image' else 'a'} {modality}" for modality in reads)
    if not len(validation):
        raise BaselineError(f"{model}: no labelled validation post has {what}: leave {model} out of --models")
    hot = task.hot(train) if len(train) else np.zeros((0, len(task.names)), np.bool_)
    for name, held in zip(task.names, hot.T, strict=True):
        if not held.any():
            raise BaselineError(
                f"{model}: no training post of {name!r} has {what}: leave {model} out of --models, or the "
                "class out of the recipe"
            )
        if held.all():
            raise BaselineError(
                f"{model}: every training post with {what} is {name!r}, so there is nothing to tell apart: "
                f"leave {model} out of --models"
            )


def search(train: Posts, validation: Posts, task: Task, settings: RegressionSettings) -> Layer:
    """Return the regression whose C gives validation the highest likelihood, the smallest C of equal ones.

    Where the task's aim selects another score, the one with the highest of that.
    """

    def merit(one: Layer) -> float:
        return one.likelihood if task.aim.select is None else one.selected

    found = None
    for penalty in CANDIDATES if settings.C is None else (settings.C,):
        one = _judged(fit(train, task, penalty, settings.max_iter), validation, task)
        if found is None or merit(one) > merit(found):
            found = one
    assert found is not None
    return found


def fit(train: Posts, task: Task, penalty: float, iterations: int) -> Layer:
    """Train with one C. Every class must occur, and of several labels every label with posts on both sides.

    Of two classes scikit-learn has one row of weights w: the layer has -w/2 and w/2, the same probabilities.
    """
    target, found = train.target.numpy(), task.weights(train.target)
    shares: list[Any] = [None] * len(task.names) if found is None else list(found.double().numpy().T)
    if task.kind == "single":
        weight, bias, converged = _regression(train.features, target, shares[0], penalty, iterations)
        if len(weight) == 1:
            weight, bias = (np.concatenate([-one / 2, one / 2]) for one in (weight, bias))
        return Layer(weight, bias, penalty, converged)
    rows = [
        _regression(train.features, column, share, penalty, iterations)
        for column, share in zip(target.T, shares, strict=True)
    ]
    weights, biases, ends = zip(*rows, strict=True)
    return Layer(np.concatenate(weights), np.concatenate(biases), penalty, all(ends))


def _regression(
    features: Any, target: Any, shares: Floats | None, penalty: float, iterations: int
) -> tuple[Floats, Floats, bool]:
    """Return weights, float64[rows, D], bias, float64[rows], and whether L-BFGS converged.

    `shares`: the weight of each post's loss, float64[n]; None: all alike.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(), threadpool_limits(1):  # other processes train on the other cores
        warnings.simplefilter("ignore", ConvergenceWarning)  # a note of the row says so
        done = LogisticRegression(C=penalty, max_iter=iterations).fit(features, target, shares)
    return done.coef_, done.intercept_, bool((done.n_iter_ < iterations).all())


def _judged(layer: Layer, validation: Posts, task: Task) -> Layer:
    logits = torch.from_numpy(layer.logits(validation.features))
    judged = task.judged(logits, validation.target)
    return Layer(layer.weight, layer.bias, layer.penalty, layer.converged, *judged)
