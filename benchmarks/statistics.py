"""False-positive rates of the comparison of two rows, and misses of one row's interval, by simulation.

    uv run python -m benchmarks.statistics            (about 17 minutes)
    uv run python -m benchmarks.statistics --quick    (ten seconds; ±4 points)

Two rows with equal expected scores are simulated again and again, and compared at 5%. A rule that holds its
level finds a difference in 5% of the runs. `posts only` averages a post's outcomes over the seeds and
resamples single posts; `new` is `baselines.results.statistics.compare`. `new, 1%` is its rate at p ≤ .01,
where Holm's correction decides. `row` is the share of runs in which the 95% interval of one row
(`sampling_interval`) misses the expected score.

An answer is right where μ + seed + post + row·post + noise > 0; all terms are normal. The variances are 1 for
a post (the same for both rows), .3 for a row on a post, .5 for a row's seed on a post. A seed's effect shifts
all posts; its standard deviation .1 moves an accuracy of 80% by 2 points, .3 by 6. "Common" seed effects of
the two rows correlate with .8. With groups 30% of the groups have 2 to about 20 posts, and nine tenths of the
variance of a post and of a row on a post are the group's. Macro F1 has four classes of 45, 30, 15 and 10%.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from scipy.special import ndtri

from affectory.core.command import finish
from baselines.data.metrics import Metric, additive, f1_macro, outcome_counts, post_mean
from baselines.results import statistics
from baselines.results.statistics import Resampled, resample
from benchmarks._measure import machine, show

Floats = NDArray[np.float64]

#: Standard deviation of a seed's effect: of each row.
Effects = tuple[float, float]

CLASS_SHARES = (0.45, 0.3, 0.15, 0.1)


@dataclass(frozen=True, slots=True)
class Scene:
    """How two rows' outcomes come about."""

    title: str
    seed: Effects = (0.0, 0.0)
    common: float = 0.0  # correlation of the two rows' effects of one seed
    row: float = 0.3  # variance of a row's effect on a post
    accuracy: float = 0.8
    grouped: bool = False
    metric: Literal["accuracy", "macro F1"] = "accuracy"


