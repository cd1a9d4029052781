"""Joint and common space fusion without an image or a text, with texts counted from their mean and from 0.

    uv run python -m benchmarks.missing                      (about ten minutes)
    uv run python -m benchmarks.missing --titles reddit-emotion-text

In Duong et al. 2017, Table 5, joint fusion is right about 36% of images alone, common space fusion about 71%.
Their texts are a maximum over words; ours are counted from its mean over the training texts, `centred`. On
drawn pictures and titles of three sandbox corpora, or on a release's titles with made-up images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from PIL import Image

from baselines import data, inputs, train
from baselines.data import SPLITS, Part, Release
from baselines.inputs import Inputs, only
from baselines.models.parts import TextEncoder
from baselines.settings import Settings
from benchmarks._measure import machine
from collectors.sandbox import pictures
from collectors.sandbox.corpus import Corpus

CLASSES = ("joy", "fear", "anger", "disgust")
MODES = {"both": (True, True), "image": (True, False), "text": (False, True)}
WIDTH, POSTS = 1024, 4000

#: From 0 a larger rate doesn't converge; so it takes more epochs.
CENTRED, FROM_ZERO = Settings(), Settings(lr=0.05, patience=10)

Floats = NDArray[np.float32]


def drawn(seed: int) -> Inputs:
    """Return posts of the sandbox: random features of their pictures, and their titles."""
    posts = [post for post in Corpus(seed=seed, posts=POSTS).posts if post.images]
    pixels = np.stack([_pixels(post.images[0]) for post in posts])
    pixels = (pixels - pixels.mean(0)) / pixels.std(0)
    mixing = np.random.default_rng(0).normal(0, pixels.shape[1] ** -0.5, (pixels.shape[1], WIDTH))
    labels = np.array([CLASSES.index(post.label) for post in posts])
    fold = np.random.default_rng(0).permutation(len(posts)) % 10
    dealt = {"train": fold > 3, "validation": fold == 3, "test": fold < 3}
    features = np.maximum(pixels @ mixing, 0)
    return _made(CLASSES, dealt, np.array([post.title for post in posts], object), labels, features)


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


@contextmanager
def counted_from_zero() -> Iterator[None]:
    """Leave the texts' centre at 0 within the block."""
    kept = TextEncoder.measure
    TextEncoder.measure = lambda self, tokens: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        TextEncoder.measure = kept  # type: ignore[method-assign]


def accuracies(name: str, made: Inputs, settings: Settings, seeds: Sequence[int]) -> dict[str, float]:
    """Return the accuracy with both inputs and with each alone, in percent, a mean over seeds."""
    start = torch.from_numpy(made.words.start)
    both = train.Data(made.batches["train"], made.batches["validation"], start, len(made.release.classes))
    found: dict[str, list[float]] = {mode: [] for mode in MODES}
    for seed in seeds:
        [fitted] = train.fit(name, both, settings, [seed], torch.device("cpu"))
        network = train.new(name, both, settings, seed)
        network.load_state_dict(fitted.state)
        network.eval()
        for mode, modalities in MODES.items():
            batch = only(made.batches["test"], modalities)
            with torch.no_grad():
                found[mode].append(float((network(batch).argmax(-1) == batch.label).double().mean()))
    return {mode: 100 * float(np.mean(of_seeds)) for mode, of_seeds in found.items()}


def show(what: str, made: Inputs, settings: Settings, seeds: Sequence[int]) -> None:
    """Print a line for each of both models."""
    for name in ("joint", "common"):
        one = accuracies(name, made, settings, seeds)
        lost = one["both"] - (one["image"] + one["text"]) / 2
        told = "   ".join(f"{mode} {value:.1f}" for mode, value in one.items())
        print(f"{what:<32}{name:<8}{told}   lost {lost:.1f}", flush=True)


def main(titles: str | None = None, datasets: Path = Path("datasets"), seeds: int = 3) -> None:
    """Compare the two without one input.

    Args:
        titles: A release of texts; without one, three corpora of the sandbox.
        datasets: Where releases are.
        seeds: Seeds of each model.
    """
    print(machine(), f"torch {torch.__version__}")
    if titles:
        every = {titles: titled(titles, datasets)}
    else:
        every = {f"sandbox, seed {seed}": drawn(seed) for seed in range(3)}
    for what, made in every.items():
        show(f"{what}, centred", made, CENTRED, range(seeds))
        with counted_from_zero():
            show(f"{what}, from 0", made, FROM_ZERO, range(seeds))


if __name__ == "__main__":
    tyro.cli(main)
