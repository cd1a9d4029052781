"""Image and text vectors of test posts in the space that a model shares between them, in two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from baselines.experiment import Fold, TestPosts
from baselines.plan import Setup
from baselines.results.schema import Projection

#: Posts drawn.
POSTS = 300


def projections(fold: Fold, setup: Setup) -> tuple[Projection, ...]:
    """Project image and text vectors of up to 300 test posts, by the first network of each such model.

    Of several labels there is no picture: a point has one colour.
    """
    test = fold.test
    both = np.flatnonzero((test.digests != "") & (test.texts != ""))
    drawn = np.random.default_rng(0).permutation(both)[:POSTS]
    if len(drawn) < 3 or fold.release.task.kind != "single":
        return ()
    part = test.take(np.sort(drawn))
    posts = TestPosts(fold.release, setup, part)
    found = []
    for model in setup.models:
        one = next((c for c in fold.networks.get((model, setup.conditions[0]), ()) if not c.problem), None)
        if one is None or not one.spec.shared_space:
            continue
        network: Any = one.network()
        with torch.no_grad():
            image, text = network.vectors(posts(one))
        points = _pca(torch.cat([image, text]).double().numpy())
        of_images, of_texts = (tuple((float(x), float(y)) for x, y in half) for half in np.split(points, 2))
        found.append(Projection(model, "PCA", of_images, of_texts, tuple(part.target.tolist())))
    return tuple(found)


def _pca(vectors: np.ndarray) -> np.ndarray:
    """Return the first two principal components, float[n, 2], each with its largest value positive."""
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    points = centred @ axes[:2].T
    signed: np.ndarray = points * np.sign(points[np.abs(points).argmax(0), np.arange(points.shape[1])])
    return signed