SCENES = (
    Scene("no seed effect"),
    Scene("no seed effect, same model", row=0.0),
    Scene("seed effect .1", seed=(0.1, 0.1)),
    Scene("seed effect .3", seed=(0.3, 0.3)),
    Scene("common seed effect .3", seed=(0.3, 0.3), common=0.8),
    Scene("one row's seed effect .3", seed=(0.3, 0.0)),
    Scene("groups", grouped=True),
    Scene("groups, seed effect .1", seed=(0.1, 0.1), grouped=True),
    Scene("accuracy 95%, seed effect .1", seed=(0.1, 0.1), accuracy=0.95),
    Scene("accuracy 50%, seed effect .1", seed=(0.1, 0.1), accuracy=0.5),
    Scene("macro F1, seed effect .1", seed=(0.1, 0.1), metric="macro F1"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """Measure false-positive rates by simulation.

    Args:
        seeds: Numbers of seeds.
        posts: Numbers of test posts.
        runs: Simulated pairs of rows of each scene.
        resamples: Resamples of each comparison.
        quick: 100 runs of 5 seeds on 100 posts.
    """

    seeds: tuple[int, ...] = (3, 5, 10)
    posts: tuple[int, ...] = (100, 325, 1000)
    runs: int = 2000
    resamples: int = 1000
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of the runs."""

    posts_only: float  # p ≤ .05
    new: float  # p ≤ .05
    new_strict: float  # p ≤ .01
    missed: float  # one row's interval; NaN for macro F1, whose expected score isn't known


def group_names(posts: int, grouped: bool) -> NDArray[np.int64]:
    """Return each post's group: posts alone, or groups of 1 (70%) and of 2 and more."""
    if not grouped:
        return np.arange(posts)
    rng = np.random.default_rng(5)
    sizes = np.where(rng.random(posts) < 0.7, 1, 1 + rng.geometric(0.25, posts))
    return np.repeat(np.arange(posts), sizes)[:posts]


def right(rng: np.random.Generator, scene: Scene, runs: int, seeds: int, groups: NDArray[np.int64]) -> Floats:
    """Return whether answers are right, 1 or 0: float64[runs, 2, seeds, posts]."""
    posts, number = len(groups), int(groups.max()) + 1
    of_groups = 0.9 if scene.grouped else 0.0

    def of_posts(variance: float, *shape: int) -> Floats:
        alone = rng.normal(0, np.sqrt(variance * (1 - of_groups)), (*shape, posts))
        return alone + rng.normal(0, np.sqrt(variance * of_groups), (*shape, number))[..., groups]

    seed = np.array(scene.seed)[:, None, None] * _seed_effects(rng, scene, (runs, 2, seeds, 1))
    total = 1 + scene.row + 0.5 + np.square(scene.seed)
    shift = (ndtri(scene.accuracy) * np.sqrt(total))[:, None, None]
    latent = shift + seed + of_posts(1, runs, 1, 1) + of_posts(scene.row, runs, 2, 1)
    noise = rng.normal(0, np.sqrt(0.5), (runs, 2, seeds, posts))
    return np.asarray(latent + noise > 0, dtype=np.float64)


def answers(
    rng: np.random.Generator, scene: Scene, runs: int, seeds: int, posts: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return one-hot predictions bool[runs, 2, seeds, posts, C] and targets bool[posts, C]."""
    number = len(CLASS_SHARES)
    target = np.eye(number, dtype=bool)[rng.choice(number, posts, p=CLASS_SHARES)]
    seed = scene.seed[0] * _seed_effects(rng, scene, (runs, 2, seeds, 1, number))
    effects = rng.normal(0, 1, (runs, 1, 1, posts, number))
    effects = effects + rng.normal(0, np.sqrt(scene.row), (runs, 2, 1, posts, number))
    noise = rng.normal(0, np.sqrt(0.5), (runs, 2, seeds, posts, number))
    guess = (2 * target + seed + effects + noise).argmax(-1)
    return np.eye(number, dtype=bool)[guess], target


def _seed_effects(rng: np.random.Generator, scene: Scene, shape: tuple[int, ...]) -> Floats:
    """Return standard normal effects [runs, 2, ...] that correlate between the two rows."""
    both = rng.normal(0, np.sqrt(scene.common), (shape[0], 1, *shape[2:]))
    return both + rng.normal(0, np.sqrt(1 - scene.common), shape)


def posts_only(first: Resampled, second: Resampled) -> float:
    """Return the p of the rule before: twice the smaller share of resamples on either side of 0."""
    draws = (second.draws - first.draws).mean(1)
    return min(1.0, 2 * min(float((draws <= 0).mean()), float((draws >= 0).mean())))


def pairs(metric: Metric, groups: NDArray[np.int64], runs: int, resamples: int, seed: int) -> list[Resampled]:
    """Resample rows whose seeds stand one row after the other in one metric; return the 2·runs rows."""
    (every,) = resample([metric], groups, resamples=resamples, seed=seed)
    rows = zip(np.split(every.scores, 2 * runs), np.split(every.draws, 2 * runs, axis=1), strict=True)
    return [Resampled(*row, every.groups) for row in rows]


def measure(scene: Scene, seeds: int, posts: int, runs: int, resamples: int) -> Rates:
    """Simulate a scene and return its rates."""
    rng = np.random.default_rng([seeds, posts])
    groups, alone = group_names(posts, scene.grouped), np.arange(posts)
    found = []
    together = 20
    for batch in range(-(-runs // together)):
        if scene.metric == "accuracy":
            metric = post_mean(right(rng, scene, together, seeds, groups).reshape(-1, posts))
        else:
            guess, target = answers(rng, scene, together, seeds, posts)
            every = guess.reshape(-1, posts, len(CLASS_SHARES))
            metric = additive(outcome_counts(every, target), f1_macro)
        new = pairs(metric, groups, together, resamples, batch)
        old = pairs(metric, alone, together, resamples, batch) if scene.grouped else new
        for i in range(0, 2 * together, 2):
            compared = statistics.compare(new[i], new[i + 1], seed=batch)
            interval = statistics.sampling_interval(new[i], seed=batch)
            assert compared is not None and interval is not None
            missed = not interval.low <= scene.accuracy <= interval.high
            p = posts_only(old[i], old[i + 1])
            found.append([p <= 0.05, compared.p <= 0.05, compared.p <= 0.01, missed])
    shares = np.mean(found, 0)
    if scene.metric != "accuracy":
        shares[3] = np.nan
    return Rates(*shares.tolist())


def main(options: Options, scenes: Sequence[Scene] = SCENES) -> int:
    """Print the tables; return the exit code."""
    if options.quick:
        options = replace(options, seeds=(5,), posts=(100,), runs=100, resamples=500)
    began = time.perf_counter()
    print(machine())
    for seeds in options.seeds:
        rows = []
        for scene in scenes:
            for posts in options.posts:
                rates = measure(scene, seeds, posts, options.runs, options.resamples)
                shares = (rates.posts_only, rates.new, rates.new_strict, rates.missed)
                cells = ["" if np.isnan(share) else 100 * share for share in shares]
                rows.append([scene.title, posts, *cells])
        margin = 196 * np.sqrt(0.05 * 0.95 / options.runs)
        show(
            f"False-positive rates in percent, {seeds} seeds",
            ["scene", "posts", "posts only", "new", "new, 1%", "row"],
            rows,
            f"{options.runs:,} runs, {options.resamples:,} resamples each. "
            f"A rate of 5% is measured to ±{margin:.1f} (95%).",
        )
    print(f"{time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(finish(lambda: main(tyro.cli(Options, description=__doc__))))
