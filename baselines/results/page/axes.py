"""The axes of the page's charts: their ends, where they have lines, and what is written there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from affectory.core.html.markup import Html, h


def scale(values: Iterable[float], lines: int = 10) -> tuple[float, float]:
    """Return the ends of a common axis for shares, rounded outwards to tenths, or to one of other `lines`."""
    known = list(values)
    low, high = min(known, default=0.0), max(known, default=1.0)
    start, end = math.floor(low * lines - 0.2) / lines, math.ceil(high * lines + 0.2) / lines
    return max(start, 0.0), min(end, 1.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """A vertical axis: the values that have a line, in ascending order, and what is written beside each."""

    values: tuple[float, ...]
    labels: tuple[str, ...]


def tenths(ends: tuple[float, float], *, percent: bool, lines: int = 10) -> Axis:
    """Return an axis with a line at every tenth between two ends, or at `lines` of them from 0 to 1."""
    values = tuple(n / lines for n in range(round(ends[0] * lines), round(ends[1] * lines) + 1))
    return Axis(values, tuple(_written(value, lines, percent=percent) for value in values))


def rounded(low: float, high: float, most: int = 6) -> Axis:
    """Return an axis of at most `most` steps that holds two values: its lines are at round numbers."""
    power = 10.0 ** math.floor(math.log10(max(high - low, 1e-3)) - 1)
    steps = (base * power * 10**more for more in range(4) for base in (1, 2, 5))
    first, last, step = next(
        (first, last, step)
        for step in steps
        if (last := math.ceil(high / step)) - (first := math.floor(low / step)) <= most
    )
    places = range(first, max(last, first + 1) + 1)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return Axis(tuple(n * step for n in places), tuple(f"{n * step:.{digits}f}" for n in places))


def draw_axis(ends: tuple[float, float], *, percent: bool) -> Html:
    """Draw the axis above a column of dot plots: a tick at every tenth, at most five figures."""
    start, end = ends
    marks = range(round(start * 10), round(end * 10) + 1)
    every = math.ceil((len(marks) - 1) / 4) or 1
    drawn = []
    for place, tenth in enumerate(marks):
        x = f"{100 * (tenth / 10 - start) / (end - start):.2f}%"
        drawn.append(h("line", x1=x, x2=x, y1=15, y2=20))
        if place % every == 0:
            anchor = "start" if place == 0 else "end" if place == len(marks) - 1 else "middle"
            drawn.append(h("text", _written(tenth / 10, 10, percent=percent), x=x, y=11, text_anchor=anchor))
    return h("svg", *drawn, cls="axis", aria_hidden="true", height=20)


def _written(value: float, lines: int, *, percent: bool) -> str:
    if percent:
        return f"{100 * value:.0f}"
    return f"{value:.{1 if lines == 10 else 2}f}".removeprefix("0")
