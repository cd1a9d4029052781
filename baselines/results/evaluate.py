"""Scores of predictions: per seed, with intervals over seeds, and between rows over test posts.

The metrics are torchmetrics'. An interval of a mean over seeds is Student's, 95%.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from baselines.data.batch import Batch
from baselines.data.inputs import only
from baselines.results.schema import ClassScore, Figure, Mode, Pair, Scores

#: The modalities that a mode leaves: image, text.
MODES: dict[Mode, tuple[bool, bool]] = {"both": (True, True), "image": (True, False), "text": (False, True)}

#: The modes of models that read one modality: the other's tell nothing.
OF_ONE: dict[str, tuple[Mode, ...]] = {"image": ("both", "image"), "text": ("both", "text")}

RESAMPLES = 10_000


def modes(model: str) -> tuple[Mode, ...]:
    """Return the modes in which a model is scored."""
    return OF_ONE.get(model, tuple(MODES))


@torch.no_grad()
def probabilities(model: nn.Module, batch: Batch, mode: Mode, rows: int = 4096) -> Tensor:
    """Return float32[n, C] of a split in a mode."""
    model.eval()
    batch = only(batch, MODES[mode])
    parts = [
        torch.softmax(model(Batch(*(part[start : start + rows] for part in batch))), -1)
        for start in range(0, len(batch.label), rows)
    ]
    return torch.cat(parts).float().cpu()


def scores(by_seed: Sequence[Tensor], label: Tensor, classes: Sequence[str]) -> Scores:
    """Score each seed's probabilities float[n, C] against int64[n] labels."""
    # It takes seconds: it imports torchvision and SciPy's signals.
    from torchmetrics.functional.classification import (
        multiclass_accuracy,
        multiclass_confusion_matrix,
        multiclass_f1_score,
        multiclass_precision,
        multiclass_recall,
    )

    number = len(classes)
    found: dict[str, list[float]] = {"accuracy": [], "macro": [], "micro": [], "weighted": []}
    per_class: list[NDArray[np.float64]] = []
    confusion = np.zeros((number, number))
    for one in by_seed:
        guess = one.argmax(-1)
        found["accuracy"].append(float(multiclass_accuracy(guess, label, number, average="micro")))
        for average in ("macro", "micro", "weighted"):
            found[average].append(float(multiclass_f1_score(guess, label, number, average=average)))
        measures = (multiclass_precision, multiclass_recall, multiclass_f1_score)
        per_class.append(np.array([m(guess, label, number, average="none").numpy() for m in measures]))
        confusion += multiclass_confusion_matrix(guess, label, number).numpy()
    precision, recall, f1 = np.mean(per_class, 0)
    support = torch.bincount(label, minlength=number).tolist()
    return Scores(
        accuracy=figure(found["accuracy"]),
        f1_macro=figure(found["macro"]),
        f1_micro=figure(found["micro"]),
        f1_weighted=figure(found["weighted"]),
        per_class={
            name: ClassScore(float(precision[i]), float(recall[i]), float(f1[i]), support[i])
            for i, name in enumerate(classes)
        },
        confusion=tuple(tuple(row) for row in (confusion / len(by_seed)).tolist()),
    )


def figure(values: Sequence[float]) -> Figure:
    """Return the mean of seeds' values with Student's 95% interval; of one value, that value."""
    from scipy.stats import t  # type: ignore[import-untyped]

    mean = float(np.mean(values))
    half = 0.0
    if len(values) > 1:
        half = float(t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Figure(mean, mean - half, mean + half, tuple(values))


@dataclass(frozen=True, slots=True)
class Answers:
    """Which posts a row gets right: float[n], the share of its seeds that do."""

    model: str
    right: NDArray[np.float64]


def answers(model: str, by_seed: Sequence[Tensor], label: Tensor) -> Answers:
    """Return how often each post was answered rightly."""
    right = np.mean([(one.argmax(-1) == label).double().numpy() for one in by_seed], 0)
    return Answers(model, right)


def compare(first: Answers, second: Answers, mode: Mode, seed: int = 0) -> Pair:
    """Compare two rows by paired bootstrap over posts: 10,000 resamples of the same posts for both.

    `p` is two-sided: twice the smaller share of resamples on either side of no difference.
    """
    difference = second.right - first.right
    rng = np.random.default_rng(seed)
    n = len(difference)
    means = np.concatenate(
        [difference[rng.integers(0, n, (1000, n))].mean(1) for _ in range(RESAMPLES // 1000)]
    )
    low, high = np.quantile(means, [0.025, 0.975])
    p = min(1.0, 2 * min(float((means <= 0).mean()), float((means >= 0).mean())))
    return Pair(first.model, second.model, mode, float(difference.mean()), float(low), float(high), p)
