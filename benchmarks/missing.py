"""Joint and common space fusion without an image or a text: both presets, with a mask and with zeros.

    uv run python -m benchmarks.missing                                  corpora 8 to 15 of the sandbox
    uv run python -m benchmarks.missing --titles reddit-emotion-text     a release's titles, generated images

Duong et al. 2017, Table 5: joint fusion loses much more accuracy than common space fusion if posts have one
modality; with the image alone it falls to 35.83%. The paper doesn't say how a missing modality enters the
model. The table shows what each preset and each way give here; it doesn't explain the paper's figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from baselines import experiment
from baselines.data.batch import MODES, Mode
from baselines.results import published
from benchmarks._corpora import POSTS, TESTED_ON, Drawn, Floats, drawn, right, titled, train
from benchmarks._measure import machine, show

MODELS = ("joint", "common")


def lost(answers: Mapping[Mode, Floats]) -> Floats:
    """Return what is lost by the mean of both inputs alone, float32[n]."""
    return answers["both"] - (answers["image"] + answers["text"]) / 2


def interval(differences: Floats) -> tuple[float, float]:
    """Return the 95% bootstrap interval of a mean over posts."""
    rng = np.random.default_rng(0)
    means = [differences[rng.integers(0, len(differences), len(differences))].mean() for _ in range(2000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def answered(
    corpora: Sequence[Drawn], settings: Mapping[str, Any], seeds: Sequence[int]
) -> dict[str, dict[Mode, Floats]]:
    """Return for each model and mode the share of seeds that is right about each test post of all corpora."""
    found: dict[str, dict[Mode, list[Floats]]] = {model: {mode: [] for mode in MODES} for model in settings}
    for made in corpora:
        networks = train(made, settings, seeds)
        for model, by_mode in found.items():
            for mode, each in by_mode.items():
                each.append(right(made, [one for one in networks[model] if not one.problem], mode))
    return {
        model: {mode: np.concatenate(each) for mode, each in by_mode.items()}
        for model, by_mode in found.items()
    }


def main(
    titles: str | None = None,
    datasets: Path = Path("datasets"),
    seeds: int = 3,
    corpora: int = len(TESTED_ON),
    posts: int = POSTS,
) -> None:
    """Compare the presets and ways without one input.

    Args:
        titles: A release of texts; without one, corpora of the sandbox.
        datasets: Where releases are.
        seeds: Seeds of each model.
        corpora: How many corpora, from the eighth.
        posts: Posts of each corpus.
    """
    made = [titled(titles, datasets)] if titles else [drawn(one, posts) for one in list(TESTED_ON)[:corpora]]
    rows = []
    for preset in (published.OURS, "duong2017"):
        base = experiment.chosen(MODELS, published.preset(preset, "reddit-emotion"), {})
        for missing in ("mask", "zero"):
            settings = {model: replace(one, missing=missing) for model, one in base.items()}  # type: ignore[call-arg]
            found = answered(made, settings, range(seeds))
            for model, by_mode in found.items():
                cells = [100 * float(by_mode[mode].mean()) for mode in MODES]
                rows.append([preset, missing, model, *cells, 100 * float(lost(by_mode).mean())])
            less = lost(found["joint"]) - lost(found["common"])
            low, high = interval(less)
            told = f"{100 * less.mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
            print(f"{preset}, {missing}: joint loses {told} points more than common", flush=True)
    print(machine(), f"torch {torch.__version__}")
    what = titles or f"{len(made)} corpora of {posts} posts"
    show(
        f"Accuracy in percent, {what}, {seeds} seeds",
        ["preset", "missing", "model", "both", "image only", "text only", "lost"],
        rows,
        "lost: both, less the mean of image only and text only",
    )


if __name__ == "__main__":
    tyro.cli(main)
