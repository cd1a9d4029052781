"""Metrics of a row of a table: S seeds' predictions of the same n posts, with any weights of the posts.

A `Metric` takes weights, float64[b, n], and returns scores, float64[b, S]: weights of 1 give the metric
itself, the tallies of a bootstrap its scores on resamples (`results.statistics`).

    accuracy = post_mean(right)                                        # right[S, n]
    macro = additive(outcome_counts(predicted, target), f1_macro)
    accuracy(np.ones((1, n)))[0]                                       # float64[S]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: Takes the weights of the posts, float64[b, n], and returns the scores, float64[b, S].
Metric = Callable[[Floats], Floats]


def post_mean(outcomes: ArrayLike) -> Metric:
    """Return the metric "mean over posts" of outcomes[S, n]: accuracy, if 1 is right and 0 wrong."""
    by_post = np.ascontiguousarray(np.asarray(outcomes, dtype=np.float64).T)

    def metric(weights: Floats) -> Floats:
        return (weights @ by_post) / weights.sum(1, keepdims=True)

    return metric


def additive(stats: ArrayLike, finish: Callable[[Floats], Floats]) -> Metric:
    """Return a metric that is a function of sums over posts.

    `stats[S, n, ...]` is summed over the posts; `finish` turns sums[b, S, ...] into scores[b, S]. Macro F1:
    `additive(outcome_counts(predicted, target), f1_macro)`.
    """
    values = np.asarray(stats, dtype=np.float64)
    seeds, posts, *rest = values.shape
    by_post = np.ascontiguousarray(np.moveaxis(values, 1, 0)).reshape(posts, -1)

    def metric(weights: Floats) -> Floats:
        return finish((weights @ by_post).reshape(len(weights), seeds, *rest))

    return metric


def outcome_counts(predicted: NDArray[Any], target: NDArray[Any]) -> Floats:
    """Return each post's true positives, false positives, false negatives and true negatives, [S, n, C, 4].

    `predicted[S, n, C]` and `target[n, C]` are indicators: one-hot for single-label tasks.
    """
    guess, true = np.asarray(predicted, dtype=bool), np.asarray(target, dtype=bool)
    return np.stack([guess & true, guess & ~true, ~guess & true, ~guess & ~true], -1).astype(np.float64)


def recall_macro(sums: Floats) -> Floats:
    """Return the mean recall over the classes that occur among the targets: balanced accuracy."""
    true, _, missed, _ = np.moveaxis(sums, -1, 0)
    support = true + missed
    recall = true / np.where(support > 0, support, 1)
    return recall.sum(-1) / np.maximum((support > 0).sum(-1), 1)


def f1_macro(sums: Floats) -> Floats:
    """Return the mean F1 over the classes that occur among the targets or predictions.

    `sums[..., C, 4]` is the sum of `outcome_counts`. torchmetrics leaves out absent classes as well.
    """
    true, false, missed, _ = np.moveaxis(sums, -1, 0)
    occurs = true + false + missed > 0
    return _f1(true, false, missed).sum(-1) / np.maximum(occurs.sum(-1), 1)


def f1_micro(sums: Floats) -> Floats:
    """Return the F1 of all classes' counts together; in single-label tasks the accuracy."""
    true, false, missed, _ = np.moveaxis(sums.sum(-2), -1, 0)
    return _f1(true, false, missed)


def f1_weighted(sums: Floats) -> Floats:
    """Return the mean F1 over classes, weighted by their numbers of positive posts."""
    true, false, missed, _ = np.moveaxis(sums, -1, 0)
    return _weighted(_f1(true, false, missed), true + missed)


def f1_both_sides(sums: Floats) -> Floats:
    """Return MAMI's score: per label the mean F1 of its positive and negative side, weighted by positives.

    SemEval-2022 task 5, sub-task B. A side with no true positive scores 0.
    """
    true, false, missed, rejected = np.moveaxis(sums, -1, 0)
    both = (_f1(true, false, missed) + _f1(rejected, missed, false)) / 2
    return _weighted(both, true + missed)


def auc(probability: ArrayLike, target: ArrayLike) -> Metric:
    """Return the area under the ROC curve, mean over labels, of probability[S, n, C] against target[n, C].

    Ties count half. A label that has no positive or no negative post in a resample is left out of its mean;
    where no label has both, the area is .5.
    """
    score, true = np.asarray(probability, dtype=np.float64), np.asarray(target, dtype=bool)
    labels = range(true.shape[1])

    def metric(weights: Floats) -> Floats:
        by_post = np.ascontiguousarray(weights.T)
        areas = np.array([[_area(one[:, c], true[:, c], by_post) for c in labels] for one in score])
        defined = ~np.isnan(areas)
        number = defined.sum(1)
        return np.where(number > 0, np.where(defined, areas, 0).sum(1) / np.maximum(number, 1), 0.5).T

    return metric


def _area(score: Floats, true: NDArray[np.bool_], weights: Floats) -> Floats:
    """Return the area under one ROC curve for weights[n, b], float64[b]; NaN if a side is empty."""
    negatives = np.flatnonzero(~true)
    negatives = negatives[np.argsort(score[negatives])]
    lower = np.zeros((len(negatives) + 1, weights.shape[1]))  # [i]: the weight of the i lowest negatives
    np.cumsum(weights[negatives], axis=0, out=lower[1:])
    below, not_above = (np.searchsorted(score[negatives], score[true], side) for side in ("left", "right"))
    positive = weights[true]
    won = np.einsum("pb,pb->b", positive, lower[below] + lower[not_above]) / 2
    pairs = positive.sum(0) * lower[-1]
    return won / np.where(pairs > 0, pairs, np.nan)


def _f1(true: Floats, false: Floats, missed: Floats) -> Floats:
    """Return 2·tp / (2·tp + fp + fn), and 0 of nothing."""
    whole = 2 * true + false + missed
    return 2 * true / np.where(whole > 0, whole, 1)


def _weighted(values: Floats, weights: Floats) -> Floats:
    """Return the weighted mean over the last axis, and 0 where all weights are 0."""
    whole = weights.sum(-1)
    return (values * weights).sum(-1) / np.where(whole > 0, whole, 1)
