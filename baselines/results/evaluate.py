"""From the probabilities of each seed to the scores of a row, and from rows to their comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.data.task import LabelMetrics, Task
from baselines.results import statistics
from baselines.results.schema import Figure, Interval, LabelScore, Pair, Scores, Trivial

#: Resamples for the intervals that include the choice of test posts.
RESAMPLES = 2_000


def scores(by_seed: Sequence[Tensor], target: Tensor, groups: NDArray[Any], task: Task) -> Scores:
    """Score each seed's probabilities, float[n, C], against the targets.

    `groups`: the duplicate group of each post, which is resampled as a whole.
    """
    every = torch.stack(list(by_seed))
    named = {name: task.metric(name, every, target) for name in task.titles}
    resampled = statistics.resample(list(named.values()), groups, resamples=RESAMPLES)
    labels = [task.by_label(one, target) for one in by_seed]
    tables = [task.confusion(one, target) for one in by_seed]
    return Scores(
        metrics={name: figure(one) for name, one in zip(named, resampled, strict=True)},
        by_label={name: _label_score([one[name] for one in labels]) for name in task.names},
        confusion={
            row: {column: float(np.mean([one[row][column] for one in tables])) for column in columns}
            for row, columns in tables[0].items()
        },
        collapsed=_collapsed(by_seed, target, task),
    )


def _collapsed(by_seed: Sequence[Tensor], target: Tensor, task: Task) -> tuple[tuple[str, ...], ...]:
    """Return the answer of each seed that has the same for every post, where the posts are not alike."""
    if len(torch.unique(target, dim=0)) < 2:
        return ()
    each = [task.decide(one) for one in by_seed]
    return tuple(tuple(task.labels(one[:1])[0]) for one in each if bool((one == one[:1]).all()))


def figure(one: statistics.Resampled) -> Figure:
    """Return a metric's figure, with its interval over seeds, and that over seeds and test posts."""
    values = tuple(one.scores.tolist())
    over_seeds, sampled = statistics.seed_interval(values), statistics.sampling_interval(one)
    return Figure(
        float(np.mean(values)),
        values,
        interval=Interval(over_seeds.low, over_seeds.high) if over_seeds else None,
        sampled=Interval(sampled.low, sampled.high) if sampled else None,
    )


def _label_score(each: Sequence[LabelMetrics]) -> LabelScore:
    known: Mapping[str, float] = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
    auc = known.get("auc")
    return LabelScore(
        precision=known["precision"],
        recall=known["recall"],
        f1=known["f1"],
        support=round(known["support"]),
        auc=None if auc is None or np.isnan(auc) else auc,
    )


class Sides(NamedTuple):
    """Two rows to compare in a mode: their numbers, and the probabilities of each seed, float[n, C]."""

    first: int
    second: int
    mode: str
    of_first: Sequence[Tensor]
    of_second: Sequence[Tensor]


def compared(sides: Sequence[Sides], target: Tensor, groups: NDArray[Any], task: Task) -> tuple[Pair, ...]:
    """Compare pairs of rows by the task's headline metric.

    Rows of different numbers of seeds (one was given up) have no interval.
    """
    of_rows = {(one.first, one.mode): one.of_first for one in sides}
    of_rows |= {(one.second, one.mode): one.of_second for one in sides}
    metrics = [task.metric(task.headline, torch.stack(list(each)), target) for each in of_rows.values()]
    drawn = statistics.resample(metrics, groups) if metrics else []
    resampled = dict(zip(of_rows, drawn, strict=True))
    found = []
    for one in sides:
        first, second = resampled[one.first, one.mode], resampled[one.second, one.mode]
        result = statistics.compare(first, second) if len(first.scores) == len(second.scores) else None
        found.append(
            Pair(
                first=one.first,
                second=one.second,
                mode=one.mode,
                metric=task.headline,
                difference=float(second.scores.mean() - first.scores.mean()),
                interval=Interval(result.low, result.high) if result else None,
                p=result.p if result else None,
                p_t=statistics.t_test(first.scores, second.scores) if result else None,
            )
        )
    return _corrected(found)


def _corrected(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Return the pairs with p corrected for their number."""
    import msgspec

    corrected = iter(statistics.holm([pair.p for pair in pairs if pair.p is not None]))
    return tuple(
        pair if pair.p is None else msgspec.structs.replace(pair, p_holm=next(corrected)) for pair in pairs
    )


def trivial(train: Tensor, test: Tensor, task: Task) -> Trivial:
    """Return the prediction that reads no post: chosen on training targets, scored on those of the test."""
    title, probabilities = task.trivial(train)
    return Trivial(title, task.scores(probabilities.expand(len(test), -1), test))
