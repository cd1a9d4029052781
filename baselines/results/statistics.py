"""Statistics of a table of models: intervals of its rows, comparisons of pairs of rows, Holm's correction.

A row is S training seeds, each scored on the same n test posts. Near-duplicate posts form groups; a post
without near-duplicates is a group of its own. Seeds and groups are random samples and cross each other
(every seed is scored on every post), so the variance of a mean over seeds has two parts:

    Var(mean) = s²/S + Cov

s² is the variance of the scores over seeds, and Cov is the covariance, due to the sampling of posts, of the
scores of two different seeds. The noise of single answers is in s² already, so it isn't added again. This is
the decomposition of Obuchowski and Rockette (1995) for readers and cases, with seeds as readers and posts as
cases; Hillis (2007) gives its estimators. It holds for metrics that aren't means over posts, too.

`resample` estimates Cov by a bootstrap over groups. `compare` and `sampling_interval` draw deviations of the
mean from two independent bootstraps:

- posts: deviations of the mean over seeds in resamples of the groups, scaled to the variance Cov;
- seeds: deviations of the mean of S seeds drawn with replacement, times sqrt(S / χ²) with χ² of S-1 degrees
  of freedom. Drawn seeds alone have (S-1)/S of the variance and too short tails; the factor corrects the
  variance and gives the tails of Student's t.

A pair of rows is compared on the differences of the scores of equal seeds on equal posts, so effects that
both rows share cancel. `python -m benchmarks.statistics` measures the false-positive rates at 5%: 3 to 7%
with five or ten seeds (but 2% on 100 posts at an accuracy of 95%), 2 to 5% with three. The interval of one
row misses too often where a few large groups hold most posts (14% instead of 5% on 100 posts), or on 100
posts at an accuracy of 95% (8%).

    resampled = resample([post_mean(right_a), post_mean(right_b)], groups)
    sampling_interval(resampled[0])
    compare(resampled[0], resampled[1]).p
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit  # type: ignore[import-untyped]

from baselines.data.metrics import Metric

Floats = NDArray[np.float64]

#: With fewer seeds there is no interval and no p: two seeds say next to nothing about their variance.
LEAST_SEEDS = 3

#: With fewer groups of posts there is no interval and no p: too many resamples are alike, and one post that
#: every seed answers wrongly would read "0 ± 0".
LEAST_GROUPS = 10

RESAMPLES = 10_000

#: 1 - the confidence level of every interval.
ALPHA = 0.05

#: Weights of posts that `resample` holds at once: 32 MB.
_CHUNK = 2**22

#: Two deviations that differ by less are equal: sums of the same numbers in another order differ by 1e-16.
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds and its 95% confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Score of the second row minus score of the first: mean over seeds, 95% interval, two-sided p.

    `p` is at most .05 exactly if the interval excludes 0.
    """

    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """A row's scores on the test posts, float64[S], and on each resample of the posts, float64[B, S].

    `groups`: how many groups the posts form.
    """

    scores: Floats
    draws: Floats
    groups: int

    @property
    def is_enough(self) -> bool:
        """Whether there are enough seeds and groups for an interval."""
        return len(self.scores) >= LEAST_SEEDS and self.groups >= LEAST_GROUPS


def seed_interval(values: Sequence[float]) -> Interval | None:
    """Return the mean of the seeds' scores with Student's 95% interval; None for fewer than three seeds.

    It says how far other seeds would differ on the same test posts.
    """
    seeds = len(values)
    if seeds < LEAST_SEEDS:
        return None
    mean = float(np.mean(values))
    half = float(stdtrit(seeds - 1, 1 - ALPHA / 2) * np.std(values, ddof=1)) / math.sqrt(seeds)
    return Interval(mean, mean - half, mean + half)


def sampling_interval(row: Resampled, *, seed: int = 0) -> Interval | None:
    """Return a row's mean with a 95% interval over seeds and test posts; None where either are too few.

    It says how far other seeds on other posts of the same population would differ: the interval to set
    beside a paper's figure. It is symmetric and isn't clipped to the metric's range.
    """
    if not row.is_enough:
        return None
    mean = float(row.scores.mean())
    half = _half(np.abs(_deviations(row.scores, row.draws, seed)))
    return Interval(mean, mean - half, mean + half)


