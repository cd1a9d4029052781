"""Small memes in memory: features of a pair that tell the labels, a part of the posts unlabelled."""

import torch

from affectory.encoders.text.bag_of_words import BagOfWords
from affectory.encoders.text.frozen import FrozenText
from baselines.data.batch import Batch
from baselines.data.encoders import Images
from baselines.data.inputs import Data
from baselines.data.task import SeveralLabels, SingleLabel

NAMES = ("shaming", "stereotype", "violence")
SINGLE, SEVERAL = SingleLabel(NAMES), SeveralLabels(NAMES)
IMAGE, TEXT, WORDS = 6, 5, 9

ENCODERS = {
    "image": Images(IMAGE),
    "pair_image": Images(IMAGE),
    "pair_text": FrozenText("tiny", "tiny", "mean", "features", 8, TEXT, "tiny-0-0", "nowhere"),
    "bag": BagOfWords(tuple(f"word{i}" for i in range(WORDS))),
}


def batch(n, seed=0, several=True, labelled=None, present=None):
    """n posts; each label adds a vector of its own to both features. The first `labelled` have labels."""
    draw = torch.Generator().manual_seed(seed)
    own = torch.Generator().manual_seed(99)
    to_image, to_text = torch.randn(3, IMAGE, generator=own), torch.randn(3, TEXT, generator=own)
    first = torch.arange(n) % 3
    held = torch.nn.functional.one_hot(first, 3).float()
    if several:
        held += torch.nn.functional.one_hot((first + torch.arange(n) // 3) % 3, 3)
        held = (held > 0).float() * (torch.arange(n) % 8 != 7).unsqueeze(-1)
    image = held @ to_image + 0.1 * torch.randn(n, IMAGE, generator=draw)
    text = held @ to_text + 0.1 * torch.randn(n, TEXT, generator=draw)
    words = torch.zeros(n, WORDS)
    words[:, :3] = held
    words[:, 3:] = (torch.rand(n, WORDS - 3, generator=draw) < 0.3).float()
    there = torch.ones(n, 2, dtype=torch.bool) if present is None else torch.tensor(present)
    known = torch.arange(n) < (n if labelled is None else labelled)
    target = held if several else first
    inputs = {"image": image.half(), "pair_image": image.half(), "pair_text": text.half(), "bag": words}
    return Batch(inputs, there, target, known)


def data(n=40, labelled=12, several=True, present=None):
    train, validation = batch(n, 1, several, labelled, present), batch(16, 2, several)
    texts = {"train": [""] * n, "validation": [""] * 16}
    return Data(SEVERAL if several else SINGLE, train, validation, ENCODERS, texts)
