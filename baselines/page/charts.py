"""The page's charts, drawn as inline SVG without a style of their own: colours come from the page's CSS."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from baselines.page.markup import Html, clip, colour, h, join
from baselines.results import Figure, Projection

#: A chart in a panel of about its own width, so that its text is read at about its own size.
_WIDTH = 340.0
#: Above this many classes a confusion matrix has no numbers in its cells.
_NUMBERED = 10
#: Characters of a class's name beside a confusion matrix.
_NAME = 13
#: A circle of radius 2.5 from its leftmost point, as a path: all of a class are one element.
_CIRCLE = "a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0"

#: What is marked on a scale: our figure or the paper's value, and the CSS class of its colour.
Mark = tuple[Figure | float, str]


def scale(values: Iterable[float]) -> tuple[float, float]:
    """Return the ends of a common axis for shares: whole tenths around all of them."""
    known = list(values)
    low, high = min(known, default=0.0), max(known, default=1.0)
    return max(math.floor(low * 10 - 0.2) / 10, 0.0), min(math.ceil(high * 10 + 0.2) / 10, 1.0)


def dots(marks: Sequence[Mark], ends: tuple[float, float], label: str) -> Html:
    """Draw one row of a dot plot: our means with their intervals, the paper's values as upright ticks.

    It stretches to its cell: strokes keep their width (`vector-effect`), and a stroke of no length is a dot.
    """
    low, high = ends

    def at(value: float) -> float:
        return min(max(1000 * (value - low) / (high - low), 0), 1000)

    drawn = []
    for tenth in range(round(low * 10), round(high * 10) + 1):
        drawn.append(_line(at(tenth / 10), 0, at(tenth / 10), 24, "grid"))
    for value, cls in marks:
        if isinstance(value, float):
            drawn.append(_line(at(value), 3, at(value), 21, f"paper {cls}"))
    for value, cls in marks:
        if isinstance(value, Figure):
            drawn.append(_line(at(value.low), 12, at(value.high), 12, f"spread {cls}"))
            drawn.append(_line(at(value.mean), 12, at(value.mean), 12, f"mean {cls}"))
    return _svg(1000, 24, label, *drawn, cls="dots", preserveAspectRatio="none")


def confusion(cells: Sequence[Sequence[float]], names: Sequence[str], label: str) -> Html:
    """Draw a confusion matrix: a row a true class, its shares in percent by the class predicted."""
    longest = min(max(map(len, names)), _NAME)
    left, top = 14 + 5.6 * longest, 16 + 4.2 * longest
    step = (_WIDTH - left - 6) / len(names)
    drawn = []
    for place, name in enumerate(names):
        middle = step * (place + 0.5)
        drawn.append(_text(left - 6, top + middle + 3.5, clip(name, _NAME), "end"))
        turned = f"translate({_short(left + middle - 2)} {_short(top - 6)}) rotate(-40)"
        drawn.append(h("text", clip(name, _NAME), transform=turned))
    for true, row in enumerate(cells):
        whole = sum(row)
        for predicted, posts in enumerate(row):
            share = posts / whole if whole else 0.0
            x, y = left + step * predicted, top + step * true
            told = f"{names[true]} taken for {names[predicted]}: {posts:.1f} of {whole:.0f} posts"
            cell = h(
                "rect", x=_short(x), y=_short(y), width=_short(step - 1), height=_short(step - 1), cls="ink"
            )
            parts = [h("title", told), h("g", cell, opacity=f"{0.05 + 0.95 * share:.2f}")]
            if len(names) <= _NUMBERED:
                side = "cell on" if share > 0.55 else "cell"
                parts.append(_text(x + step / 2, y + step / 2 + 3.5, f"{100 * share:.0f}", "middle", side))
            drawn.append(h("g", *parts))
    return _svg(_WIDTH, top + step * len(names) + 4, label, *drawn)


def scatter(one: Projection, names: Sequence[str], label: str) -> Html:
    """Draw image vectors as discs and text vectors as rings, in the colours of their classes."""
    height, edge = 300.0, 8.0
    xs, ys = zip(*one.images, *one.texts, strict=True)
    least, highest = min(xs), max(ys)
    wide, tall = max(xs) - least, highest - min(ys)
    factor = (height - 2 * edge) / (max(wide, tall) or 1.0)
    left, top = (_WIDTH - factor * wide) / 2, (height - factor * tall) / 2

    def placed(points: Sequence[tuple[float, float]], number: int) -> list[tuple[float, float]]:
        own = [point for point, true in zip(points, one.labels, strict=True) if true == number]
        return [(left + factor * (x - least), top + factor * (highest - y)) for x, y in own]

    drawn = []
    for number, name in enumerate(names):
        for points, kind, told in ((one.texts, "ring", "texts"), (one.images, "disc", "images")):
            path = "".join(f"M{_short(x - 2.5)} {_short(y)}{_CIRCLE}" for x, y in placed(points, number))
            if path:
                title = h("title", f"{name}: {told}")
                drawn.append(h("path", title, d=path, cls=f"{kind} {colour(number)}"))
    return _svg(_WIDTH, height, label, *drawn)


def _svg(width: float, height: float, label: str, *children: Html, **attributes: object) -> Html:
    cls = attributes.pop("cls", "chart")
    box = f"0 0 {_short(width)} {_short(height)}"
    return h("svg", join(children), cls=cls, viewBox=box, role="img", aria_label=label, **attributes)


def _line(x: float, y: float, to_x: float, to_y: float, cls: str) -> Html:
    return h("line", x1=_short(x), y1=_short(y), x2=_short(to_x), y2=_short(to_y), cls=cls)


def _text(x: float, y: float, text: str, anchor: str, cls: str | None = None) -> Html:
    return h("text", text, x=_short(x), y=_short(y), text_anchor=anchor, cls=cls)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
