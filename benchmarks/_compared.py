"""Compare classifiers on equal test posts, as a run's table does: a bootstrap over seeds and posts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.data.metrics import post_mean
from baselines.results import statistics

#: Whether a network is right about each test post of all corpora, by seed: float64[S, n].
Outcomes = NDArray[np.float64]

#: The columns of `lines`, after the name.
HEAD = ("first", "second", "difference", "95% interval", "p", "Holm's p")


def difference(first: Outcomes, second: Outcomes) -> tuple[float, statistics.Comparison | None]:
    """Return the accuracy of the second less that of the first, in points, and its comparison."""
    groups = np.arange(first.shape[1])
    one, other = statistics.resample([post_mean(first), post_mean(second)], groups, resamples=2000)
    return 100 * float(second.mean() - first.mean()), statistics.compare(one, other)


@dataclass(frozen=True)
class Line:
    """A comparison: its name, both outcomes."""

    name: str
    first: Outcomes
    second: Outcomes


def lines(compared: Sequence[Line]) -> list[list[Any]]:
    """Return the lines of a table: both accuracies, the difference, its interval, p, and p after Holm's."""
    each = [difference(one.first, one.second) for one in compared]
    corrected = iter(statistics.holm([found.p for _, found in each if found]))
    return [
        [
            one.name,
            100 * one.first.mean(),
            100 * one.second.mean(),
            f"{points:+.1f}",
            f"{100 * found.low:+.1f} to {100 * found.high:+.1f}" if found else "–",
            f"{found.p:.4f}" if found else "–",
            f"{next(corrected):.4f}" if found else "–",
        ]
        for one, (points, found) in zip(compared, each, strict=True)
    ]