def compare(first: Resampled, second: Resampled, *, seed: int = 0) -> Comparison | None:
    """Compare two rows by paired bootstrap over seeds and posts; None where either are too few.

    p = (k + 1) / (B + 1), where k of B resamples deviate from the difference by at least its size. Both rows
    must come from one call of `resample` (or from two with equal groups, resamples and seed), and seed s of
    one is paired with seed s of the other. The outcomes of a model without randomness are repeated for each
    seed (`np.broadcast_to`). Raises ValueError where the numbers of seeds or resamples differ.
    """
    if first.draws.shape != second.draws.shape:
        raise ValueError(
            f"resamples and seeds are {first.draws.shape} and {second.draws.shape}: "
            "compare rows of the same seeds, resampled together"
        )
    if not first.is_enough:
        return None
    by_seed = second.scores - first.scores
    difference = float(by_seed.mean())
    size = np.abs(_deviations(by_seed, second.draws - first.draws, seed))
    half = _half(size)
    k = int((size >= abs(difference) - _TIE).sum())
    return Comparison(difference, difference - half, difference + half, (k + 1) / (len(size) + 1))


def t_test(first: Floats, second: Floats) -> float | None:
    """Return the two-sided p of a paired t-test over the scores of S seeds; None where they differ equally.

    What papers report. The test posts count as given, so it is small where `compare` isn't.
    """
    by_seed = second - first
    spread = float(by_seed.std(ddof=1))
    if spread < _TIE:
        return None
    seeds = len(by_seed)
    return float(2 * stdtr(seeds - 1, -abs(float(by_seed.mean())) / (spread / math.sqrt(seeds))))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the given order (Holm 1979).

    The i-th smallest of m, counted from 0, becomes the largest of (m - j)·p_j over j ≤ i, at most 1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p-values lie between 0 and 1, not {list(p_values)}")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted.tolist()


def resample(
    metrics: Sequence[Metric], groups: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Resampled]:
    """Score rows on the test posts and on resamples of their groups, the same resamples for all rows.

    `groups[n]` names each post's group of near-duplicates, or the post where it has none. The draws depend
    on the names, not on the order of the posts. Raises ValueError where a score isn't a finite number.
    """
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng([seed, 0])
    scores = [metric(np.ones((1, len(member)))) for metric in metrics]
    parts: list[list[Floats]] = [[] for _ in metrics]
    most = max(1, _CHUNK // len(member))
    for start in range(0, resamples, most):
        size = min(most, resamples - start)
        drawn = rng.integers(0, len(names), (size, len(names)))
        weights = _tally(drawn, len(names))[:, member]
        for part, metric in zip(parts, metrics, strict=True):
            part.append(metric(weights))
    rows = [
        Resampled(of[0], np.concatenate(part), len(names)) for of, part in zip(scores, parts, strict=True)
    ]
    for number, row in enumerate(rows):
        if not (np.isfinite(row.scores).all() and np.isfinite(row.draws).all()):
            raise ValueError(f"row {number} has scores that aren't finite numbers")
    return rows


def _deviations(scores: Floats, draws: Floats, seed: int) -> Floats:
    """Return deviations of the mean over seeds, float64[B]: see the module's description."""
    seeds, resamples = len(scores), len(draws)
    by_seed = draws - draws.mean(0)
    posts = by_seed.mean(1)
    variance = float(posts.var())
    covariance = max(0.0, (seeds * variance - float(by_seed.var(0).mean())) / (seeds - 1))
    shrink = math.sqrt(covariance / variance) if variance > 0 else 0.0
    rng = np.random.default_rng([seed, 1])
    drawn = _tally(rng.integers(0, seeds, (resamples, seeds)), seeds) / seeds
    widen = np.sqrt(seeds / rng.chisquare(seeds - 1, resamples))
    return shrink * posts + widen * (drawn @ (scores - scores.mean()))


def _half(size: Floats) -> float:
    """Return half the width of the 95% interval: the smallest difference with p > .05."""
    rank = int(ALPHA * (len(size) + 1))  # p = (k + 1) / (B + 1) is at most .05 for k < rank
    if rank < 1:
        raise ValueError(f"{len(size)} resamples are too few for a 95% interval: 19 at least")
    return float(np.partition(size, -rank)[-rank])


def _tally(drawn: NDArray[np.int64], size: int) -> Floats:
    """Return how often each of `size` things was drawn in each row of drawn[b, ...], float64[b, size]."""
    rows = len(drawn)
    flat = (drawn + size * np.arange(rows)[:, None]).ravel()
    return np.bincount(flat, minlength=rows * size).reshape(rows, size).astype(np.float64)
