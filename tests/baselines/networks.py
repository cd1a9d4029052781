"""Checkpoints of networks whose numbers were drawn, of each kind."""

import numpy as np
import torch

from affectory.encoders.text.subwords import Subwords
from affectory.encoders.text.words import Vocabulary
from baselines.data.batch import Batch
from baselines.data.encoders import Images
from baselines.data.task import SingleLabel
from baselines.models import registry
from baselines.models.duong2017.settings import CommonSettings, FusionSettings, ImageSettings, JointSettings
from baselines.models.duong2017.text import TextSettings
from baselines.models.pagefortin2019 import settings as multitask
from baselines.training.checkpoint import Checkpoint

CLASSES = ("joy", "fear", "anger")
TASK = SingleLabel(CLASSES)
WORDS = ("day", "happy", "night")
NGRAMS = TextSettings(dim=4, wordNgrams=2, minn=2, maxn=3, bucket=50)
TEXTS = ("Happy day!", "a night in the woods", "")
SETTINGS = {
    "image": ImageSettings(),
    "text": NGRAMS,
    "early": FusionSettings(hidden=3),
    "joint": JointSettings(hidden=3, fusion="mean"),
    "common": CommonSettings(hidden=3, fusion="mean"),
    "si": multitask.ImageSettings(hidden=6),
    "st": multitask.TextSettings(hidden=6, filters=4),
    "sm": multitask.MultimodalSettings(hidden=6, filters=4),
    "cv_ct_cm": multitask.MultitaskSettings(hidden=6, filters=4),
}


def checkpoint(model, features=5, source=None, seed=0, task=TASK):
    """A network that reads `features` numbers of an image, whose `source` this is."""
    torch.manual_seed(seed)
    made_of = registry.spec(model).made_of
    if made_of is not None:
        names = made_of.first, made_of.second
        parts = tuple(checkpoint(part, features, source, seed, task) for part in names)
        return Checkpoint(model, task, None, seed, {}, parts=parts)
    spec, settings = registry.spec(model), SETTINGS[model]
    start = torch.randn(len(WORDS) + 2, 4).numpy()
    every = {
        "image": Images(features),
        "words": Vocabulary(WORDS, start, "random, 4-d", None),
        "cased_words": Vocabulary(WORDS, start, "random, 4-d", None, cased=True),
        "ngrams": Subwords(NGRAMS.ngrams, Subwords.fit(["happy day", "dark night"], NGRAMS.ngrams).learnt, 4),
    }
    encoders = {name: every[name] for name in spec.inputs}
    state = spec.build(task, encoders, settings).state_dict()
    if model == "text":
        state = {name: torch.randn_like(value) for name, value in state.items()}
        state["rows"][:2] = 0
    if registry.entry(model).family == "multitask":  # several layers of first values say hardly anything
        state = {name: 3 * value for name, value in state.items()}
    for name in [name for name in state if name.endswith("scale.mean")]:
        state[name] = torch.rand(features)
        state[name.replace("mean", "scale")] = torch.rand(features) + 0.5
    states = {name: encoder.state() for name, encoder in encoders.items()}
    own = source if "image" in spec.reads else None
    return Checkpoint(model, task, settings, seed, state, states, "f" * 64, 7, 0.5, -1.25, 2.0, None, "", own)


def posts(texts=TEXTS, features=5):
    """What makes posts with these texts and drawn images the batch that a network reads."""
    images = torch.from_numpy(np.random.default_rng(9).normal(0, 1, (len(texts), features))).float()

    def batch(one):
        made = {
            name: images if encoder.modality == "image" else torch.from_numpy(encoder.encode(texts))
            for name, encoder in one.loaded_encoders().items()
        }
        present = torch.tensor([[True, bool(text)] for text in texts])
        target = one.task.target([one.task.names[:1]] * len(texts))
        return Batch(made, present, target, torch.zeros(len(texts), dtype=torch.bool))

    return batch


def probabilities(one, texts=TEXTS, features=5, mode="both"):
    """What a checkpoint's network says of posts with these texts."""
    return one.task.probabilities(one.logits(posts(texts, features), mode))
