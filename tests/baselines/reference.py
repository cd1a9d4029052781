"""The models of Duong et al. 2017, section 3, post by post in NumPy and float64, from the paper's formulas.

`values` holds a network's numbers by name, `settings` its choices; a post is an image float[D], the ids of
its words, and whether image and text are there.
"""

import math

import numpy as np
import torch

from baselines.data.batch import Batch
from baselines.models import make

FEATURES, WIDTH, WORDS, CLASSES = 5, 4, 9, 3


def posts(n=6, seed=0, present=None):
    """n posts with texts of 1 to 4 words; both modalities are there unless `present` tells otherwise."""
    rng = np.random.default_rng(seed)
    tokens = np.zeros((n, 4), np.int64)
    for row in range(n):
        length = 1 + row % 4
        tokens[row, :length] = rng.integers(1, WORDS, length)
    there = np.ones((n, 2), bool) if present is None else np.array(present, bool)
    return Batch(
        torch.from_numpy(rng.normal(3, 2, (n, FEATURES))),
        torch.from_numpy(tokens),
        torch.from_numpy(there),
        torch.from_numpy(rng.integers(0, CLASSES, n)),
    )


def negatives(n, g, seed=0):
    """g other posts for each of n, int64[n, g]; the first has none."""
    drawn = (np.arange(n)[:, None] + np.random.default_rng(seed).integers(1, n, (n, g))) % n
    drawn[0] = -1
    return torch.from_numpy(drawn)


def network(name, settings, seed=0):
    """A network in float64 with every number drawn, those of its scale too; dropout is off."""
    torch.manual_seed(seed)
    words = torch.randn(WORDS, WIDTH, dtype=torch.float64)
    words[0] = 0
    model = make(name, FEATURES, words, CLASSES, settings).double().eval()
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
    """ψ(s) of section 3.2, counted from its centre."""
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
    for features, tokens, (seen, told), _ in zip(*(part.numpy() for part in batch), strict=True):
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
                zero = -values["text.centre"]  # as the paper counts, without a centre
                there = [one if is_there else zero for one, is_there in zip(pair, (seen, told), strict=True)]
            else:
                there = [vector for vector, is_there in zip(pair, (seen, told), strict=True) if is_there]
            both = pooled(there, settings.fusion, len(psi))
        out.append(low_rank(values, both))
    return np.array(out)


def probabilities(scores):
    """softmax, row by row."""
    return np.array([[math.exp(s) for s in row] for row in scores]) / np.exp(scores).sum(-1, keepdims=True)


def nll(scores, labels):
    return [-math.log(p[label]) for p, label in zip(probabilities(scores), labels, strict=True)]


def apart(gamma, psi, others):
    """Equation 13 as it is printed: Σ_j −log( e^{−d⁺} / (e^{−d⁺} + e^{−d⁻_j}) )."""
    near = math.exp(-math.dist(gamma, psi))
    return sum(-math.log(near / (near + math.exp(-math.dist(gamma, other)))) for other in others)


def common_loss(values, batch, drawn, settings):
    """Equation 14, the mean over the posts: λ · NLL, and equation 13 for posts with both and others."""
    likelihoods = nll(logits("common", values, batch, settings), batch.label.tolist())
    total = 0.0
    for row, likelihood in enumerate(likelihoods):
        total += settings.weight * likelihood
        if batch.present[row].all() and (drawn[row] >= 0).all():
            others = [text(values, batch.tokens[other].numpy(), settings) for other in drawn[row]]
            gamma = projected(values, batch.image[row].numpy())
            total += apart(gamma, text(values, batch.tokens[row].numpy(), settings), others)
    return total / len(likelihoods)
