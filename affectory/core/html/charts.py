"""SVG primitives for charts. They have CSS classes and no style of their own: colours come from the page.

A chart `WIDTH` units wide is shown in a panel of about as many pixels, so its text keeps its size.
"""

from __future__ import annotations

from affectory.core.html.markup import Html, h, join

WIDTH = 340.0


def svg(width: float, height: float, label: str, *children: Html, **attributes: object) -> Html:
    """Return a drawing; `label` describes it to screen readers. Its CSS class is `chart` by default."""
    cls = attributes.pop("cls", "chart")
    box = f"0 0 {short(width)} {short(height)}"
    return h("svg", join(children), cls=cls, viewBox=box, role="img", aria_label=label, **attributes)


def rect(x: float, y: float, width: float, height: float, cls: str) -> Html:
    """Return a rectangle; (x, y) is its top left corner."""
    return h("rect", x=short(x), y=short(y), width=short(width), height=short(height), cls=cls)


def line(x: float, y: float, to_x: float, to_y: float, cls: str) -> Html:
    """Return a line from (x, y) to (to_x, to_y)."""
    return h("line", x1=short(x), y1=short(y), x2=short(to_x), y2=short(to_y), cls=cls)


def text(x: float, y: float, content: str, anchor: str = "middle", cls: str | None = None) -> Html:
    """Return a text on the baseline y; `anchor` says which part of it is at x: start, middle or end."""
    return h("text", content, x=short(x), y=short(y), text_anchor=anchor, cls=cls)


def short(value: float) -> str:
    """Return a coordinate with at most two decimals: 12, 0.5, 3.25."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
