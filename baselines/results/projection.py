"""Image and text vectors of test posts in the space that a model shares between them, in two dimensions."""

from __future__ import annotations

import numpy as np
import torch

from baselines import models
from baselines.data import inputs
from baselines.experiment import Fold, Setup
from baselines.results.schema import Projection

#: Posts drawn.
POSTS = 300


def projections(fold: Fold, setup: Setup) -> tuple[Projection, ...]:
    """Project γ̃ and ψ of up to 300 test posts with both, by the first joint and common space fusion."""
    test = fold.test
    both = np.flatnonzero((test.digests != "") & (test.texts != ""))
    chosen = np.random.default_rng(0).permutation(both)[:POSTS]
    if len(chosen) < 3:
        return ()
    part = test.take(np.sort(chosen))
    found = []
    for model in ("joint", "common"):
        one = next((c for c in fold.networks.get(model, ()) if not c.problem), None)
        if one is None or model not in setup.models:
            continue
        network = one.network()
        assert isinstance(network, models.JointFusion)
        images = setup.images_of(one, fold.words.release)
        batch = inputs.batch(part, images, one.tokens(part.texts.tolist()).numpy())
        with torch.no_grad():
            image, text = network.vectors(batch)
        points = _pca(torch.cat([image, text]).double().numpy())
        of_images, of_texts = (tuple((float(x), float(y)) for x, y in half) for half in np.split(points, 2))
        found.append(Projection(model, "PCA", of_images, of_texts, tuple(part.labels.tolist())))
    return tuple(found)


def _pca(vectors: np.ndarray) -> np.ndarray:
    """Return the first two principal components, float[n, 2], each with its largest value positive."""
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    points = centred @ axes[:2].T
    signed: np.ndarray = points * np.sign(points[np.abs(points).argmax(0), np.arange(points.shape[1])])
    return signed
