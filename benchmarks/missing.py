"""Joint and common space fusion without an image or a text, at two learning rates of the embeddings.

    uv run python -m benchmarks.missing                                  eight corpora of the sandbox
    uv run python -m benchmarks.missing --titles reddit-emotion-text     a release's titles, generated images

In Duong et al. 2017, Table 5, joint fusion loses much more accuracy than common space fusion if posts have
one modality. Here this depends on the learning rate of the embeddings (`Settings.word_rate`): at the rate of
the other parameters the image branch fits first, and both models are weak on text alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from PIL import Image

from baselines.data import inputs
from baselines.data import release as data
from baselines.data.inputs import Inputs, only
from baselines.data.release import SPLITS, Part, Release
from baselines.settings import Settings
from baselines.training import loop as train
from benchmarks._measure import machine
from collectors.sandbox.generated import pictures
from collectors.sandbox.generated.corpus import Corpus

CLASSES = ("joy", "fear", "anger", "disgust")
MODES = {"both": (True, True), "image": (True, False), "text": (False, True)}
CORPORA, POSTS, WIDTH = range(8), 2000, 1024

Floats = NDArray[np.float32]


def drawn(seed: int, posts: int = POSTS) -> Inputs:
    """Return posts of a corpus of the sandbox: random features of their pictures, and their titles."""
    shown = [post for post in Corpus(seed=seed, posts=posts).posts if post.images]
    pixels = np.stack([_pixels(post.images[0]) for post in shown])
    pixels = (pixels - pixels.mean(0)) / pixels.std(0)
    mixing = np.random.default_rng(0).normal(0, pixels.shape[1] ** -0.5, (pixels.shape[1], WIDTH))
    labels = np.array([CLASSES.index(post.label) for post in shown])
    fold = np.random.default_rng(0).permutation(len(shown)) % 10
    dealt = {"train": fold > 3, "validation": fold == 3, "test": fold < 3}
    features = np.maximum(pixels @ mixing, 0)
    return _made(CLASSES, dealt, np.array([post.title for post in shown], object), labels, features)


def _pixels(picture: Any) -> Floats:
    small = pictures.draw(picture.key, picture.cue, (96, 72)).resize((16, 16), Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel()


def titled(name: str, datasets: Path) -> Inputs:
    """Return the texts of a release, with features that tell a little of their class."""
    release = data.checked(data.load(name, datasets))
    every = release.everything()
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 0.06, (len(release.classes), 2048))
    features = rng.normal(0, 1, (len(every), 2048)) + centres[every.labels]
    dealt = {split: every.where[:, 0] == number for number, split in enumerate(SPLITS)}
    return _made(release.classes, dealt, every.texts, every.labels, features)


def _made(
    classes: tuple[str, ...],
    dealt: dict[str, NDArray[np.bool_]],
    texts: NDArray[np.object_],
    labels: NDArray[np.int64],
    features: NDArray[np.float64],
) -> Inputs:
    parts = {}
    for number, split in enumerate(SPLITS):
        rows = np.flatnonzero(dealt[split])
        ids = rows.astype(np.str_)
        where = np.column_stack([np.full(len(rows), number), np.arange(len(rows))])
        parts[split] = Part(
            ids, np.zeros(len(rows), np.int16), texts[rows], labels[rows], ids.astype(object), ids, where
        )
    images = inputs.Images(features.shape[1], {s: features[dealt[s]].astype(np.float16) for s in SPLITS})
    return inputs.prepare(Release("made-up", "0.0.0", classes, parts, rows=None), images, None, 200)


def right(name: str, made: Inputs, settings: Settings, seeds: Sequence[int]) -> dict[str, Floats]:
    """Return for each mode the share of seeds that is right about each test post, float32[n]."""
    start = torch.from_numpy(made.words.start)
    both = train.Data(made.batches["train"], made.batches["validation"], start, len(made.release.classes))
    found: dict[str, list[Floats]] = {mode: [] for mode in MODES}
    for seed in seeds:
        [fitted] = train.fit(name, both, settings, [seed], torch.device("cpu"))
        network = train.new(name, both, settings, seed)
        network.load_state_dict(fitted.state)
        network.eval()
        for mode, modalities in MODES.items():
            batch = only(made.batches["test"], modalities)
            with torch.no_grad():
                found[mode].append((network(batch).argmax(-1) == batch.label).float().numpy())
    return {mode: np.mean(of_seeds, 0) for mode, of_seeds in found.items()}


def lost(answers: dict[str, Floats]) -> Floats:
    """Return what is lost by the mean of both inputs alone, float32[n]."""
    return answers["both"] - (answers["image"] + answers["text"]) / 2


def interval(differences: Floats) -> tuple[float, float]:
    """Return the 95% bootstrap interval of a mean over posts."""
    rng = np.random.default_rng(0)
    means = [differences[rng.integers(0, len(differences), len(differences))].mean() for _ in range(2000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def compare(what: str, corpora: Sequence[Inputs], settings: Settings, seeds: Sequence[int]) -> None:
    """Print a line for each of both models, over the test posts of all corpora, and their difference."""
    found: dict[str, Floats] = {}
    for name in ("joint", "common"):
        each = [right(name, made, settings, seeds) for made in corpora]
        pooled = {mode: np.concatenate([one[mode] for one in each]) for mode in MODES}
        found[name] = lost(pooled)
        told = "   ".join(f"{mode} {100 * value.mean():.1f}" for mode, value in pooled.items())
        print(f"{what:<36}{name:<8}{told}   lost {100 * found[name].mean():.1f}", flush=True)
    less = found["joint"] - found["common"]
    low, high = interval(less)
    print(f"{what:<36}common loses {100 * less.mean():.1f} points less ({100 * low:.1f} to {100 * high:.1f})")


def main(
    titles: str | None = None,
    datasets: Path = Path("datasets"),
    seeds: int = 3,
    first: int = 0,
    corpora: int = len(CORPORA),
    posts: int = POSTS,
) -> None:
    """Compare the two without one input.

    Args:
        titles: A release of texts; without one, corpora of the sandbox.
        datasets: Where releases are.
        seeds: Seeds of each model.
        first: The number of the first corpus.
        corpora: How many corpora.
        posts: Posts of each corpus.
    """
    print(machine(), f"torch {torch.__version__}")
    numbers = range(first, first + corpora)
    made = [titled(titles, datasets)] if titles else [drawn(number, posts) for number in numbers]
    for rate in (1.0, Settings().word_rate):
        settings = replace(Settings(), word_rate=rate)
        compare(f"{titles or 'sandbox'}, words × {rate:g}", made, settings, range(seeds))


if __name__ == "__main__":
    tyro.cli(main)
