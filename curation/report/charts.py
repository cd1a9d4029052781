"""The page's charts, drawn as inline SVG without a style of their own: colours come from the page's CSS.

Wide charts stand in cards of about their own width, so their text is read at about its own size; the bars
inside tables have no text and stretch. Every mark tells its number as a tooltip (`<title>`).
"""

from __future__ import annotations

from collections.abc import Sequence

from curation.report.bins import compact, ticks
from curation.report.markup import Html, h, join

WIDTH = 340.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 8.0, 8.0, 20.0
_INSIDE = WIDTH - _LEFT - _RIGHT

#: A tick: where it stands among the bins (0: the left edge of the first), and its text.
Tick = tuple[float, str]


def colour(number: int) -> str:
    """Return the CSS class that gives a class its colour."""
    return f"k{number % 8}"


def bar(
    parts: Sequence[tuple[float, str]], whole: float, label: str, mark: float | None = None, start: float = 0
) -> Html:
    """Draw a bar for a table's cell: parts (value, CSS class) side by side from `start`; `mark` is a tick."""
    drawn: list[Html] = []
    for value, cls in parts:
        width = 1000 * value / whole if whole else 0
        if value:
            width = max(width, 4)
            at = min(1000 * start / whole, 1000 - width)
            drawn.append(_rect(at, 2, width, 12, cls))
        start += value
    if mark is not None and whole:
        drawn.append(_rect(min(1000 * mark / whole, 1000) - 3, 0, 6, 16, "mark"))
    return _svg(1000, 16, label, *drawn, cls="bar", preserveAspectRatio="none")


def histogram(
    series: Sequence[Sequence[int]],
    colours: Sequence[str],
    tips: Sequence[str],
    marks: Sequence[Tick],
    label: str,
) -> Html:
    """Draw bins of equal width, the series stacked in each."""
    height = 150.0
    totals = [sum(column) for column in zip(*series, strict=True)]
    scale = ticks(max(totals, default=0) * 1.02)
    top = max(max(totals, default=0), scale[-1]) or 1
    inside, step = height - _TOP - _BOTTOM, _INSIDE / max(len(totals), 1)
    drawn: list[Html] = []
    for tick in scale:
        y = _TOP + inside * (1 - tick / top)
        drawn.append(_line(_LEFT, y, WIDTH - _RIGHT, y, "grid"))
        drawn.append(_text(_LEFT - 5, y + 3.5, compact(tick), "end"))
    for number, (total, tip) in enumerate(zip(totals, tips, strict=True)):
        x, y, column = _LEFT + number * step, _TOP + inside, []
        for values, cls in zip(series, colours, strict=True):
            size = inside * values[number] / top
            y -= size
            if values[number]:
                column.append(_rect(x + 0.5, y, max(step - 1, 0.5), size, cls))
        if total:
            drawn.append(h("g", h("title", tip), *column))
    drawn += [_text(_LEFT + at * step, height - 5, text) for at, text in marks]
    return _svg(WIDTH, height, label, *drawn)


def ridges(
    names: Sequence[str],
    series: Sequence[Sequence[int]],
    medians: Sequence[tuple[float, str] | None],
    tips: Sequence[str],
    marks: Sequence[Tick],
    label: str,
) -> Html:
    """Draw a small histogram a class over a common axis, each at its own height, its median marked."""
    row, bottom = 46.0, 20.0
    height = row * len(names) + bottom
    step = (WIDTH - 2 * _RIGHT) / max(len(tips), 1)
    drawn = [_line(_RIGHT + at * step, 4, _RIGHT + at * step, height - bottom, "grid") for at, _ in marks]
    for number, (name, values, median) in enumerate(zip(names, series, medians, strict=True)):
        base, top, cls = row * (number + 1), max(values, default=0) or 1, colour(number)
        drawn.append(_line(_RIGHT, base, WIDTH - _RIGHT, base, "axis"))
        for place, value in enumerate(values):
            if value:
                size = max((row - 20) * value / top, 0.75)
                tip = h("title", f"{name}, {tips[place]}: {value:,}")
                x = _RIGHT + place * step + 0.5
                drawn.append(h("g", tip, _rect(x, base - size, max(step - 1, 0.5), size, cls)))
        drawn.append(_text(_RIGHT, base - row + 14, name, "start", "name"))
        if median is not None:
            x = _RIGHT + median[0] * step
            drawn.append(_line(x, base - row + 20, x, base, "median"))
            drawn.append(_text(WIDTH - _RIGHT, base - row + 14, f"median {median[1]}", "end"))
    drawn += [_text(_RIGHT + at * step, height - 5, text) for at, text in marks]
    return _svg(WIDTH, height, label, *drawn)


def heat(cells: dict[tuple[int, int], int], columns: int, marks: Sequence[Tick], label: str) -> Html:
    """Draw how many images have each width (across) and height (up), on equal log scales."""
    side, left, bottom = 190.0, 60.0, 20.0
    step, most = side / columns, max(cells.values(), default=1)
    drawn: list[Html] = []
    for at, text in (mark for mark in marks if mark[0] > 0):
        x, y = left + at * step, 4 + side - at * step
        drawn += [_line(x, 4, x, 4 + side, "grid"), _line(left, y, left + side, y, "grid")]
        drawn += [_text(x, side + bottom - 2, text), _text(left - 5, y + 3.5, text, "end")]
    drawn.append(_line(left, 4 + side, left + side, 4, "diagonal"))
    for (across, up), value in sorted(cells.items()):
        strength = 0.18 + 0.82 * (value / most) ** 0.5
        cell = _rect(
            left + across * step + 0.4, 4 + side - (up + 1) * step + 0.4, step - 0.8, step - 0.8, "ink"
        )
        drawn.append(h("g", h("title", f"{value:,}"), cell, opacity=f"{strength:.2f}"))
    return _svg(WIDTH, side + bottom + 4, label, *drawn)


def _svg(width: float, height: float, label: str, *children: Html, **attributes: object) -> Html:
    cls = attributes.pop("cls", "chart")
    box = f"0 0 {_short(width)} {_short(height)}"
    return h("svg", join(children), cls=cls, viewBox=box, role="img", aria_label=label, **attributes)


def _rect(x: float, y: float, width: float, height: float, cls: str) -> Html:
    return h("rect", x=_short(x), y=_short(y), width=_short(width), height=_short(height), cls=cls)


def _line(x: float, y: float, to_x: float, to_y: float, cls: str) -> Html:
    return h("line", x1=_short(x), y1=_short(y), x2=_short(to_x), y2=_short(to_y), cls=cls)


def _text(x: float, y: float, text: str, anchor: str = "middle", cls: str | None = None) -> Html:
    return h("text", text, x=_short(x), y=_short(y), text_anchor=anchor, cls=cls)


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
