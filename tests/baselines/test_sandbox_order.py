"""On the sandbox's corpus fusion beats its inputs, as in Duong et al. 2017, Table 4."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from baselines import evaluate, fitting, inputs
from baselines.data import SPLITS, Part, Release
from baselines.experiment import chosen
from baselines.fitting import Ask
from baselines.settings import MODELS, TEXT, Settings
from collectors.sandbox import pictures
from collectors.sandbox.corpus import Corpus

LABELS = ("joy", "fear", "anger", "disgust")
SEEDS = (0, 1)


@dataclass
class Answered:
    """For each model and mode, the share of seeds that is right about each test post."""

    right: dict[tuple[str, str], np.ndarray]


@pytest.fixture(scope="module")
def answered(tmp_path_factory) -> Answered:
    """The six models, two seeds each, trained on 8 by 8 pixels and titles of 2,000 posts."""
    posts = [post for post in Corpus(seed=0, posts=2000).posts if post.images]
    pixels = np.stack([_pixels(post.images[0]) for post in posts])
    fold = np.random.default_rng(0).permutation(len(posts)) % 10
    rows = {"train": fold > 3, "validation": fold == 3, "test": fold < 3}
    parts = {split: _part(posts, number, mine) for number, (split, mine) in enumerate(rows.items())}
    images = inputs.Images(pixels.shape[1], {split: pixels[rows[split]] for split in SPLITS})
    release = Release("reddit-emotion", "0.0.0", LABELS, parts, rows=None)
    made = inputs.prepare(release, images, None, 200)
    folder = tmp_path_factory.mktemp("checkpoints")
    ask = Ask(made, chosen(MODELS, Settings(), TEXT, made), SEEDS, folder, None, torch.device("cpu"))
    networks = fitting.train_all(ask)
    networks["late"] = fitting.late(ask, networks["image"], networks["text"])
    test, right = parts["test"], {}
    for model, trained in networks.items():
        for mode in evaluate.modes(model):
            batches = [inputs.batch(test, images, one.tokens(list(test.texts)).numpy()) for one in trained]
            found = [
                evaluate.probabilities(one.network(), batch, mode)
                for one, batch in zip(trained, batches, strict=True)
            ]
            right[model, mode] = evaluate.answers(model, found, torch.from_numpy(test.labels)).right
    return Answered(right)


def _pixels(picture) -> np.ndarray:
    small = pictures.draw(picture.key, picture.cue, (96, 72)).resize((8, 8), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float16).ravel() / 255


def _part(posts, number: int, mine: np.ndarray) -> Part:
    kept = [post for post, is_mine in zip(posts, mine, strict=True) if is_mine]
    ids = np.array([post.id for post in kept])
    return Part(
        post_ids=ids,
        image_index=np.zeros(len(kept), np.int16),
        texts=np.array([post.title for post in kept], dtype=object),
        labels=np.array([LABELS.index(post.label) for post in kept]),
        digests=np.array(ids, dtype=object),
        groups=ids,
        where=np.column_stack([np.full(len(kept), number), np.arange(len(kept))]),
    )


def _lowest(differences: np.ndarray) -> float:
    """The lower end of the 95% bootstrap interval of a mean over posts."""
    rng = np.random.default_rng(0)
    means = [differences[rng.integers(0, len(differences), len(differences))].mean() for _ in range(2000)]
    return float(np.quantile(means, 0.025))


@pytest.mark.parametrize("fusion", ["late", "early", "joint", "common"])
def test_fusion_beats_each_of_its_inputs_beyond_the_interval(answered, fusion):
    both = answered.right[fusion, "both"]
    assert _lowest(both - answered.right["image", "image"]) > 0
    assert _lowest(both - answered.right["text", "text"]) > 0
