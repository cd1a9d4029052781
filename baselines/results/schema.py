"""What a run of the baselines found: `results/<dataset>/<version>/results.json`, and nothing else is needed
to make its tables and page again but `predictions.parquet` beside it.

Shares are fractions (0.8692, not 86.92). An interval is the 95% confidence interval of a mean over seeds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa

from affectory.core import files

SCHEMA = 1

#: Which modalities a model was given at test.
Mode = Literal["both", "image", "text"]

#: One row a post, model, seed and mode: `predictions.parquet`.
PREDICTIONS = pa.schema(
    [
        ("post_id", pa.string()),
        ("image_index", pa.int16()),
        ("fold", pa.int16()),  # null without folds
        ("label", pa.string()),
        ("model", pa.string()),
        ("seed", pa.int32()),
        ("mode", pa.string()),
        ("predicted", pa.string()),
        ("probabilities", pa.list_(pa.float32())),  # in the order of `Dataset.classes`
    ]
)


class Figure(msgspec.Struct, frozen=True):
    """A mean over seeds with its 95% interval (Student's t), and the value of each seed."""

    mean: float
    low: float
    high: float
    values: tuple[float, ...]


class ClassScore(msgspec.Struct, frozen=True):
    """Precision, recall and F1 of one class, means over seeds; `support` is its number of test posts."""

    precision: float
    recall: float
    f1: float
    support: int


class Scores(msgspec.Struct, frozen=True):
    """A model's scores in one mode."""

    accuracy: Figure
    f1_macro: Figure
    f1_micro: Figure
    f1_weighted: Figure
    per_class: dict[str, ClassScore]
    confusion: tuple[tuple[float, ...], ...]  # [true][predicted], posts, mean over seeds


class Stopped(msgspec.Struct, frozen=True):
    """A seed that was stopped because its loss became NaN or infinite, with the reason."""

    seed: int
    reason: str


class Row(msgspec.Struct, frozen=True):
    """One model of the table."""

    model: str  # "joint"
    title: str  # "Joint fusion (max)"
    modes: dict[str, Scores]  # by `Mode`; without those that it has no input for
    settings: dict[str, str | int | float | bool | None]
    tuned: bool
    seconds: float
    backbone: str | None = None  # "mobilenet_v2"
    weights: str | None = None  # the first digits of the weights' digest, or "random"
    vectors: str | None = None  # "glove.twitter.25d.12k.txt, 25-d", or "random"
    stopped: tuple[Stopped, ...] = ()
    #: What differs from the paper's row; empty for a reproduction.
    differs: tuple[str, ...] = ()


class Pair(msgspec.Struct, frozen=True):
    """Two neighbouring rows compared by paired bootstrap over test posts: accuracy of `second` - `first`."""

    first: str
    second: str
    mode: str
    difference: float
    low: float
    high: float
    p: float  # two-sided


class LeftOut(msgspec.Struct, frozen=True):
    """A model that was asked for and can't be trained on this release."""

    model: str
    reason: str


class Dataset(msgspec.Struct, frozen=True):
    """The release."""

    name: str
    version: str
    classes: tuple[str, ...]
    counts: dict[str, dict[str, int]]  # split -> class -> posts
    folds: int | None = None  # k of the cross-validation; None for the release's splits
    generated: str = ""  # the note on generated posts: "generated posts: not results"


class Projection(msgspec.Struct, frozen=True):
    """Image and text vectors of test posts in a model's shared space, in two dimensions.

    `images` and `texts` are (x, y), one each a post; `labels` are numbers of `Dataset.classes`.
    """

    model: str
    method: str  # "t-SNE" or "PCA"
    images: tuple[tuple[float, float], ...]
    texts: tuple[tuple[float, float], ...]
    labels: tuple[int, ...]


class Results(msgspec.Struct, frozen=True):
    """One run."""

    schema: int
    dataset: Dataset
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    command: str
    device: str
    date: str  # 2026-11-22
    tools: dict[str, str]  # name -> version
    out_of_vocabulary: float | None = None  # share of the training tokens without a vector
    left_out: tuple[LeftOut, ...] = ()
    projections: tuple[Projection, ...] = ()

    def write(self, folder: Path) -> Path:
        """Write `results.json`."""
        return files.write(folder / "results.json", msgspec.json.format(msgspec.json.encode(self), indent=1))


def read(folder: Path) -> Results:
    """Read `results.json` of a run."""
    return msgspec.json.decode((folder / "results.json").read_bytes(), type=Results)
