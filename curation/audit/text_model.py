"""A cheap model of texts: multinomial logistic regression on TF-IDF word counts.

Every build of a release with labels fits it, for the report. On the texts of MAMI and of the published Reddit
index it predicts as many labels as scikit-learn's, whose import alone takes longer than this does for 10,000
texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from curation.audit.rows import Array

#: The most words, and the fewest texts that a word must be in.
WORDS, TEXTS_OF_WORD = 50_000, 2
#: The inverse strength of the regularisation, and the steps of gradient descent.
STRENGTH, STEPS = 3.0, 120


def out_of_fold(texts: Sequence[str], given: Array, fold: Array) -> Array:
    """Return the probability of each class for each text, from a model that hasn't seen the text's fold.

    `texts` are words between single spaces, `given` are their classes, 0 to k - 1.
    """
    classes = int(given.max()) + 1
    features = _features(texts)
    probabilities = np.zeros((len(texts), classes))
    for held in np.unique(fold):
        seen = np.flatnonzero(fold != held)
        other = np.flatnonzero(fold == held)
        if not len(seen):
            probabilities[other] = 1 / classes
            continue
        weights = _fit(features[seen], given[seen], classes)
        probabilities[other] = _softmax(features[other] @ weights)
    return probabilities


def _features(texts: Sequence[str]) -> Any:
    """Return a sparse row for each text: (1 + log count) times idf, of length 1, and a one."""
    from scipy import sparse  # type: ignore[import-untyped]

    codes: dict[str, int] = {}
    words: list[int] = []
    lengths: list[int] = []
    for text in texts:
        mine = [codes.setdefault(word, len(codes)) for word in text.split(" ")]
        words += mine
        lengths.append(len(mine))
    owners = np.repeat(np.arange(len(texts)), lengths)
    counts = sparse.csr_array(
        (np.ones(len(words), np.float32), (owners, np.array(words))), shape=(len(texts), len(codes))
    )
    counts.sum_duplicates()
    held = np.bincount(counts.indices, minlength=len(codes))
    kept = np.flatnonzero(held >= TEXTS_OF_WORD)
    kept = np.sort(kept[np.lexsort((kept, -held[kept]))[:WORDS]])
    counts = counts[:, kept]
    counts.data = 1 + np.log(counts.data)
    idf = (np.log((1 + len(texts)) / (1 + held[kept])) + 1).astype(np.float32)
    weighted = counts.multiply(idf[None, :]).tocsr()
    norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    scaled = weighted.multiply(1 / np.maximum(norms, 1e-12)[:, None]).tocsr().astype(np.float32)
    return sparse.hstack([scaled, np.ones((len(texts), 1), np.float32)], format="csr")


def _fit(features: Any, given: Array, classes: int) -> Array:
    """Return the weights (float[feature, class]) after `STEPS` of Nesterov's accelerated gradient descent."""
    rows = features.shape[0]
    turned = features.T.tocsr()
    target = np.zeros((rows, classes), dtype=np.float32)
    target[np.arange(rows), given] = 1
    decay = np.float32(1 / (STRENGTH * rows))
    rate = np.float32(1 / (0.5 * _curvature(features, turned) / rows + decay))
    weights = np.zeros((features.shape[1], classes), dtype=np.float32)
    ahead = weights
    for step in range(STEPS):
        slope = turned @ (_softmax(features @ ahead) - target) / rows + decay * ahead
        after = ahead - rate * slope
        ahead = after + np.float32(step / (step + 3)) * (after - weights)
        weights = after
    return weights


def _curvature(features: Any, turned: Any) -> float:
    """Return the largest eigenvalue of the features' scatter matrix, by power iteration."""
    direction = np.ones(features.shape[1], dtype=np.float32)
    largest = 1.0
    for _ in range(10):
        direction = turned @ (features @ direction)
        largest = float(np.linalg.norm(direction))
        direction = direction / np.float32(largest)
    return 1.05 * largest


def _softmax(scores: Array) -> Array:
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))
