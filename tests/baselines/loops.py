"""Small data in memory, and models trained on it by their stages or by others."""

from dataclasses import replace

import torch

from affectory.encoders.text.words import Vocabulary
from baselines.data.batch import Batch
from baselines.data.encoders import Images
from baselines.data.inputs import Data
from baselines.data.task import SeveralLabels, SingleLabel
from baselines.models import registry
from baselines.models.duong2017.settings import CommonSettings, FusionSettings, ImageSettings, JointSettings
from baselines.training.loop import fit
from tests.baselines import reference

CPU = torch.device("cpu")
CLASSES = ("joy", "fear", "anger")
NEURAL = reference.NEURAL
PLAIN = {
    "image": ImageSettings(lr=0.05, batch=8, epochs=4),
    "early": FusionSettings(lr=0.05, batch=8, epochs=4, hidden=6, dropout=0.0),
    "joint": JointSettings(lr=0.05, batch=8, epochs=4, hidden=6, dropout=0.0),
    "common": CommonSettings(lr=0.05, batch=8, epochs=4, hidden=6, dropout=0.0, negatives=2),
}


def batch(n, seed, noise=1.0, several=False, unlabelled=0):
    """n posts of three classes: features around the class's own place, one of whose words is telling."""
    draw = torch.Generator().manual_seed(seed)
    label = torch.arange(n) % 3
    image = torch.nn.functional.one_hot(label, 5) * 3.0 + noise * torch.randn(n, 5, generator=draw)
    tokens = torch.randint(4, 12, (n, 6), generator=draw)
    tokens[:, 0] = 1 + label
    tokens[::5, 3:] = 0
    present = torch.ones(n, 2, dtype=torch.bool)
    present[7::11, 0] = False
    present[4::13, 1] = False
    target = torch.nn.functional.one_hot(label, 3).float() if several else label
    labelled = torch.arange(n) < n - unlabelled
    return Batch({"image": image, "words": tokens * present[:, 1:]}, present, target, labelled)


def data(noise=1.0, several=False, unlabelled=0):
    vectors = torch.randn(12, 4, generator=torch.Generator().manual_seed(9))
    vectors[0] = 0
    encoders = {
        "image": Images(5),
        "words": Vocabulary(tuple("abcdefghij"), vectors.numpy(), "random, 4-d", None),
    }
    task = SeveralLabels(CLASSES) if several else SingleLabel(CLASSES)
    train = batch(60, 1, noise, several, unlabelled)
    texts = {"train": [""] * 60, "validation": [""] * 24}
    return Data(task, train, batch(24, 2, noise, several), encoders, texts)


def vectors(given):
    return torch.from_numpy(given.encoders["words"].start)


def trained(name, given, settings, seeds, tell=lambda epoch: None):
    spec = registry.spec(name)
    return fit(spec, given.of(spec.inputs), settings, seeds, CPU, tell)


def staged(name, given, settings, stages, seeds=(0,), tell=lambda epoch: None):
    """Train a model by other stages than its own."""
    spec = replace(registry.spec(name), stages=lambda settings: stages)
    return fit(spec, given.of(spec.inputs), settings, seeds, CPU, tell)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
