"""Scores by the rate at which posts lost a modality, and the area under them.

    mixed(by_mode, present, reads, trivial)    # one answer a post, by what the model can read of it
    weights((0, 0.5, 1))                       # (0.25, 0.5, 0.25): the area is a mean score

The area is a weighted sum of the scores at the rates. So are its resamples, whatever the metric: all scores
are resampled together, on the same posts.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.data.batch import MODES, Mode
from baselines.data.task import Task
from baselines.results import evaluate, statistics
from baselines.results.schema import Figure, Interval
from baselines.results.statistics import Resampled


def mixed(
    by_mode: Mapping[Mode, Tensor], present: NDArray[np.bool_], reads: Sequence[str], trivial: Tensor
) -> Tensor:
    """Return a probability for each post, float[n, C], in the mode of what a model can read of it.

    `by_mode`: its probabilities in each of its modes, float[n, C]. `present`: whether a post has image and
    text, bool[n, 2]. A post of which it can read nothing gets the trivial prediction, float[C].
    """
    readable = present & np.array([modality in reads for modality in ("image", "text")])
    found = trivial.to(torch.float32).repeat(len(present), 1)
    for mode, wanted in MODES.items():
        rows = torch.from_numpy(np.flatnonzero((readable == np.array(wanted)).all(1)))
        if len(rows):
            found[rows] = by_mode[mode][rows].to(found.dtype)
    return found


def weights(rates: Sequence[float]) -> tuple[float, ...]:
    """Return the weight of each rate in the area by the trapezoidal rule, divided by the range of the rates.

    `rates` ascend; there are two at least.
    """
    gaps = np.diff(np.asarray(rates, np.float64))
    halves = np.append(gaps, 0) + np.insert(gaps, 0, 0)
    return tuple((halves / 2 / gaps.sum()).tolist())


Row = TypeVar("Row", bound=Hashable)


@dataclass(frozen=True)
class Scores(Generic[Row]):
    """Scores of several rows on the same test posts, by a key of the caller's: figures, and resamples.

    `resampled`: of the headline metric. `trivial`: that of the prediction that reads no post.
    """

    figures: Mapping[Row, dict[str, Figure]]
    resampled: Mapping[Row, Resampled]
    trivial: Resampled

    @classmethod
    def of(
        cls,
        rows: Mapping[Row, Sequence[Tensor]],
        trivial: Tensor,
        target: Tensor,
        groups: NDArray[np.int64],
        task: Task,
    ) -> Scores[Row]:
        """Score rows: probabilities of each seed, float[n, C]. `groups`: of near-duplicates, int64[n]."""
        whole = trivial.expand(len(target), -1).to(torch.float32)
        stacked = {key: torch.stack(list(by_seed)) for key, by_seed in rows.items()}
        metrics = [task.metric(task.headline, one, target) for one in (*stacked.values(), whole[None])]
        *each, last = statistics.resample(metrics, groups, resamples=evaluate.RESAMPLES)
        resampled = dict(zip(stacked, each, strict=True))
        figures = {}
        for key, one in stacked.items():
            others = {name: task.metric(name, one, target) for name in task.titles if name != task.headline}
            ones = np.ones((1, len(target)))
            found = {name: _without_resamples(metric(ones)[0].tolist()) for name, metric in others.items()}
            own = {task.headline: evaluate.figure(resampled[key])}
            figures[key] = {name: (own | found)[name] for name in task.titles}
        return cls(figures, resampled, last)

    def area(self, keys: Sequence[Row | None], rates: Sequence[float], seeds: int) -> Figure:
        """Return the area under a line of rows, one a rate; None is a gap, where the trivial row counts."""
        constant = np.broadcast_to(self.trivial.scores, (seeds,))
        draws = np.broadcast_to(self.trivial.draws, (len(self.trivial.draws), seeds))
        trivial = Resampled(constant, draws, self.trivial.groups)
        each = [trivial if key is None else self.resampled[key] for key in keys]
        shares = weights(rates)
        return evaluate.figure(
            Resampled(
                np.sum([share * one.scores for share, one in zip(shares, each, strict=True)], axis=0),
                np.sum([share * one.draws for share, one in zip(shares, each, strict=True)], axis=0),
                trivial.groups,
            )
        )


def _without_resamples(values: Sequence[float]) -> Figure:
    over_seeds = statistics.seed_interval(values)
    interval = Interval(over_seeds.low, over_seeds.high) if over_seeds else None
    return Figure(float(np.mean(values)), tuple(values), interval)
