"""The page's charts as inline SVG: dot plots in tables, confusion of classes or labels, scatter plots."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from affectory.core.html.charts import WIDTH, line, rect, short, svg, text
from affectory.core.html.markup import Html, clip, h
from affectory.core.html.parts import colour
from baselines.results.curve import Curve
from baselines.results.page.axes import Axis, tenths
from baselines.results.schema import Figure, Projection

#: With more classes than this, a confusion matrix has no numbers in its cells.
_NUMBERED = 10
#: The most characters of a class's name beside a confusion matrix.
_NAME = 13
#: A circle of radius 2.5 as a path from its leftmost point: all circles of a class are one element.
_CIRCLE = "a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0"

#: A mark on a scale: our figure or the paper's value, and the CSS class of its colour.
Mark = tuple[Figure | float, str]


def dots(marks: Sequence[Mark], ends: tuple[float, float], label: str, chance: float | None = None) -> Html:
    """Draw one row of a dot plot: our means with their intervals, the papers' values as upright ticks.

    `chance`, the trivial prediction's value, is a line through all rows.

    The drawing stretches to its cell. Strokes keep their width (`vector-effect`), so a dot is a stroke of
    length zero with round ends.
    """
    start, end = ends

    def at(value: float) -> float:
        return min(max(1000 * (value - start) / (end - start), 0), 1000)

    drawn = []
    for tenth in range(round(start * 10), round(end * 10) + 1):
        drawn.append(line(at(tenth / 10), 0, at(tenth / 10), 24, "grid"))
    if chance is not None:
        drawn.append(line(at(chance), 0, at(chance), 24, "chance"))
    for value, cls in marks:
        if isinstance(value, float):
            drawn.append(line(at(value), 3, at(value), 21, f"paper {cls}"))
    for value, cls in marks:
        if isinstance(value, Figure):
            if value.interval:
                low, high = at(value.interval.low), at(value.interval.high)
                drawn.append(line(low, 12, high, 12, f"spread {cls}"))
            drawn.append(line(at(value.mean), 12, at(value.mean), 12, f"mean {cls}"))
    return svg(1000, 24, label, *drawn, cls="dots", preserveAspectRatio="none")


def confusion(cells: Mapping[str, Mapping[str, float]], names: Sequence[str], label: str) -> Html:
    """Draw a confusion matrix: rows are true classes, columns predicted ones, cells percentages of a row."""
    longest = min(max(map(len, names)), _NAME)
    left, top = 14 + 5.6 * longest, 16 + 4.2 * longest
    step = (WIDTH - left - 6) / len(names)
    drawn = [text(0, 10, "predicted →", "start"), text(0, top - 6, "true ↓", "start")]
    for place, name in enumerate(names):
        middle = step * (place + 0.5)
        drawn.append(text(left - 6, top + middle + 3.5, clip(name, _NAME), "end"))
        turned = f"translate({short(left + middle - 2)} {short(top - 6)}) rotate(-40)"
        drawn.append(h("text", clip(name, _NAME), transform=turned))
    for true, name in enumerate(names):
        row = cells[name]
        whole = sum(row.values())
        for predicted, posts in enumerate(row[guess] for guess in names):
            share = posts / whole if whole else 0.0
            x, y = left + step * predicted, top + step * true
            tip = f"{names[true]} predicted as {names[predicted]}: {posts:.1f} of {whole:.0f} posts"
            cell = rect(x, y, step - 1, step - 1, "ink")
            parts = [h("title", tip), h("g", cell, opacity=f"{0.05 + 0.95 * share:.2f}")]
            if len(names) <= _NUMBERED:
                side = "cell on" if share > 0.55 else "cell"
                parts.append(text(x + step / 2, y + step / 2 + 3.5, f"{100 * share:.0f}", "middle", side))
            drawn.append(h("g", *parts))
    return svg(WIDTH, top + step * len(names) + 4, label, *drawn)


#: The outcomes of a label as in `Scores.confusion`, with their CSS classes and their short names.
OUTCOMES = (
    ("true positive", "hit", "found"),
    ("false negative", "missed", "missed"),
    ("false positive", "false", "wrongly predicted"),
    ("true negative", "rest", "rightly not predicted"),
)


def outcomes(cells: Mapping[str, Mapping[str, float]], names: Sequence[str], label: str) -> Html:
    """Draw a bar per label: the posts by outcome, true positives first."""
    height, step = 16.0, 36.0
    drawn = []
    for place, name in enumerate(names):
        y = step * place + 14
        drawn.append(text(0, y - 4, clip(name, 40), "start"))
        whole = sum(cells[name].values()) or 1.0
        x = 0.0
        for outcome, cls, _ in OUTCOMES:
            posts = cells[name][outcome]
            wide = WIDTH * posts / whole
            parts = [h("title", f"{name}, {outcome}: {posts:.1f} of {whole:.0f} posts")]
            parts.append(rect(x, y, max(wide - 1, 0), height, cls))
            figure = f"{posts:.0f}"
            if wide > 7 * len(figure) + 4:
                parts.append(text(x + wide / 2, y + 12, figure, "middle", f"cell on-{cls}"))
            drawn.append(h("g", *parts))
            x += wide
    return svg(WIDTH, step * len(names), label, *drawn)


def scatter(one: Projection, names: Sequence[str], label: str) -> Html:
    """Draw image vectors (or those of posts) as discs and text vectors as rings, coloured by class.

    Posts without a label are grey, and lie below the others.
    """
    height, edge = 300.0, 8.0
    discs, tip = (one.posts, "posts") if one.posts else (one.images, "images")
    xs, ys = zip(*discs, *one.texts, strict=True)
    least, highest = min(xs), max(ys)
    wide, tall = max(xs) - least, highest - min(ys)
    factor = (height - 2 * edge) / (max(wide, tall) or 1.0)
    left, top = (WIDTH - factor * wide) / 2, (height - factor * tall) / 2

    def placed(points: Sequence[tuple[float, float]], number: int) -> list[tuple[float, float]]:
        own = [point for point, true in zip(points, one.labels, strict=False) if true == number]
        return [(left + factor * (x - least), top + factor * (highest - y)) for x, y in own]

    drawn = []
    for number in range(-1, len(names)):
        name, cls = (names[number], colour(number)) if number >= 0 else ("no label", "none")
        for points, kind, told in ((one.texts, "ring", "texts"), (discs, "disc", tip)):
            path = "".join(f"M{short(x - 2.5)} {short(y)}{_CIRCLE}" for x, y in placed(points, number))
            if path:
                drawn.append(h("path", h("title", f"{name}: {told}"), d=path, cls=f"{kind} {cls}"))
    drawn += [line(0, height, WIDTH, height, "edge"), line(0, 0, 0, height, "edge")]
    drawn.append(text(WIDTH / 2, height + 14, "across: first component; up: second, on the same scale"))
    return svg(WIDTH, height + 18, label, *drawn)


#: The inner edges of a curve's drawing: left, right, top, bottom. The name of the vertical axis is above.
_LEFT, _RIGHT, _TOP, _BOTTOM = 24.0, WIDTH - 24.0, 26.0, 228.0
#: How far the outermost shares are from these edges, and how far two figures of one share stand apart.
_INSET, _SHIFT = 10.0, 3.0
#: The least distance of two rates' labels.
_LABEL = 30.0


def curve(
    one: Curve,
    ends: tuple[float, float],
    label: str,
    *,
    metric: str,
    percent: bool,
    chance: float | None,
) -> Html:
    """Draw a metric by the share of pairs, on a logarithmic scale: our two lines with their intervals.

    Models of one modality are horizontal lines. The papers' figures are rings, in the colour of the line
    beside which they stand. `chance` is the trivial prediction's value; it is left out below the scale.
    """
    least = one.points[0].share
    width = math.log(1 / least) or 1.0

    def at(share: float) -> float:
        return _RIGHT - _INSET - (_RIGHT - _LEFT - 2 * _INSET) * math.log(1 / share) / width

    def up(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (value - ends[0]) / (ends[1] - ends[0])

    drawn = _levels(tenths(ends, percent=percent), up, metric)
    for point in one.points:
        drawn.append(line(at(point.share), _BOTTOM, at(point.share), _BOTTOM + 4, "tick"))
        drawn.append(text(at(point.share), _BOTTOM + 16, f"{100 * point.share:g}%"))
    drawn.append(text((_LEFT + _RIGHT) / 2, _BOTTOM + 32, "share of the pairs"))
    if chance is not None and chance >= ends[0]:
        drawn.append(line(_LEFT, up(chance), _RIGHT, up(chance), "chance"))
    for level, place in zip(one.levels, _apart([up(level.figure.mean) for level in one.levels]), strict=True):
        y = up(level.figure.mean)
        drawn.append(line(_LEFT, y, _RIGHT, y, f"level {level.mode}"))
        drawn.append(text(_RIGHT + 6, place + 3.5, clip(level.title, 4), "start", f"name {level.mode}"))
    shifts = {"alone": _SHIFT / 2, "ours": -_SHIFT / 2}
    for cls, shift in shifts.items():
        placed = [
            (at(point.share) + shift * (not point.together), figure)
            for point in one.points
            if (figure := point.alone if cls == "alone" else point.unpaired)
        ]
        path = " L".join(f"{short(x)} {short(up(figure.mean))}" for x, figure in placed)
        drawn.append(h("path", d=f"M{path}", cls=f"run {cls}") if placed else Html(""))
        for x, figure in placed:
            if figure.interval:
                drawn.append(line(x, up(figure.interval.low), x, up(figure.interval.high), f"spread {cls}"))
        drawn += [_dot(x, up(figure.mean), f"mean {cls}") for x, figure in placed]
    theirs = [
        (at(point.share) + shifts[cls] * (not point.together), float(value.value), cls)
        for point in one.points
        for value, cls in ((point.their_alone, "alone"), (point.their_unpaired, "ours"))
        if value
    ]
    theirs += [(at(1), float(level.theirs.value), level.mode) for level in one.levels if level.theirs]
    drawn += [_dot(x, up(value), f"paper {cls}", 4.5) for x, value, cls in theirs]
    return svg(WIDTH, _BOTTOM + 36, label, *drawn, cls="chart curve")


@dataclass(frozen=True, slots=True)
class Run:
    """Scores by epoch: their median over seeds, and the smallest and the largest.

    `whole` epochs are those of every seed; after them some had stopped.
    """

    title: str
    cls: str
    middle: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    whole: int


def epochs(runs: Sequence[Run], axis: Axis, label: str, metric: str) -> Html:
    """Draw scores by epoch: a line a run with a band behind it, dotted where not all seeds are left."""
    right = WIDTH - 8
    last = max(len(run.middle) for run in runs)

    start, end = axis.values[0], axis.values[-1]

    def at(place: int) -> float:
        return _LEFT + _INSET + (right - _LEFT - 2 * _INSET) * place / (last - 1)

    def up(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (value - start) / (end - start)

    def path(values: Sequence[float], places: Iterable[int]) -> str:
        return " L".join(f"{short(at(place))} {short(up(values[place]))}" for place in places)

    drawn = _levels(axis, up, metric, right)
    for epoch in _ticks(last):
        drawn.append(line(at(epoch - 1), _BOTTOM, at(epoch - 1), _BOTTOM + 4, "tick"))
        drawn.append(text(at(epoch - 1), _BOTTOM + 16, f"{epoch}"))
    drawn.append(text((_LEFT + right) / 2, _BOTTOM + 32, "epoch"))
    every = {run.title: _thinned(len(run.middle), run.whole) for run in runs}
    for run in runs:
        if run.low != run.high:
            places = every[run.title]
            around = f"M{path(run.high, places)} L{path(run.low, places[::-1])}Z"
            drawn.append(h("path", d=around, cls=f"band {run.cls}"))
    for run in runs:
        places = every[run.title]
        parts = [h("title", f"{run.title}: {run.middle[-1]:.3f} after {len(run.middle)} epochs")]
        all_seeds = [place for place in places if place < run.whole]
        some = [place for place in places if place >= run.whole - 1]
        for shown, cls in ((all_seeds, "run"), (some, "run some")):
            if len(shown) > 1:
                parts.append(h("path", d=f"M{path(run.middle, shown)}", cls=f"{cls} {run.cls}"))
        parts.append(_dot(at(places[-1]), up(run.middle[-1]), f"mean {run.cls}", 3))
        drawn.append(h("g", *parts))
    return svg(WIDTH, _BOTTOM + 36, label, *drawn, cls="chart curve")


@dataclass(frozen=True, slots=True)
class RateLine:
    """Scores by rate; None where there is none."""

    title: str
    cls: str
    values: tuple[float | None, ...]


def by_rate(
    lines: Sequence[RateLine],
    rates: Sequence[float],
    ends: tuple[float, float],
    label: str,
    axes: tuple[str, str],
    *,
    percent: bool,
    chance: float,
) -> Html:
    """Draw scores by rate: a line a model, broken where it has no score. `axes`: the names of x and y.

    `chance` is the trivial prediction's value.
    """
    right = WIDTH - 8

    def at(rate: float) -> float:
        share = (rate - rates[0]) / (rates[-1] - rates[0])
        return _LEFT + _INSET + (right - _LEFT - 2 * _INSET) * share

    def up(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (value - ends[0]) / (ends[1] - ends[0])

    drawn = _levels(tenths(ends, percent=percent), up, axes[1], right)
    last = -math.inf
    for rate in rates:
        drawn.append(line(at(rate), _BOTTOM, at(rate), _BOTTOM + 4, "tick"))
        if at(rate) - last >= _LABEL:
            drawn.append(text(at(rate), _BOTTOM + 16, f"{100 * rate:g}%"))
            last = at(rate)
    drawn.append(text((_LEFT + right) / 2, _BOTTOM + 32, axes[0]))
    drawn.append(line(_LEFT, up(chance), right, up(chance), "chance"))
    for one in lines:
        pairs = list(zip(rates, one.values, strict=True))
        told = ", ".join(
            f"{100 * rate:g}%: " + ("–" if value is None else f"{value:.3f}") for rate, value in pairs
        )
        parts = [h("title", f"{one.title}: {told}")]
        for (rate, value), (after, reached) in pairwise(pairs):
            if value is not None and reached is not None:
                parts.append(line(at(rate), up(value), at(after), up(reached), f"run {one.cls}"))
        parts += [
            _dot(at(rate), up(value), f"mean {one.cls}", 3) for rate, value in pairs if value is not None
        ]
        drawn.append(h("g", *parts))
    return svg(WIDTH, _BOTTOM + 36, label, *drawn, cls="chart curve")


def _thinned(number: int, whole: int, most: int = 150) -> list[int]:
    """Return the epochs, from 0, that are drawn: about `most`, with the last of all seeds and the last."""
    return sorted({*range(0, number, math.ceil(number / most)), whole - 1, number - 1} - {-1})


def _ticks(last: int, most: int = 6) -> list[int]:
    """Return at most `most` round numbers of epochs up to the last one; of few epochs all."""
    steps = (base * 10**power for power in range(9) for base in (1, 2, 5))
    step = next(one for one in steps if last // one <= most)
    return list(range(step, last + 1, step))


def _levels(axis: Axis, up: Callable[[float], float], metric: str, right: float = _RIGHT) -> list[Html]:
    """Return the name of the vertical axis, and its lines with their figures."""
    drawn = [text(0, 11, metric, "start")]
    for value, label in zip(axis.values, axis.labels, strict=True):
        drawn.append(line(_LEFT, up(value), right, up(value), "grid"))
        drawn.append(text(_LEFT - 6, up(value) + 3.5, label, "end"))
    return drawn


def _dot(x: float, y: float, cls: str, radius: float = 3.5) -> Html:
    return h("circle", cx=short(x), cy=short(y), r=short(radius), cls=cls)


def _apart(places: Sequence[float], least: float = 12.0) -> list[float]:
    """Return places for texts of which no two, from the top, are less than `least` apart."""
    moved: dict[int, float] = {}
    last = -math.inf
    for number in sorted(range(len(places)), key=lambda number: places[number]):
        last = moved[number] = max(places[number], last + least)
    return [moved[number] for number in range(len(places))]
