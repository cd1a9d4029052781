"""The multitask model of Pagé Fortin and Chaib-draa 2019 beside its single-task parts, and with fewer pairs.

    uv run python -m benchmarks.unpaired          corpora 8 to 15 of the sandbox

Trained on the pairs of each corpus with our defaults, which were not chosen on these corpora. The first table
compares classifiers on equal test posts (their Table 2); the second trains on a share of the pairs, alone and
with the other pairs' halves (their Figure 3). Intervals and p are those of a run's table: a bootstrap over
seeds and test posts. Holm's p is corrected for all comparisons of both tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import tyro

from baselines import experiment
from baselines.data import inputs, subsets
from baselines.data.batch import Mode
from baselines.data.release import Release
from baselines.models import registry
from baselines.training.checkpoint import Checkpoint
from benchmarks._compared import HEAD, Line, Outcomes, lines
from benchmarks._corpora import POSTS, TESTED_ON, Drawn, drawn, train
from benchmarks._measure import machine, show

#: What is compared: the second minus the first, each a model in a mode.
COMPARED: tuple[tuple[str, str, Mode], ...] = (
    ("sm", "cv_ct_cm", "image"),
    ("sm", "cv_ct_cm", "text"),
    ("si", "cv_ct_cm", "image"),
    ("st", "cv_ct_cm", "text"),
    ("sm", "cv_ct_cm", "both"),
    ("l_fus", "cv_ct_cm", "both"),
)


def outcomes(made: Drawn, networks: Sequence[Checkpoint], mode: Mode) -> Outcomes:
    """Return whether each network is right about each test post, float64[S, n]."""
    task, target = made.release.task, torch.from_numpy(made.test.target)
    each = [task.decide(task.probabilities(one.logits(made.posts, mode))) == target for one in networks]
    return torch.stack(each).double().numpy()


def with_posts(made: Drawn, release: Release) -> Drawn:
    """Return a corpus with other training posts."""
    data = inputs.prepare(release, tuple(made.data.encoders), {"image": made.images})
    return replace(made, release=release, data=data)


def at_share(
    made: Drawn, share: float, unpaired: bool, settings: Mapping[str, Any], seeds: Sequence[int]
) -> Outcomes:
    """Return how the multitask model does that is trained on a share of the pairs, a draw for each seed."""
    found = []
    for seed in seeds:
        mask = subsets.drawn_pairs(made.release, share, seed)
        posts = with_posts(made, subsets.with_pairs(made.release, mask, unpaired=unpaired))
        networks = train(posts, {"cv_ct_cm": settings["cv_ct_cm"]}, (seed,))["cv_ct_cm"]
        found.append(outcomes(posts, networks, "both"))
    return np.concatenate(found)


@dataclass(frozen=True)
class Measured:
    """The outcomes by model and mode, and those of Cm by share of the pairs and whether others were read."""

    whole: dict[tuple[str, Mode], Outcomes]
    fewer: dict[tuple[float, bool], Outcomes]


def measured(
    models: Sequence[str], numbers: Sequence[int], posts: int, seeds: int, shares: Sequence[float]
) -> Measured:
    """Train the models on each corpus, and the multitask model on shares of its pairs."""
    settings = experiment.chosen(models, {}, {})
    whole: dict[tuple[str, Mode], list[Outcomes]] = {}
    fewer: dict[tuple[float, bool], list[Outcomes]] = {}
    for number in numbers:
        made = drawn(number, posts)
        networks = train(made, settings, range(seeds))
        for model, trained in networks.items():
            for mode in registry.spec(model).modes:
                whole.setdefault((model, mode), []).append(outcomes(made, trained, mode))
        for share in shares:
            for unpaired in (False, True):
                done = at_share(made, share, unpaired, settings, range(seeds))
                fewer.setdefault((share, unpaired), []).append(done)
    return Measured(
        {row: np.concatenate(each, 1) for row, each in whole.items()},
        {row: np.concatenate(each, 1) for row, each in fewer.items()},
    )


def main(
    seeds: int = 3,
    corpora: int = len(TESTED_ON),
    posts: int = POSTS,
    shares: tuple[float, ...] = (0.01, 0.05, 0.25),
) -> None:
    """Compare the classifiers.

    Args:
        seeds: Seeds of each model.
        corpora: How many corpora, from the eighth.
        posts: Posts of each corpus.
        shares: Shares of the pairs of the second table.
    """
    print(machine(), f"torch {torch.__version__}")
    models = [model for model in registry.selected(["multitask"]) if registry.spec(model).settings]
    found = measured(models, list(TESTED_ON)[:corpora], posts, seeds, shares)
    table = [
        Line(
            f"{_named(second, mode)} − {_named(first, mode)}",
            found.whole[first, mode],
            found.whole[second, mode],
        )
        for first, second, mode in COMPARED
    ]
    curve = [
        Line(f"Cm on {100 * share:g}% of the pairs", found.fewer[share, False], found.fewer[share, True])
        for share in shares
    ]
    told = lines([*table, *curve])
    show(
        f"Accuracy in percent, {corpora} corpora of {posts} posts, {seeds} seeds",
        ["second − first", *HEAD],
        told[: len(table)],
    )
    show("Pairs alone (first), and with the other pairs' halves (second)", ["", *HEAD], told[len(table) :])


def _named(model: str, mode: Mode) -> str:
    return registry.spec(model).names.get(mode, model)


if __name__ == "__main__":
    tyro.cli(main)
