"""The models of Duong et al. 2017 post by post, in NumPy and float64, from the paper's formulas.

`values` holds a network's numbers by name, `settings` its choices; a post is an image, float[D], the ids of
its words, and whether image and text are there.
"""

import math

import numpy as np
import torch

from affectory.encoders.text.words import Vocabulary
from baselines.data.batch import Batch
from baselines.data.encoders import Images
from baselines.data.task import SeveralLabels, SingleLabel
from baselines.models import registry

FEATURES, WIDTH, WORDS, CLASSES = 5, 4, 9, 3
SINGLE = SingleLabel(("joy", "fear", "anger"))
SEVERAL = SeveralLabels(("joy", "fear", "anger"))

#: The models of the paper that are trained by gradient descent.
NEURAL = ("image", "early", "joint", "common")


def posts(n=6, seed=0, present=None, several=False, unlabelled=()):
    """n posts with texts of 1 to 4 words; both modalities are there unless `present` says otherwise.

    The posts of the rows `unlabelled` have a target all the same: nothing may read it.
    """
    rng = np.random.default_rng(seed)
    tokens = np.zeros((n, 4), np.int64)
    for row in range(n):
        length = 1 + row % 4
        tokens[row, :length] = rng.integers(1, WORDS, length)
    there = np.ones((n, 2), bool) if present is None else np.array(present, bool)
    inputs = {"image": torch.from_numpy(rng.normal(3, 2, (n, FEATURES))), "words": torch.from_numpy(tokens)}
    if several:
        target = torch.from_numpy(rng.integers(0, 2, (n, CLASSES)).astype(np.float32))
    else:
        target = torch.from_numpy(rng.integers(0, CLASSES, n))
    labelled = torch.ones(n, dtype=torch.bool)
    labelled[list(unlabelled)] = False
    return Batch(inputs, torch.from_numpy(there), target, labelled)


def with_other_texts(batch, g, seed=0):
    """The same posts with g random texts for each of as many patterns as there are posts.

    Post i is given those of pattern i, but the first has none.
    """
    rng = np.random.default_rng(seed + 100)
    others = rng.integers(1, WORDS, (batch.size, g, 4))
    others[:, :, 2:] = 0
    own = torch.arange(batch.size)
    own[0] = -1
    more = {"other_texts": torch.from_numpy(others), "pattern": own}
    return batch._replace(inputs=batch.inputs | more)


def encoders(seed=0, width=WIDTH):
    """What a network is built from: features of width 5, and a vocabulary of 9 rows, drawn in float64."""
    torch.manual_seed(seed)
    words = torch.randn(WORDS, width, dtype=torch.float64)
    words[0] = 0
    return {
        "image": Images(FEATURES),
        "words": Vocabulary(tuple("abcdefg"), words.numpy(), f"random, {width}-d", None),
    }


def network(name, settings, seed=0, task=SINGLE):
    """A network in float64 with every number drawn, those of its scale too; dropout is off."""
    model = registry.spec(name).build(task, encoders(seed), settings).double().eval()
    model.scale.mean.copy_(torch.randn(FEATURES))
    model.scale.scale.copy_(torch.rand(FEATURES) + 0.5)
    if name != "image":
        model.text.centre.copy_(torch.randn(WIDTH))
    return model


def numbers(model):
    return {name: value.detach().double().numpy() for name, value in model.state_dict().items()}


def pooled(vectors, how, width):
    """Component-wise maximum or mean of the vectors that are there; zeros where none is."""
    if not len(vectors):
        return np.zeros(width)
    return np.max(vectors, axis=0) if how == "max" else np.sum(vectors, axis=0) / len(vectors)


def text(values, tokens, settings):
    """ψ(s) of equations 7 to 9, minus the centre."""
    rows = [values["text.lookup.weight"][token] for token in tokens if token]
    shift = values["text.centre"] if rows else 0
    return pooled(rows, settings.pooling, values["text.lookup.weight"].shape[1]) - shift


def image(values, features):
    """γ(i): the features, each shifted and scaled by the training posts' own."""
    return (features - values["scale.mean"]) * values["scale.scale"]


def projected(values, features):
    """γ̃ of equation 11, with W̃ as it must be for the shapes to fit."""
    return values["project.weight"] @ image(values, features) + values["project.bias"]


def low_rank(values, x):
    hidden = values["classify.0.weight"] @ x + values["classify.0.bias"]
    return values["classify.1.weight"] @ hidden + values["classify.1.bias"]


def logits(name, values, batch, settings):
    """The logits of each post."""
    out = []
    pixels, words = (batch.inputs[key].numpy() for key in ("image", "words"))
    for features, tokens, (seen, told) in zip(pixels, words, batch.present.numpy(), strict=True):
        gamma, psi = image(values, features), None
        if name == "image":
            out.append(values["last.bias"] + (values["last.weight"] @ gamma if seen else 0))
            continue
        psi = text(values, tokens, settings)
        if name == "early":
            both = np.concatenate([gamma if seen else 0 * gamma, psi if told else 0 * psi])
        else:
            pair = [projected(values, features), psi]
            if settings.missing == "zero":
                zero = -values["text.centre"]  # as in the paper, which subtracts no centre
                there = [one if is_there else zero for one, is_there in zip(pair, (seen, told), strict=True)]
            else:
                there = [vector for vector, is_there in zip(pair, (seen, told), strict=True) if is_there]
            both = pooled(there, settings.fusion, len(psi))
        out.append(low_rank(values, both))
    return np.array(out)


def softmax(scores):
    """softmax, row by row."""
    return np.array([[math.exp(s) for s in row] for row in scores]) / np.exp(scores).sum(-1, keepdims=True)


def sigmoid(scores):
    """1 / (1 + e^−z), label by label."""
    return np.array([[1 / (1 + math.exp(-z)) for z in row] for row in scores])


def nll(scores, target):
    """The negative log-likelihood of each post: of its class, or the sum over its labels."""
    target = np.asarray(target)
    if target.ndim == 1:
        return [-math.log(p[label]) for p, label in zip(softmax(scores), target, strict=True)]
    return [
        -sum(math.log(p if y else 1 - p) for p, y in zip(row, labels, strict=True))
        for row, labels in zip(sigmoid(scores), target, strict=True)
    ]


def apart(gamma, psi, others):
    """Equation 13 as it is printed: Σ_j −log( e^{−d⁺} / (e^{−d⁺} + e^{−d⁻_j}) )."""
    near = math.exp(-math.dist(gamma, psi))
    return sum(-math.log(near / (near + math.exp(-math.dist(gamma, other)))) for other in others)


def common_loss(values, batch, settings):
    """Equation 14, each term a mean over the labelled posts that have it.

    λ · NLL of every post, and equation 13 of those with image, text and texts of other classes.
    """
    likelihoods = nll(logits("common", values, batch, settings), batch.target)
    held, distances = [], []
    for row, likelihood in enumerate(likelihoods):
        if not batch.labelled[row]:
            continue
        held.append(likelihood)
        own = int(batch.inputs["pattern"][row])
        if batch.present[row].all() and own >= 0:
            others = [
                text(values, other, settings) for other in batch.inputs["other_texts"][own].numpy().tolist()
            ]
            gamma = projected(values, batch.inputs["image"][row].numpy())
            psi = text(values, batch.inputs["words"][row].numpy(), settings)
            distances.append(apart(gamma, psi, others))
    return settings.weight * sum(held) / max(1, len(held)) + sum(distances) / max(1, len(distances))
