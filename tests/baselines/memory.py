"""A small release in memory, and what models are trained on from it."""

import numpy as np

from affectory.encoders.text.words import Vectors, tokenise, vocabulary
from baselines.data import inputs
from baselines.data.encoders import Images
from baselines.data.inputs import Data
from baselines.data.release import SPLITS, Part, Release
from baselines.data.task import SeveralLabels, SingleLabel

CLASSES = ("joy", "fear", "anger")
SIZES = dict(zip(SPLITS, (36, 15, 9), strict=True))


def part(split, n, several=False):
    """n posts whose first word tells the class, or each of the two labels."""
    number = SPLITS.index(split)
    label = np.arange(n) % 3
    hot = np.zeros((n, 3), np.float32)
    hot[np.arange(n), label] = 1
    hot[np.arange(0, n, 2), (label[::2] + 1) % 3] = 1
    names = np.array([f"reddit:{split}{i}" for i in range(n)])
    held = hot if several else np.eye(3)[label]
    texts = [
        " and ".join([CLASSES[c] for c in np.flatnonzero(row)] + [f"word{i % 7}"])
        for i, row in enumerate(held)
    ]
    return Part(
        post_ids=names,
        image_index=np.zeros(n, np.int16),
        texts=np.array(texts, dtype=object),
        target=hot if several else label.astype(np.int64),
        labelled=np.ones(n, np.bool_),
        digests=np.array(["0" * 64] * n, dtype=object),
        groups=names,
        where=np.column_stack([np.full(n, number), np.arange(n)]),
    )


def release(several=False):
    task = SeveralLabels(CLASSES) if several else SingleLabel(CLASSES)
    parts = {split: part(split, n, several) for split, n in SIZES.items()}
    return Release("tiny", "1.0.0", task, parts, None)  # no rows of the library: nothing here reads them


def data(shift=0.0, several=False, vectors=False) -> Data:
    """The inputs of every model of that release."""
    made = release(several)
    rng = np.random.default_rng(0)
    features = {
        split: (np.eye(5)[np.arange(n) % 3] * 2 + rng.normal(shift, 1, (n, 5))).astype(np.float16)
        for split, n in SIZES.items()
    }
    found = inputs.prepare(made, ("image", "words"), {"image": Images(5, features)}, None, 4)
    if not vectors:
        return found
    words = {word for text in found.texts["train"] for word in tokenise(text)}
    known = Vectors("tiny.txt", 4, {w: rng.normal(0, 1, 4).astype(np.float32) for w in sorted(words)})
    encoders = {**found.encoders, "words": vocabulary(found.texts["train"], [], known)}
    train = inputs.batch(made.parts["train"], encoders)
    validation = inputs.batch(made.parts["validation"], encoders)
    return Data(found.task, train, validation, encoders, found.texts, known)
