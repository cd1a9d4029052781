"""The models that were also trained with fewer pairs: their scores by the share of pairs that was kept.

As Figure 3 of Pagé Fortin and Chaib-draa 2019: of the other pairs either one side is trained on ("with
unpaired posts") or nothing ("pairs alone").

    for curve in curves(results):
        curve.title                                  # "Cm"
        [point.share for point in curve.points]      # [0.001, 0.01, 0.05, 0.25, 1.0]
        curve.points[0].unpaired.mean                # 0.841
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from baselines.results import comparison as c
from baselines.results.formatting import Theirs
from baselines.results.published import Printed
from baselines.results.schema import Condition, Figure, Interval, Pair, Results, Row

_ALL, _ALL_UNPAIRED = Condition(), Condition(unpaired=True)


@dataclass(frozen=True, slots=True)
class Point:
    """A share of the pairs, with our two figures and the paper's.

    `together`: the two figures are of one row, as all pairs are kept and the release has no unpaired posts.
    `pair` compares the two rows: with unpaired posts − pairs alone.
    """

    share: float
    unpaired: Figure | None
    alone: Figure | None
    their_unpaired: Theirs | None
    their_alone: Theirs | None
    together: bool
    pair: Pair | None

    @property
    def difference(self) -> float | None:
        """With unpaired posts − pairs alone; None where one of them is missing or both are one row."""
        if self.together or self.unpaired is None or self.alone is None:
            return None
        return self.unpaired.mean - self.alone.mean


@dataclass(frozen=True, slots=True)
class Level:
    """A model of one modality, trained on all pairs: a horizontal line."""

    title: str
    mode: str
    figure: Figure
    theirs: Theirs | None


@dataclass(frozen=True, slots=True)
class Curve:
    """The headline metric of a model in one mode, by share of pairs in ascending order."""

    title: str  # "Cm", "Cv (image only)"
    mode: str
    metric: str
    points: tuple[Point, ...]
    levels: tuple[Level, ...]
    printed: tuple[Printed, ...]  # the paper's lines that are shown

    @property
    def compares(self) -> bool:
        """Whether the paper has a figure for a point."""
        return any(point.their_alone or point.their_unpaired for point in self.points)


def curves(results: Results) -> list[Curve]:
    """Return the curves of a run, those of a model together: with all inputs first."""
    found = []
    for model in dict.fromkeys(row.model for row in results.rows if row.condition.pairs is not None):
        rows = {row.condition: row for row in results.rows if row.model == model}
        one = next(iter(rows.values()))
        modes = sorted(c.named_modes(one), key=lambda mode: mode != "both")
        found += [_curve(results, rows, one, mode) for mode in modes]
    return found


def _curve(results: Results, rows: dict[Condition, Row], one: Row, mode: str) -> Curve:
    metric = c.headline(results)
    paper = c.reporting(results, one.family)
    printed: list[Printed] = []

    def theirs(model: str, of: str, condition: Condition) -> Theirs | None:
        line = paper.figure(model, of, condition) if paper else None
        if line is None or metric not in line.metrics:
            return None
        printed.append(line)
        return Theirs(line.metrics[metric], metric in line.doubtful)

    points = []
    for share in sorted({1.0, *(known.pairs for known in rows if known.pairs is not None)}):
        alone, unpaired = Condition(pairs=share), Condition(pairs=share, unpaired=True)
        if share == 1.0:  # the usual rows keep all pairs
            alone = alone if alone in rows else _ALL
            unpaired = unpaired if unpaired in rows else _ALL_UNPAIRED
        together = share == 1.0 and unpaired not in rows
        first, second = rows.get(alone), rows.get(alone if together else unpaired)
        if first is None and second is None:
            continue
        points.append(
            Point(
                share,
                c.figure(second, mode, metric) if second else None,
                c.figure(first, mode, metric) if first else None,
                theirs(one.model, mode, unpaired),
                theirs(one.model, mode, alone),
                together,
                _compared(results, first, second, mode, metric),
            )
        )
    levels = []
    for row in results.rows:
        reads = c.single(row)
        if row.family != one.family or row.condition != _ALL or reads is None or mode not in ("both", reads):
            continue
        if (value := c.figure(row, reads, metric)) is not None:
            levels.append(Level(c.called(row, reads), reads, value, theirs(row.model, reads, _ALL)))
    name = one.names.get(mode, one.title) + c.given(mode)
    return Curve(name, mode, metric, tuple(points), tuple(levels), tuple(printed))


def _compared(
    results: Results, alone: Row | None, unpaired: Row | None, mode: str, metric: str
) -> Pair | None:
    """Return the comparison of two rows as with unpaired posts − pairs alone; None if there is none."""
    if alone is None or unpaired is None:
        return None
    places = results.rows.index(alone), results.rows.index(unpaired)
    for pair in results.pairs:
        if (pair.mode, pair.metric) != (mode, metric):
            continue
        if (pair.first, pair.second) == places:
            return pair
        if (pair.second, pair.first) == places:
            turned = pair.interval and Interval(-pair.interval.high, -pair.interval.low)
            return msgspec.structs.replace(
                pair, first=places[0], second=places[1], difference=-pair.difference, interval=turned
            )
    return None
