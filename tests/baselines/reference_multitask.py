"""The models of Pagé Fortin and Chaib-draa 2019 post by post, in float64, from the paper's formulas.

`values` holds a network's numbers by name, NumPy arrays, or tensors where gradients are wanted: the functions
take both. A post is an image, float[D], the ids of its words, and whether image and text are there.
"""

import numpy as np
import torch

from affectory.encoders.text.words import Vocabulary
from baselines.data.inputs import Images
from baselines.models import registry
from baselines.models.pagefortin2019.settings import (
    ImageSettings,
    MultimodalSettings,
    MultitaskSettings,
    TextSettings,
)
from tests.baselines import reference

FEATURES, WIDTH, WORDS = reference.FEATURES, reference.WIDTH, reference.WORDS

#: Small networks: vectors of 4, representations of 6, filters of 2, 3 and 4 words.
SIZES = {"hidden": 6, "first": 5, "second": 4}
TEXT = {"filters": 3, "narrowest": 2, "widest": 4}
SETTINGS = {
    "si": ImageSettings(**SIZES),
    "st": TextSettings(**SIZES, **TEXT),
    "sm": MultimodalSettings(**SIZES, **TEXT),
    "cv_ct_cm": MultitaskSettings(**SIZES, **TEXT, alpha_v=0.5, alpha_t=2.0, alpha_m=3.0),
}


def posts(n=6, seed=0, present=None, several=False, unlabelled=(), longest=7):
    """n posts with texts of 0 to `longest` words; both modalities are there unless `present` says otherwise.

    The input of a missing modality is NaN, or ids of words: nothing may read it.
    """
    batch = reference.posts(n, seed, present, several, unlabelled)
    rng = np.random.default_rng(seed)
    tokens = torch.zeros(n, longest, dtype=torch.int64)
    for row, length in enumerate(rng.integers(0, longest + 1, n)):
        tokens[row, :length] = torch.from_numpy(rng.integers(1, WORDS, length))
    image = batch.inputs["image"].masked_fill(~batch.present[:, :1], torch.nan)
    return batch._replace(inputs={"image": image, "cased_words": tokens})


def encoders(seed=0):
    """What a network is built from: features of width 5, and a vocabulary of 9 rows, drawn in float64."""
    made = reference.encoders(seed)
    words = made["words"]
    return {
        "image": Images(FEATURES),
        "cased_words": Vocabulary(words.words, words.start, words.vectors, None, cased=True),
    }


def network(name, seed=0, task=reference.SINGLE, settings=None):
    """A network in float64 with every number drawn, those of its scale too; dropout is off."""
    model = registry.spec(name).build(task, encoders(seed), settings or SETTINGS[name]).double().eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lookup" not in key:
                parameter.copy_(torch.randn_like(parameter) / 2)
    if name != "st":
        model.visual.scale.mean.copy_(torch.randn(FEATURES))
        model.visual.scale.scale.copy_(torch.rand(FEATURES) + 0.5)
    return model


def relu(x):
    return x * (x > 0)


def visual(values, features):
    """Φv: standardised features, a linear layer, ReLU."""
    scaled = (features - values["visual.scale.mean"]) * values["visual.scale.scale"]
    return relu(values["visual.last.weight"] @ scaled + values["visual.last.bias"])


def textual(values, tokens, settings):
    """Φt: every window of every filter by hand, max, mean and min, a linear layer, ReLU."""
    n = int((tokens != 0).sum())
    ids = [*tokens[:n].tolist(), *[0] * max(0, settings.widest - n)]
    vectors = [values["textual.lookup.weight"][i] for i in ids]
    pooled = []
    for number, width in enumerate(settings.widths):
        weight = values[f"textual.convolutions.weights.{number}"]
        bias = values[f"textual.convolutions.biases.{number}"]
        windows = [
            relu(sum(weight[k] @ vectors[start + k] for k in range(width)) + bias)
            for start in range(max(1, n - width + 1))
        ]
        stacked = stack(windows)
        highest, lowest = (stacked.max(0), stacked.min(0))
        if torch.is_tensor(stacked):
            highest, lowest = highest.values, lowest.values
        pooled += [highest, sum(windows) / len(windows), lowest]
    return relu(values["textual.last.weight"] @ joined(pooled) + values["textual.last.bias"])


def classified(values, name, x):
    """Two layers with ReLU, and the last one."""
    for number in (0, 2):
        x = relu(values[f"{name}.{number}.weight"] @ x + values[f"{name}.{number}.bias"])
    return values[f"{name}.4.weight"] @ x + values[f"{name}.4.bias"]


def stack(rows):
    return torch.stack(rows) if torch.is_tensor(rows[0]) else np.stack(rows)


def joined(parts):
    return torch.cat(parts) if torch.is_tensor(parts[0]) else np.concatenate(parts)


def of_posts(batch):
    """Yield each post: its image, its ids, whether image and text are there."""
    words = batch.inputs["cased_words"]
    yield from zip(batch.inputs["image"], words, *batch.present.T.tolist(), strict=True)


def logits(name, values, batch, settings):
    """The logits of each post by head, as NumPy arrays."""
    out = []
    for image, tokens, seen, told in of_posts(batch):
        v = visual(values, image.numpy()) if seen and name != "st" else np.zeros(settings.hidden)
        t = textual(values, tokens, settings) if told and name != "si" else np.zeros(settings.hidden)
        if name != "cv_ct_cm":
            r = {"si": v, "st": t, "sm": joined([v, t])}[name]
            out.append({"y": classified(values, "classify", r)})
            continue
        nothing = np.zeros(reference.CLASSES)
        of_image = classified(values, "cv", v) if seen else nothing
        of_text = classified(values, "ct", t) if told else nothing
        of_both = classified(values, "cm", joined([v, t])) if seen and told else of_image + of_text
        out.append({"v": of_image, "t": of_text, "m": of_both})
    return {head: np.array([one[head] for one in out]) for head in out[0]}


def loss(values, batch, settings):
    """α_v CE_v + α_t CE_t + α_m CE_m of tensors, each a mean over the labelled posts that have it."""
    found = {"v": [], "t": [], "m": []}
    rows = zip(of_posts(batch), batch.target, batch.labelled.tolist(), strict=True)
    for (image, tokens, seen, told), target, labelled in rows:
        if not labelled:
            continue
        v = visual(values, image) if seen else None
        t = textual(values, tokens, settings) if told else None
        if seen:
            found["v"].append(nll(classified(values, "cv", v), target))
        if told:
            found["t"].append(nll(classified(values, "ct", t), target))
        if seen and told:
            found["m"].append(nll(classified(values, "cm", joined([v, t])), target))
    alphas = {"v": settings.alpha_v, "t": settings.alpha_t, "m": settings.alpha_m}
    return sum(alphas[head] * sum(each) / len(each) for head, each in found.items() if each)


def nll(scores, target):
    """−log P of the class; of several labels the sum of −log P of each label's own value."""
    if target.ndim == 0:
        return -(scores[target] - scores.exp().sum().log())
    return (target * (1 + (-scores).exp()).log() + (1 - target) * (1 + scores.exp()).log()).sum()


def leaves(model):
    """The network's numbers as tensors of their own, those that are trained with gradients."""
    trained = dict(model.named_parameters())
    return {
        name: value.detach().clone().requires_grad_(name in trained)
        for name, value in model.state_dict().items()
    }
