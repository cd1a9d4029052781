"""A reference for late fusion: two logistic regressions on a release, and the product of their probabilities.

    uv run python -m benchmarks.references met-meme --weights W.safetensors --side 225

The regression for images reads the same frozen features as our image-based model, the one for texts the
TF-IDF of words, word bigrams and 2 to 5 characters. Their settings were chosen for MET-Meme's test posts, so
their accuracy is rather too high. They are trained in three ways:

`together`  on the folds of `baselines.run --folds`: duplicates stay together, and a ninth of the posts
            outside the test fold is left out for validation
`all`       on the same folds and their validation posts
`apart`     on folds to which each post is assigned independently: a copy of a test post may be in training
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from affectory.encoders.image.backbones import load_backbone
from baselines.data import inputs
from baselines.data import release as data
from baselines.data.release import Part, Release
from benchmarks._measure import machine

Logs = NDArray[np.float64]


def image_regression() -> Any:
    """Return the regression of frozen features."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.0003, max_iter=200))


def text_regression() -> Any:
    """Return the regression of words and characters."""
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    characters = TfidfVectorizer(sublinear_tf=True, ngram_range=(2, 5), analyzer="char_wb", min_df=2)
    return make_pipeline(make_union(words, characters), LogisticRegression(C=3, max_iter=200))


def together(release: Release, number: int) -> Iterator[tuple[Part, Part]]:
    """Yield the training and the test posts of each of our folds."""
    for fold in data.folds(release, number):
        yield fold.parts["train"], fold.parts["test"]


def all_but_test(release: Release, number: int) -> Iterator[tuple[Part, Part]]:
    """Yield, of each of our folds, the posts of training and validation, and the test posts."""
    for fold in data.folds(release, number):
        yield Part.joined([fold.parts["train"], fold.parts["validation"]]), fold.parts["test"]


def apart(release: Release, number: int) -> Iterator[tuple[Part, Part]]:
    """Yield the same for folds to which each post is assigned independently."""
    everything = release.everything()
    parts = {"train": replace(everything, groups=everything.post_ids)}
    parts |= {split: everything.take(np.zeros(len(everything), np.bool_)) for split in ("validation", "test")}
    yield from all_but_test(replace(release, parts=parts), number)


def accuracies(dealt: Iterator[tuple[Part, Part]], images: inputs.Images) -> Sequence[float]:
    """Return the accuracy of image, text and product over all test posts, in percent."""
    right: list[NDArray[np.bool_]] = []
    for train, test in dealt:
        image = image_regression().fit(images.of(train), train.target)
        text = text_regression().fit(train.texts.tolist(), train.target)
        by_image: Logs = image.predict_log_proba(images.of(test))
        by_text: Logs = text.predict_log_proba(test.texts.tolist())
        logs = np.stack([by_image, by_text, by_image + by_text])
        right.append(logs.argmax(-1) == test.target)
    found: list[float] = (100 * np.concatenate(right, 1).mean(1)).tolist()
    return found


def main(
    name: tyro.conf.Positional[str],
    weights: str,
    backbone: str = "mobilenet_v2",
    side: int | None = None,
    datasets: Path = Path("datasets"),
    folds: int = 5,
    features: Path = Path("data/features"),
) -> None:
    """Train two logistic regressions on a release's features and texts.

    Args:
        name: The release.
        weights: A file of the image network's weights, or "random".
        backbone: The image network.
        side: The input's height and width.
        datasets: Where releases are.
        folds: How many folds.
        features: Where image features are kept.
    """
    print(machine())
    release = data.load(name, datasets)
    network = load_backbone(backbone, weights, side=side)
    images = inputs.frozen(release, network, features, torch.device("cpu"))
    for how, deal in (("together", together), ("all", all_but_test), ("apart", apart)):
        image, text, product = accuracies(deal(release, folds), images)
        print(f"{how:<9} image {image:.1f}%   text {text:.1f}%   product {product:.1f}%")


if __name__ == "__main__":
    tyro.cli(main)
