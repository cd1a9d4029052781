"""Pictures of test posts in two dimensions: image and text in a shared space, and features of a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.data.release import Part, Release
from baselines.experiment import Fold, PartPosts
from baselines.models.base import Model
from baselines.plan import Setup
from baselines.results.schema import Projection

#: Posts drawn.
POSTS = 300

_Points = tuple[tuple[float, float], ...]


def projections(fold: Fold, setup: Setup) -> tuple[Projection, ...]:
    """Project what models show of up to 300 test posts, by the first network of each in the first condition.

    A point has one colour: of several labels that of the rarest. A picture that another model has too is of
    the first one.
    """
    test = fold.test
    both = np.flatnonzero((test.digests != "") & (test.texts != ""))
    drawn = np.random.default_rng(0).permutation(both)[:POSTS]
    if len(drawn) < 3:
        return ()
    part = test.take(np.sort(drawn))
    posts = PartPosts(fold.release, setup, part)
    labels = colours(part, fold.release)
    found: list[Projection] = []
    for model in setup.models:
        one = next((c for c in fold.networks.get((model, setup.conditions[0]), ()) if not c.problem), None)
        if one is None or one.spec.build is None:
            continue
        network = one.network()
        if type(network).pictures is Model.pictures:  # it shows nothing: its inputs aren't needed
            continue
        with torch.inference_mode():
            shown = {name: made.double().numpy() for name, made in network.pictures(posts(one)).items()}
        if one.spec.shared_space:
            halves = _pca([shown.pop("image"), shown.pop("text")])
            found.append(Projection(model, "PCA", halves[0], halves[1], labels))
        for name, made in shown.items():
            [points] = _pca([made])
            if all((one.kind, one.posts) != (name, points) for one in found):  # raw features are any model's
                found.append(Projection(model, "PCA", (), (), labels, name, points))
    return tuple(found)


def colours(part: Part, release: Release) -> tuple[int, ...]:
    """Return the label that a post is coloured by: of several the one rarest in training, -1 without any."""
    if part.target.ndim == 1:
        return tuple(part.target.tolist())
    posts = np.array(list(release.counts()["train"].values()))
    rank = np.where(part.target > 0, posts, np.inf)
    return tuple(np.where(part.target.any(1), rank.argmin(1), -1).tolist())


def _pca(groups: Sequence[NDArray[np.float64]]) -> list[_Points]:
    """Return the first two principal components of all rows, group by group: (x, y) each.

    Each component has its largest value positive. Where there is one dimension only, y is 0.
    """
    vectors = np.concatenate(groups)
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    points = centred @ axes[:2].T
    points = points * np.sign(points[np.abs(points).argmax(0), np.arange(points.shape[1])])
    points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    ends = np.cumsum([len(group) for group in groups])[:-1]
    return [tuple((float(x), float(y)) for x, y in group) for group in np.split(points, ends)]
