"""Markup that is escaped by construction: only `Html` goes into the page as it stands.

    h("td", "a < b", cls="n")        # <td class="n">a &lt; b</td>

A post's text is hostile input (`<script>`, control characters, bidi overrides): whatever isn't `Html` is
cleaned and escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

_VOID = frozenset({"meta", "img"})
#: What may not stand in HTML, and what turns the direction of the text that follows.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def escape(value: object) -> Html:
    """Return a value as markup: itself where it is `Html`, escaped text otherwise."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(_CONTROLS.sub("", str(value)), quote=True))


def join(parts: Iterable[object], between: str = "") -> Html:
    """Return several values as one piece of markup; None counts for nothing."""
    return Html(escape(between).join(escape(part) for part in parts if part is not None))


def h(tag: str, *children: object, **attributes: object) -> Html:
    """Return an element. `cls` is its class; None and False leave an attribute out; `a_b` becomes `a-b`."""
    written = [f"<{tag}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        name = "class" if key == "cls" else key.rstrip("_").replace("_", "-")
        written.append(f" {name}" if value is True else f' {name}="{escape(value)}"')
    written.append(">")
    if tag not in _VOID:
        written += [join(children), f"</{tag}>"]
    return Html("".join(written))


def table(head: Sequence[str], rows: Iterable[Sequence[object]], cls: str = "figures") -> Html:
    """Return a table of a name and its numbers; it scrolls by itself where it is too wide."""
    heads = [h("th", name, scope="col", cls="n" if place else None) for place, name in enumerate(head)]
    body = [
        h("tr", h("th", name, scope="row"), *(h("td", cell, cls="n") for cell in cells))
        for name, *cells in rows
    ]
    return h("div", h("table", h("thead", h("tr", *heads)), h("tbody", *body), cls=cls), cls="scroll")


def colour(number: int) -> str:
    """Return the CSS class that gives a class its colour."""
    return f"k{number % 8}"


def clip(text: str, length: int) -> str:
    """Return a text of at most `length` characters, an ellipsis at its end where it was cut."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
