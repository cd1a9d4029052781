"""What the tests of the family `today` share: posts, frozen features, and a fit by way of its checkpoint."""

import numpy as np
import torch

from affectory.encoders.text.frozen import FrozenText
from baselines.data.batch import Batch
from baselines.data.inputs import Data, Images
from baselines.data.task import SeveralLabels, SingleLabel
from baselines.models import registry
from baselines.training.checkpoint import Checkpoint, read
from baselines.training.loop import fit

CPU = torch.device("cpu")
TEXTS = [
    "So happy a day",
    "a dark,  dark night!",
    "Sunny day; sunny me",
    "the night is dark\tand I am alone",
    "",
    "I can't even",
    "happy happy sunny",
    "NIGHT night terrors",
    "x",
    "what a day é",
]
CLASSES = np.array([0, 1, 0, 1, 0, 2, 0, 1, 2, 2])
LABELS = np.array(
    [[1, 0], [0, 1], [1, 0], [0, 1], [0, 0], [1, 1], [1, 0], [0, 1], [0, 0], [1, 1]], np.float32
)
THREE = SingleLabel(("joy", "fear", "anger"))
PAIR = SeveralLabels(("joy", "fear"))
BOTH = {"single": (THREE, CLASSES), "several": (PAIR, LABELS)}


def data(task, target, texts=TEXTS, inputs=None, encoders=None, images=None, labelled=None):
    """Posts with these texts, which are the validation posts too. `images`: which have one."""
    there = torch.tensor([[images is None or images[i], bool(text)] for i, text in enumerate(texts)])
    known = torch.ones(len(texts), dtype=torch.bool) if labelled is None else torch.tensor(labelled)
    posts = Batch(inputs or {}, there, torch.as_tensor(target), known)
    every = posts._replace(labelled=torch.ones(len(texts), dtype=torch.bool))
    return Data(task, posts, every, encoders or {}, {"train": list(texts), "validation": list(texts)})


def checkpoint(name, made, fitted, chosen, folder):
    """The network as a run writes and reads it."""
    states = {one: encoder.state() for one, encoder in made.of(registry.spec(name).inputs).encoders.items()}
    own = states if fitted.encoders is None else fitted.encoders
    path = folder / f"{name}.pt"
    Checkpoint(name, made.task, chosen, fitted.seed, fitted.state, own).write(path)
    return read(path)


def of_fit(name, made, folder, seeds=(0,), **changes):
    """The first network of a model's fit, by way of its checkpoint, and what the fit returned."""
    spec = registry.spec(name)
    chosen = spec.settings(**changes)
    fitted = fit(spec, made.of(spec.inputs), chosen, seeds, CPU)
    return checkpoint(name, made, fitted[0], chosen, folder), fitted


def logits(one, texts, present=True):
    """A network's logits of texts, by its own encoder."""
    [(name, encoder)] = one.loaded_encoders().items()
    n = len(texts)
    there = torch.tensor([[False, present and bool(text)] for text in texts])
    batch = Batch(
        {name: torch.from_numpy(encoder.encode(texts))}, there, torch.zeros(n), torch.ones(n).bool()
    )
    return one.logits(lambda _: batch, "text")


FEATURES = {"pair_image": 5, "pair_text": 4, "sentence": 6}


def features(seed=0):
    """Random features, which are no directions that anything was trained for."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (3 * torch.randn(len(TEXTS), width, generator=generator)).half()
        for name, width in FEATURES.items()
    }


def frozen_encoders():
    """Encoders of those features; the text networks aren't there, and aren't asked for."""
    made = {"pair_image": Images(FEATURES["pair_image"])}
    for name in ("pair_text", "sentence"):
        made[name] = FrozenText("tiny", "gone", "mean", "features", 8, FEATURES[name], "key", "gone")
    return made


WITH_IMAGE = [i % 4 != 1 for i in range(len(TEXTS))]
