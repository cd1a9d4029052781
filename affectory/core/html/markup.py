"""Markup that is escaped by construction: only `Html` is written to a page unescaped.

    h("td", "a < b", cls="n")        # <td class="n">a &lt; b</td>
    h("p", h("b", "all"), " posts")  # <p><b>all</b> posts</p>

The text of a post is untrusted (`<script>`, `"><img onerror=…>`, control characters, bidirectional
overrides). Every value that isn't `Html` is cleaned and escaped, in text and in attributes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

#: Elements without an end tag (HTML Living Standard, 13.1.2).
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
#: Characters that HTML doesn't allow, and those that change the direction of the text after them.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


class Html(str):
    """A string that is markup already."""

    __slots__ = ()


def escape(value: object) -> Html:
    """Return a value as markup: `Html` unchanged, anything else as cleaned and escaped text."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(clean(str(value)), quote=True))


def clean(text: str) -> str:
    """Return a text without control characters and without those that change its direction."""
    return _CONTROLS.sub("", text)


def join(parts: Iterable[object], between: str = "") -> Html:
    """Return several values as one piece of markup; None is left out."""
    return Html(escape(between).join(escape(part) for part in parts if part is not None))


def h(tag: str, *children: object, **attributes: object) -> Html:
    """Return an element.

    `cls` is the attribute `class`, `for_` is `for`, and `a_b` is `a-b`. An attribute that is None or False is
    left out; True writes its name alone. Tag and attribute names are not escaped: they must be literals.
    """
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


def clip(text: str, length: int) -> str:
    """Return a text of at most `length` characters; where it was cut, it ends with an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
