"""The report's charts as inline SVG: bars in tables, stacked histograms, ridges, a heat map.

Bars have no text and stretch to their cell. The marks of the other charts have tooltips (`<title>`).
"""

from __future__ import annotations

from collections.abc import Sequence

from affectory.core.html.charts import WIDTH, line, rect, svg, text
from affectory.core.html.markup import Html, h, join
from curation.report.bins import compact, ticks

#: Room around a chart; below for the ticks and the name of the axis.
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 8.0, 20.0, 36.0
_INSIDE = WIDTH - _LEFT - _RIGHT

#: A tick of an axis: its position in bins (0 is the left edge of the first), and its text.
Tick = tuple[float, str]

#: The names of the horizontal and the vertical axis, with their units.
Axes = tuple[str, str]


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
    axes: Axes,
) -> Html:
    """Draw a histogram of bins of equal width, stacked: `series[i]` has the counts of every bin.

    `colours` has a CSS class per series, `tips` a tooltip per bin, `marks` the ticks of the axis.
    """
    height = 178.0
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
    ticks_ = [(_LEFT + at * step, name) for at, name in marks]
    drawn += [*_across(ticks_, _TOP + inside, axes[0]), text(0, 9, axes[1], "start", "unit")]
    return svg(WIDTH, height, label, *drawn)


def _across(marks: Sequence[tuple[float, str]], base: float, name: str) -> list[Html]:
    """Draw the axis below a chart whose ground is at `base`: ticks at places in the drawing, and its name."""
    drawn = [line(x, base, x, base + 4, "axis") for x, _ in marks]
    drawn += [text(x, base + 15, tick) for x, tick in marks]
    return [*drawn, text(WIDTH - _RIGHT, base + 31, name, "end", "unit")]


def ridges(
    names: Sequence[str],
    shades: Sequence[str],
    series: Sequence[Sequence[int]],
    medians: Sequence[tuple[float, str] | None],
    tips: Sequence[str],
    marks: Sequence[Tick],
    label: str,
    axis: str,
) -> Html:
    """Draw one small histogram per class over a common axis, each scaled to its own maximum.

    `shades` has a CSS class per class; `medians` are (position in bins, text), marked by a line; `tips` has
    the text of every bin. Each class is a drawing of its own, so that pages can end between them.
    """
    base = 46.0  # the height of a row
    step = (WIDTH - 2 * _RIGHT) / max(len(tips), 1)
    places = [(_RIGHT + at * step, name) for at, name in marks]
    rows: list[Html] = []
    for name, cls, values, median in zip(names, shades, series, medians, strict=True):
        top, is_last = max(values, default=0) or 1, len(rows) + 1 == len(names)
        drawn = [line(x, 0 if rows else 4, x, base, "grid") for x, _ in places]
        drawn.append(line(_RIGHT, base, WIDTH - _RIGHT, base, "axis"))
        for place, value in enumerate(values):
            if value:
                size = max((base - 20) * value / top, 0.75)
                tip = h("title", f"{name}, {tips[place]}: {value:,}")
                x = _RIGHT + place * step + 0.5
                drawn.append(h("g", tip, rect(x, base - size, max(step - 1, 0.5), size, cls)))
        drawn.append(text(_RIGHT, 14, name, "start", "name"))
        if median is not None:
            x = _RIGHT + median[0] * step
            drawn.append(line(x, 20, x, base, "median"))
            drawn.append(text(WIDTH - _RIGHT, 14, f"median {median[1]}", "end"))
        drawn += _across(places, base, axis) if is_last else []
        rows.append(svg(WIDTH, base + _BOTTOM * is_last, f"{label}: {name}", *drawn))
    return join(rows)


def heat(
    cells: dict[tuple[int, int], int], columns: int, marks: Sequence[Tick], label: str, axes: Axes
) -> Html:
    """Draw a heat map of image sizes: width across, height up, on equal log scales.

    `cells` has the number of images by (column, row); `marks` are the ticks of both axes.
    """
    side, left, top = 190.0, 60.0, 20.0
    step, most = side / columns, max(cells.values(), default=1)
    drawn: list[Html] = []
    for at, name in (mark for mark in marks if mark[0] > 0):
        x, y = left + at * step, top + side - at * step
        drawn += [line(x, top, x, top + side, "grid"), line(left, y, left + side, y, "grid")]
        drawn.append(text(left - 5, y + 3.5, name, "end"))
    drawn.append(line(left, top + side, left + side, top, "diagonal"))
    for (across, up), value in sorted(cells.items()):
        strength = 0.18 + 0.82 * (value / most) ** 0.5
        cell = rect(
            left + across * step + 0.4, top + side - (up + 1) * step + 0.4, step - 0.8, step - 0.8, "ink"
        )
        drawn.append(h("g", h("title", f"{value:,}"), cell, opacity=f"{strength:.2f}"))
    placed = [(left + at * step, name) for at, name in marks if at > 0]
    drawn += [*_across(placed, top + side, axes[0]), text(0, 9, axes[1], "start", "unit")]
    return svg(WIDTH, top + side + _BOTTOM, label, *drawn)
