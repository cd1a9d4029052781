"""What a run of the baselines found: `results/NAME/VERSION/results.json`.

Its tables and page are made from it and from `predictions.parquet` beside it, and from nothing else.

Metrics are fractions (0.8692, not 86.92).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa

from baselines.results import versioned

SCHEMA = 2

#: One row a post, model, condition, seed and mode: `predictions.parquet`.
PREDICTIONS = pa.schema(
    [
        ("post_id", pa.string()),
        ("image_index", pa.int16()),
        ("fold", pa.int16()),  # null without folds
        ("group", pa.string()),  # its group of near-duplicates, or the post where it has none
        ("labels", pa.list_(pa.string())),  # one, or those of several that the post has
        ("model", pa.string()),
        ("condition", pa.string()),  # `Condition.text`; "" for the usual one
        ("seed", pa.int32()),
        ("mode", pa.string()),
        ("predicted", pa.list_(pa.string())),
        ("probabilities", pa.list_(pa.float32())),  # in the order of `Dataset.labels`
    ]
)


class Interval(msgspec.Struct, frozen=True):
    """A 95% confidence interval."""

    low: float
    high: float


class Figure(msgspec.Struct, frozen=True):
    """The mean of a metric over seeds, with the value of each seed.

    `interval` is that of the mean over seeds (Student's t). `sampled` also includes the choice of the test
    posts: it is the one to compare with another paper's figure. Both are None with fewer than three seeds,
    `sampled` also where the test posts form fewer than ten groups.
    """

    mean: float
    values: tuple[float, ...]
    interval: Interval | None = None
    sampled: Interval | None = None


class LabelScore(msgspec.Struct, frozen=True):
    """Scores of one class or label, means over seeds; `support` is its number of test posts."""

    precision: float
    recall: float
    f1: float
    support: int
    auc: float | None = None  # of several labels


class Scores(msgspec.Struct, frozen=True):
    """A model's scores in one mode.

    `confusion`: posts by true and predicted class, or by label and outcome ("true positive", …), means over
    seeds. `collapsed`: the answer of each seed that answers every post alike, a class or a set of labels.
    """

    metrics: dict[str, Figure]
    by_label: dict[str, LabelScore]
    confusion: dict[str, dict[str, float]]
    collapsed: tuple[tuple[str, ...], ...] = ()


class Stopped(msgspec.Struct, frozen=True):
    """A seed that was stopped because its loss became NaN or infinite, with the reason."""

    seed: int
    reason: str


class Condition(msgspec.Struct, frozen=True):
    """What training had less or more of than usual.

    `labelled`: the share of training posts whose labels were used. `pairs`: the share of pairs of image and
    text; `unpaired`: whether image-only and text-only posts were trained on too. `missing`: the modality
    that a share of the posts, `rate`, had lost.
    """

    labelled: float | None = None
    pairs: float | None = None
    unpaired: bool = False
    missing: Literal["", "image", "text"] = ""
    rate: float = 0.0

    @property
    def text(self) -> str:
        """The condition in words: "30% labelled"; "" for the usual one."""
        told = [] if self.labelled is None else [f"{100 * self.labelled:g}% labelled"]
        told += [] if self.pairs is None else [f"{100 * self.pairs:g}% of the pairs"]
        told += ["with unpaired posts"] if self.unpaired else []
        told += [f"{100 * self.rate:g}% without {self.missing}s"] if self.missing else []
        return ", ".join(told)

    @property
    def slug(self) -> str:
        """The condition as a part of a file's name: "labelled30"; "" for the usual one."""
        told = [] if self.labelled is None else [f"labelled{100 * self.labelled:g}"]
        told += [] if self.pairs is None else [f"pairs{100 * self.pairs:g}"]
        told += ["unpaired"] if self.unpaired else []
        told += [f"no-{self.missing}{100 * self.rate:g}"] if self.missing else []
        return "-".join(told)


#: The condition of a row that is trained on all that it reads.
USUAL = Condition()


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the table, in one condition."""

    model: str  # "joint"
    title: str  # "Joint fusion (max)"
    family: str  # "duong2017"
    modes: dict[str, Scores]  # by mode; without those that it has no input for
    settings: dict[str, str | int | float | bool | None]
    preset: str  # "affectory", or a paper's: "duong2017"
    tuned: bool
    seconds: float
    corrected: bool = False  # whether answers to one modality of two are corrected on validation posts
    balanced: bool = False  # whether classes weighed alike in training
    #: The validation score that chose epochs and settings; None: the model's own rule.
    select: str | None = None
    condition: Condition = USUAL
    backbone: str | None = None  # "mobilenet_v2"
    weights: str | None = None  # the first digits of the weights' digest, or "random"
    squash: bool | None = None  # whether images were squashed to a square; None: no features of images
    side: int | None = None  # of that square, where it isn't the network's own
    vectors: str | None = None  # "glove.twitter.25d.12k.txt, 25-d", or "random, 200-d"
    text_encoder: str | None = None  # "sentence-transformers/all-MiniLM-L6-v2 0f1e2d3c4b5a6978"
    #: The paper's names of the row by mode, where each mode has its own: {"image": "SM_I", …}.
    names: dict[str, str] = {}
    stopped: tuple[Stopped, ...] = ()
    #: The headline metric on validation after each epoch of the last stage, of each network: by seed, fold by
    #: fold. Runs of earlier versions with folds have none.
    history: tuple[tuple[float, ...], ...] = ()
    #: The losses of training and of validation in these epochs, likewise. Runs of earlier versions have none.
    losses: tuple[tuple[tuple[float | None, float | None], ...], ...] = ()
    #: Each departure from the paper's row; empty for a reproduction.
    differs: tuple[str, ...] = ()
    #: What else a reader has to know.
    notes: tuple[str, ...] = ()


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two neighbouring rows compared on the same test posts: the metric of `second` minus that of `first`.

    `p` is that of the paired bootstrap, two-sided; `p_holm` is corrected for the number of pairs in the table
    (Holm 1979). Without an interval there were fewer than three seeds or ten groups of posts. `p_t` is that
    of a paired t-test over seeds, which papers report: it leaves the choice of test posts out.
    """

    first: int  # the number of the row in `Results.rows`, from 0
    second: int
    mode: str
    metric: str
    difference: float
    interval: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    p_t: float | None = None


class Trivial(msgspec.Struct, frozen=True):
    """A prediction that reads no post: "Always 'joy'", with its metrics on the test posts."""

    title: str
    metrics: dict[str, float]


class LeftOut(msgspec.Struct, frozen=True):
    """A model that was asked for and can't be trained on this release."""

    model: str
    reason: str


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """The release."""

    name: str
    version: str
    task: str  # "single" or "several" labels a post
    labels: tuple[str, ...]
    counts: dict[str, dict[str, int]]  # split -> label -> posts
    posts: dict[str, int]  # split -> labelled posts
    unlabelled: int = 0  # training posts without a label
    folds: int | None = None  # k of the cross-validation; None for the release's splits
    generated: str = ""  # the note on generated posts: "generated posts: not results"


class Projection(msgspec.Struct, frozen=True):
    """Vectors of test posts in a model's first condition, in two dimensions: a picture of the page.

    Of `kind` "shared", image and text vectors in one space: `images` and `texts` are (x, y), one each a post.
    Of any other, such as "raw" or "cooked", one vector a post: `posts`. `labels` are numbers of
    `Dataset.labels`; of several labels the rarest one of the post, or -1 without any.
    """

    model: str
    method: str  # "PCA"
    images: tuple[tuple[float, float], ...]
    texts: tuple[tuple[float, float], ...]
    labels: tuple[int, ...]
    kind: str = "shared"
    posts: tuple[tuple[float, float], ...] = ()


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    schema: int = SCHEMA
    dataset: Dataset
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    trivial: Trivial
    metrics: dict[str, str]  # the metrics of the task in the order of a table, with their titles
    command: str
    device: str
    date: str  # 2026-11-22
    tools: dict[str, str]  # name -> version
    out_of_vocabulary: float | None = None  # share of the training tokens without a vector
    left_out: tuple[LeftOut, ...] = ()
    projections: tuple[Projection, ...] = ()
    report: str = ""  # the release's report as seen from the run's folder; "" for one that isn't a file here

    def write(self, folder: Path) -> Path:
        """Write `results.json`."""
        return versioned.write(folder / "results.json", self)


def read(folder: Path) -> Results:
    """Read `results.json` of a run. Errors as of `versioned.read`."""
    return versioned.read(folder / "results.json", Results, SCHEMA)
