"""Near-duplicate images by the cosine of a network's features, which are kept in the feature cache.

All images are compared with all others: the time grows with the square of their number. Features of other
machines differ in their last digits, so a pair at the threshold may be linked on one machine and not on
another.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from affectory.core.tables import Folder
from collectors.store import media_path
from curation.duplicates.components import ALONE, Forest, Labels
from curation.duplicates.detector import Asked, Detector, Options

if TYPE_CHECKING:
    from affectory.encoders.image.backbones import Backbone

#: Rows of the matrix of similarities at a time.
_ROWS = 2048


class Embedding(Options):
    """`network` and `weights`: as `--backbone` and `--weights` of `baselines.run`; "": those published.

    `similarity`: the least cosine of duplicates. `drop_similarity`: the same for posts that the policy may
    drop; less than `similarity` is as much. `cache`: the folder of the features.
    """

    network: str = "mobilenet_v2"
    weights: str = ""
    similarity: Annotated[float, Field(gt=0, le=1)] = 0.9
    drop_similarity: Annotated[float, Field(gt=0, le=1)] = 0.98
    cache: Folder = "data/features"


def _groups(rows: pa.Table, asked: Asked) -> Labels:
    """Label rows of similar images alike; rows without an image are alone."""
    options: Embedding = asked.options
    labels = np.full(len(rows), ALONE, dtype=np.int64)
    has = np.flatnonzero(np.asarray(rows["image_sha256"].is_valid()))
    if len(has):
        taken = rows.select(["post_id", "image_sha256", "image_mime"]).take(pa.array(has))
        assert asked.store is not None
        features = _features(taken, asked.store, options)
        labels[has] = has[
            similar(
                features,
                max(options.similarity, options.drop_similarity) if asked.drop else options.similarity,
            )
        ]
    return labels


def _features(rows: pa.Table, store: Path, options: Embedding) -> NDArray[np.float16]:
    from affectory.encoders.image.features import ImageRef, extract

    images = [
        ImageRef(one["post_id"], one["image_sha256"], media_path(store, *_named(one)).read_bytes)
        for one in rows.to_pylist()
    ]
    return extract(images, _network(options), Path(options.cache))


def _network(options: Embedding) -> Backbone:
    from affectory.encoders.image.backbones import load_backbone

    return load_backbone(options.network, options.weights or None)


def _named(row: dict[str, Any]) -> tuple[str, str]:
    return row["image_sha256"], row["image_mime"]


def similar(features: NDArray[np.floating[Any]], least: float) -> Labels:
    """Label each row with the first row of its group: rows linked by cosines of at least `least`."""
    vectors = features.astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    forest = Forest(len(vectors))
    for start in range(0, len(vectors), _ROWS):
        left, right = np.nonzero(vectors[start : start + _ROWS] @ vectors[start:].T >= least)
        forest.link(left + start, right + start)
    return forest.labels()


DETECTOR = Detector(
    _groups,
    ("post_id", "image_sha256", "image_mime"),
    Embedding,
    network=lambda options: _network(options).weights_sha256,
)
