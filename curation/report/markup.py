"""Markup that is escaped by construction: only `Html` goes into a page as it stands.

    h("td", "a < b", cls="n")        # <td class="n">a &lt; b</td>
    h("p", h("b", "all"), " posts")  # a child that is Html already is left alone

A title is hostile input (`<script>`, `"><img onerror=…>`, control characters, bidi overrides): whatever
isn't `Html` is cleaned and escaped, in a text and in an attribute alike.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

_VOID = frozenset({"meta", "img", "br", "link"})
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


def number(value: float, digits: int = 0) -> str:
    """Return a number as it is read: 1,234."""
    return f"{value:,.{digits}f}".replace("-", "\u2212")


def percent(part: float, whole: float) -> str:
    """Return a share: 12.3%, <0.1%, 0%."""
    if not whole or not part:
        return "0%"
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "<0.1%"
    if 99.9 < share < 100:
        return ">99.9%"
    return f"{share:.1f}%" if share < 99.95 else "100%"


def count(value: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: 1 post, 2 posts."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def clip(text: str, length: int) -> str:
    """Return a text of at most `length` characters, an ellipsis at its end where it was cut."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
