"""Generated corpora of the sandbox as training data, without a crawl: titles, and features of their pictures.

Settings are chosen on corpora 0 to 7 (`benchmarks.settings`), and claims are tested on corpora 8 and above.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from baselines.data import inputs
from baselines.data import release as data
from baselines.data.batch import Batch, Mode
from baselines.data.encoders import Images
from baselines.data.inputs import Data
from baselines.data.release import SPLITS, Part, Release
from baselines.data.task import SingleLabel
from baselines.models import registry
from baselines.training import trainer
from baselines.training.checkpoint import Checkpoint
from baselines.training.trainer import Ask
from collectors.sandbox.generated import pictures
from collectors.sandbox.generated.corpus import Corpus

TASK = SingleLabel(("joy", "fear", "anger", "disgust"))

#: The corpora that settings are chosen on, and the first ones that claims are tested on.
CHOSEN_ON, TESTED_ON = range(8), range(8, 16)

POSTS, WIDTH = 2000, 1024

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Drawn:
    """A corpus (or a release's titles with generated features), split, as models read it."""

    release: Release
    images: Images
    data: Data

    @property
    def test(self) -> Part:
        """The test posts."""
        return self.release.parts["test"]

    def posts(self, one: Checkpoint) -> Batch:
        """Return the test posts as a network reads them."""
        return self._read(one, self.test)

    def validation(self, one: Checkpoint) -> Batch:
        """Return the validation posts as a network reads them."""
        return self._read(one, self.release.parts["validation"])

    def _read(self, one: Checkpoint, part: Part) -> Batch:
        encoders = one.loaded_encoders()
        if "image" in encoders:
            encoders["image"] = self.images
        return inputs.batch(part, encoders)


def drawn(corpus: int, posts: int = POSTS) -> Drawn:
    """Return posts of a corpus: random features of their pictures, and their titles."""
    shown = [post for post in Corpus(seed=corpus, posts=posts).posts if post.images]
    pixels = np.stack([_pixels(post.images[0]) for post in shown])
    pixels = (pixels - pixels.mean(0)) / pixels.std(0)
    mixing = np.random.default_rng(0).normal(0, pixels.shape[1] ** -0.5, (pixels.shape[1], WIDTH))
    labels = np.array([TASK.names.index(post.label) for post in shown])
    fold = np.random.default_rng(0).permutation(len(shown)) % 10
    dealt = {"train": fold > 3, "validation": fold == 3, "test": fold < 3}
    titles = np.array([post.title for post in shown], object)
    return _made(TASK, dealt, titles, labels, np.maximum(pixels @ mixing, 0))


def _pixels(picture: Any) -> Floats:
    small = pictures.draw(picture.key, picture.cue, (96, 72)).resize((16, 16), Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel()


def titled(name: str, datasets: Path) -> Drawn:
    """Return the texts of a release, with features that tell a little of their class."""
    release = data.checked(data.load(name, datasets))
    every = release.everything()
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 0.06, (len(release.task.names), 2048))
    features = rng.normal(0, 1, (len(every), 2048)) + centres[every.target]
    dealt = {split: every.where[:, 0] == number for number, split in enumerate(SPLITS)}
    assert isinstance(release.task, SingleLabel)
    return _made(release.task, dealt, every.texts, every.target, features)


def _made(
    task: SingleLabel,
    dealt: Mapping[str, NDArray[np.bool_]],
    texts: NDArray[np.object_],
    labels: NDArray[np.int64],
    features: NDArray[np.float64],
) -> Drawn:
    parts = {}
    for number, split in enumerate(SPLITS):
        rows = np.flatnonzero(dealt[split])
        ids = rows.astype(np.str_)
        parts[split] = Part(
            post_ids=ids,
            image_index=np.zeros(len(rows), np.int16),
            texts=texts[rows],
            target=labels[rows],
            labelled=np.ones(len(rows), np.bool_),
            digests=ids.astype(object),
            groups=ids,
            where=np.column_stack([np.full(len(rows), number), np.arange(len(rows))]),
        )
    images = Images(features.shape[1], {s: features[dealt[s]].astype(np.float16) for s in SPLITS})
    release = Release("made-up", "0.0.0", task, parts, rows=None)
    return Drawn(
        release, images, inputs.prepare(release, ("image", "words", "cased_words"), {"image": images})
    )


def train(
    made: Drawn, settings: Mapping[str, Any], seeds: Sequence[int], *, corrected: bool = False
) -> dict[str, list[Checkpoint]]:
    """Train models with these settings; late fusion follows where both of its parts are there.

    `corrected`: whether answers to one modality are corrected on validation posts.
    """
    with tempfile.TemporaryDirectory() as folder:
        ask = Ask(
            made.data, settings, tuple(seeds), Path(folder), {}, torch.device("cpu"), corrected=corrected
        )
        found = trainer.train_all(ask)
        return found | trainer.combined(ask, registry.MODELS, found, made.validation)


def right(made: Drawn, networks: Sequence[Checkpoint], mode: Mode) -> Floats:
    """Return the share of the networks that is right about each test post, float32[n]."""
    task, target = made.release.task, torch.from_numpy(made.test.target)
    each: list[Tensor] = [
        task.decide(task.probabilities(one.logits(made.posts, mode))) == target for one in networks
    ]
    return torch.stack(each).float().mean(0).numpy()
