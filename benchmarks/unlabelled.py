"""RAW-N-COOK with and without CROM-AE, which learns from unlabelled posts, at shares of the labels.

    uv run python -m benchmarks.unlabelled          corpora 8 to 15 of the sandbox

Trained with the paper's settings on posts with an image, of which a share keeps its label; each seed draws
its own. Features are 256 random ones of pictures and 256 random projections of the words of titles. Intervals
and p are those of a run's table: a bootstrap over seeds and test posts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor

from affectory.encoders.text.bag_of_words import BagOfWords
from affectory.encoders.text.frozen import FrozenText
from baselines import experiment
from baselines.data import inputs, subsets
from baselines.data.batch import Batch
from baselines.data.encoders import Images
from baselines.data.inputs import Data
from baselines.data.release import SPLITS
from baselines.results.schema import Condition
from baselines.training import trainer
from baselines.training.checkpoint import Checkpoint
from baselines.training.trainer import Ask
from benchmarks._compared import HEAD, Line, Outcomes, lines
from benchmarks._corpora import POSTS, TASK, TESTED_ON, Drawn, drawn
from benchmarks._measure import machine, show

WITHOUT, WITH = "raw_n_cook_no_crom_ae", "raw_n_cook"

#: The width of both modalities' features.
WIDTH = 256


def features(made: Drawn) -> dict[str, Batch]:
    """Return the posts of each split with features of their pictures and of their titles."""
    bag = BagOfWords.fit(made.release.parts["train"].texts.tolist())
    mixing = np.random.default_rng(0).normal(0, 1, (bag.width, WIDTH))
    found = {}
    for split in SPLITS:
        part = made.release.parts[split]
        words = bag.encode(part.texts.tolist())
        told = words @ mixing / np.sqrt(words.sum(1, keepdims=True).clip(1))
        given = {
            "pair_image": torch.from_numpy(made.images.of(part)[:, :WIDTH].copy()),
            "pair_text": torch.from_numpy(told.astype(np.float16)),
        }
        found[split] = inputs.batch(part, {})._replace(inputs=given)
    return found


def outcomes(made: Drawn, share: float, seeds: Sequence[int]) -> dict[str, Outcomes]:
    """Train both models on a share of the labels; return by model whether each network is right, [S, n]."""
    split = features(made)
    text = FrozenText("made-up", "made-up", "mean", "features", 77, WIDTH, "made-up-0-0", "nowhere")
    encoders = {"pair_image": Images(WIDTH), "pair_text": text}
    settings = experiment.chosen((WITHOUT, WITH), {}, {})
    texts = {name: made.release.parts[name].texts.tolist() for name in ("train", "validation")}
    with tempfile.TemporaryDirectory() as folder:
        asks = []
        for seed in seeds:
            mask = subsets.drawn_labels(made.release, share, seed, stratified=True)
            labelled = subsets.with_labels(made.release, mask).parts["train"].labelled
            train = split["train"]._replace(labelled=torch.from_numpy(labelled))
            data = Data(TASK, train, split["validation"], encoders, texts)
            condition = Condition(labelled=share)
            asks.append(
                Ask(data, settings, (seed,), Path(folder), {}, torch.device("cpu"), condition=condition)
            )
        each = trainer.train_many(asks)
    test = split["test"]

    def right(one: Checkpoint) -> Tensor:
        logits = one.logits(lambda network: test, "both")
        return TASK.decide(TASK.probabilities(logits)) == test.target

    return {
        model: torch.stack([right(one) for of_seed in each for one in of_seed[model]]).double().numpy()
        for model in (WITHOUT, WITH)
    }


def measured(
    numbers: Sequence[int], posts: int, seeds: int, ratios: Sequence[float]
) -> dict[tuple[str, float], Outcomes]:
    """Train both models on each corpus at each share of the labels; return outcomes by model and share."""
    found: dict[tuple[str, float], list[Outcomes]] = {}
    for number in numbers:
        made = drawn(number, posts)
        for ratio in ratios:
            for model, right in outcomes(made, ratio, range(seeds)).items():
                found.setdefault((model, ratio), []).append(right)
    return {key: np.concatenate(each, 1) for key, each in found.items()}


def main(
    seeds: int = 5,
    corpora: int = len(TESTED_ON),
    posts: int = POSTS,
    ratios: tuple[float, ...] = (0.3, 0.1, 0.05),
) -> None:
    """Compare RAW-N-COOK with and without CROM-AE.

    Args:
        seeds: Seeds of each model.
        corpora: How many corpora, from the eighth.
        posts: Posts of each corpus.
        ratios: Shares of the labels.
    """
    print(machine(), f"torch {torch.__version__}")
    whole = measured(list(TESTED_ON)[:corpora], posts, seeds, ratios)
    show(
        f"Accuracy in percent without and with CROM-AE, {corpora} corpora of {posts} posts, {seeds} seeds",
        ["labelled", *HEAD],
        lines([Line(f"{100 * one:g}%", whole[WITHOUT, one], whole[WITH, one]) for one in ratios]),
    )


if __name__ == "__main__":
    tyro.cli(main)
