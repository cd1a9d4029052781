"""What `python -m baselines.missing` found: `results/NAME/VERSION-missing/missing.json`.

Its table and page are made from this file and from nothing else. Metrics are fractions (0.8692, not 86.92).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from baselines.data.batch import Modality
from baselines.results import versioned
from baselines.results.schema import Dataset, Figure, LeftOut, Stopped, Trivial

SCHEMA = 1

#: Which posts lose the modality: training and validation posts, test posts, or all of them.
Protocol = Literal["train", "test", "both"]

PROTOCOLS: tuple[Protocol, ...] = ("train", "test", "both")


class Point(msgspec.Struct, frozen=True):
    """A model at a rate. `gap`: why it can't be trained there; it then has no metrics."""

    rate: float
    metrics: dict[str, Figure]
    gap: str = ""


class Line(msgspec.Struct, frozen=True):
    """A model's scores by rate, for a modality and a protocol.

    `area`: the headline metric's area under the line, divided by the range of the rates: a mean score. At a
    gap the trivial prediction counts.
    """

    model: str
    modality: Modality
    protocol: Protocol
    points: tuple[Point, ...]
    area: Figure | None  # None where no seed is left

    @property
    def gaps(self) -> tuple[Point, ...]:
        """The points at which the model can't be trained."""
        return tuple(point for point in self.points if point.gap)


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the run. `complete`: its metrics without losses."""

    model: str  # "joint"
    title: str
    family: str
    reads: tuple[Modality, ...]
    complete: dict[str, Figure]
    settings: dict[str, str | int | float | bool | None]
    seconds: float  # of training, all networks together
    stopped: tuple[Stopped, ...] = ()
    notes: tuple[str, ...] = ()


class Scored(msgspec.Struct, frozen=True):
    """A row of text-only posts: the headline metric on posts whose image is gone, and on test posts' texts.

    `model`: "" for the trivial prediction.
    """

    model: str
    gone: Figure
    at_random: Figure


class Gone(msgspec.Struct, frozen=True):
    """The posts whose image is gone: their number, what was left out, and each model's scores on their texts.

    `note`: why there is none. `tests`: the number of test posts with a text.
    """

    posts: int
    tests: int
    left_out: dict[str, int]
    scored: tuple[Scored, ...] = ()
    note: str = ""


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    schema: int = SCHEMA
    dataset: Dataset
    rates: tuple[float, ...]
    modalities: tuple[Modality, ...]
    models: tuple[Model, ...]
    lines: tuple[Line, ...]
    gone: Gone
    trivial: Trivial
    headline: str  # the metric of the areas
    metrics: dict[str, str]  # the metrics of the task in the order of a table, with their titles
    masks: str  # sha256 of masks.json
    seeds: tuple[int, ...]
    preset: str
    networks: dict[str, str]  # "backbone": "mobilenet_v2 bd6e02e4f7a50050", where a model reads it
    command: str
    device: str
    date: str  # 2026-11-22
    tools: dict[str, str]  # name -> version
    left_out: tuple[LeftOut, ...] = ()
    report: str = ""  # as of `schema.Results`

    def line(self, model: str, modality: str, protocol: str) -> Line:
        """Return the line of a model."""
        wanted = (model, modality, protocol)
        return next(one for one in self.lines if (one.model, one.modality, one.protocol) == wanted)

    @property
    def percent(self) -> bool:
        """Whether the headline metric is written in percent."""
        return self.metrics[self.headline].endswith("%")

    def write(self, folder: Path) -> Path:
        """Write `missing.json`."""
        return versioned.write(folder / "missing.json", self)


def read(folder: Path) -> Missing:
    """Read `missing.json` of a run. Errors as of `versioned.read`."""
    return versioned.read(folder / "missing.json", Missing, SCHEMA)
