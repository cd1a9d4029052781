"""The report's charts as inline SVG: bars in tables, stacked histograms, ridges, a heat map.

Bars have no text and stretch to their cell. The marks of the other charts have tooltips (`<title>`).
"""

from __future__ import annotations

from collections.abc import Sequence

from affectory.core.html.charts import WIDTH, line, rect, svg, text
from affectory.core.html.markup import Html, h
from affectory.core.html.parts import colour
from curation.report.bins import compact, ticks

_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 8.0, 8.0, 20.0
_INSIDE = WIDTH - _LEFT - _RIGHT

#: A tick of an axis: its position in bins (0 is the left edge of the first), and its text.
Tick = tuple[float, str]


def bar(parts: Sequence[tuple[float, str]], whole: float, label: str, mark: float | None = None) -> Html:
    """Draw a bar for a table cell: `parts` are (value, CSS class), side by side.

    `whole` is the value that fills the cell. `mark` draws a tick at a value.
    """
    drawn: list[Html] = []
    start = 0.0
    for value, cls in parts:
        width = 1000 * value / whole if whole else 0
        if value:
            width = max(width, 4)
            at = min(1000 * start / whole, 1000 - width)
            drawn.append(rect(at, 2, width, 12, cls))
        start += value
    if mark is not None and whole:
        drawn.append(rect(min(1000 * mark / whole, 1000) - 3, 0, 6, 16, "mark"))
    return svg(1000, 16, label, *drawn, cls="bar", preserveAspectRatio="none")


def histogram(
    series: Sequence[Sequence[int]],
    colours: Sequence[str],
    tips: Sequence[str],
    marks: Sequence[Tick],
    label: str,
) -> Html:
    """Draw a histogram of bins of equal width, stacked: `series[i]` has the counts of every bin.

    `colours` has a CSS class per series, `tips` a tooltip per bin, `marks` the ticks of the axis.
    """
    height = 150.0
    totals = [sum(column) for column in zip(*series, strict=True)]
    scale = ticks(max(totals, default=0) * 1.02)
    top = max(max(totals, default=0), scale[-1]) or 1
    inside, step = height - _TOP - _BOTTOM, _INSIDE / max(len(totals), 1)
    drawn: list[Html] = []
    for tick in scale:
        y = _TOP + inside * (1 - tick / top)
        drawn.append(line(_LEFT, y, WIDTH - _RIGHT, y, "grid"))
        drawn.append(text(_LEFT - 5, y + 3.5, compact(tick), "end"))
    for number, (total, tip) in enumerate(zip(totals, tips, strict=True)):
        x, y, column = _LEFT + number * step, _TOP + inside, []
        for values, cls in zip(series, colours, strict=True):
            size = inside * values[number] / top
            y -= size
            if values[number]:
                column.append(rect(x + 0.5, y, max(step - 1, 0.5), size, cls))
        if total:
            drawn.append(h("g", h("title", tip), *column))
    drawn += [text(_LEFT + at * step, height - 5, name) for at, name in marks]
    return svg(WIDTH, height, label, *drawn)


def ridges(
    names: Sequence[str],
    series: Sequence[Sequence[int]],
    medians: Sequence[tuple[float, str] | None],
    tips: Sequence[str],
    marks: Sequence[Tick],
    label: str,
) -> Html:
    """Draw one small histogram per class over a common axis, each scaled to its own maximum.

    `medians` are (position in bins, text), marked by a line; `tips` has the text of every bin.
    """
    row, bottom = 46.0, 20.0
    height = row * len(names) + bottom
    step = (WIDTH - 2 * _RIGHT) / max(len(tips), 1)
    drawn = [line(_RIGHT + at * step, 4, _RIGHT + at * step, height - bottom, "grid") for at, _ in marks]
    for number, (name, values, median) in enumerate(zip(names, series, medians, strict=True)):
        base, top, cls = row * (number + 1), max(values, default=0) or 1, colour(number)
        drawn.append(line(_RIGHT, base, WIDTH - _RIGHT, base, "axis"))
        for place, value in enumerate(values):
            if value:
                size = max((row - 20) * value / top, 0.75)
                tip = h("title", f"{name}, {tips[place]}: {value:,}")
                x = _RIGHT + place * step + 0.5
                drawn.append(h("g", tip, rect(x, base - size, max(step - 1, 0.5), size, cls)))
        drawn.append(text(_RIGHT, base - row + 14, name, "start", "name"))
        if median is not None:
            x = _RIGHT + median[0] * step
            drawn.append(line(x, base - row + 20, x, base, "median"))
            drawn.append(text(WIDTH - _RIGHT, base - row + 14, f"median {median[1]}", "end"))
    drawn += [text(_RIGHT + at * step, height - 5, name) for at, name in marks]
    return svg(WIDTH, height, label, *drawn)


def heat(cells: dict[tuple[int, int], int], columns: int, marks: Sequence[Tick], label: str) -> Html:
    """Draw a heat map of image sizes: width across, height up, on equal log scales.

    `cells` has the number of images by (column, row); `marks` are the ticks of both axes.
    """
    side, left, bottom = 190.0, 60.0, 20.0
    step, most = side / columns, max(cells.values(), default=1)
    drawn: list[Html] = []
    for at, name in (mark for mark in marks if mark[0] > 0):
        x, y = left + at * step, 4 + side - at * step
        drawn += [line(x, 4, x, 4 + side, "grid"), line(left, y, left + side, y, "grid")]
        drawn += [text(x, side + bottom - 2, name), text(left - 5, y + 3.5, name, "end")]
    drawn.append(line(left, 4 + side, left + side, 4, "diagonal"))
    for (across, up), value in sorted(cells.items()):
        strength = 0.18 + 0.82 * (value / most) ** 0.5
        cell = rect(
            left + across * step + 0.4, 4 + side - (up + 1) * step + 0.4, step - 0.8, step - 0.8, "ink"
        )
        drawn.append(h("g", h("title", f"{value:,}"), cell, opacity=f"{strength:.2f}"))
    return svg(WIDTH, side + bottom + 4, label, *drawn)
