"""Parts that several pages have: tables, lists of terms, and the picture, text and link of a post's card."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from affectory.core.html.markup import Html, clip, h, join

IMAGES_NOTE = (
    "The images on this page are thumbnails of the release’s images; their authors keep the copyright. "
    "The page works offline and stores nothing."
)


def colour(number: int) -> str:
    """Return the CSS class with the colour of a class; the colours repeat after eight classes."""
    return f"k{number % 8}"


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], cls: str = "figures", *, fixed: int = 0
) -> Html:
    """Return a table whose first column is a name and whose other columns are numbers.

    A table that is too wide for the page scrolls inside its own box. The reader can sort one of the class
    "sortable" (sort.js), but for its first `fixed` rows. In one of the class "stacked" each number has its
    head as a label, for pages whose style turns rows into blocks in a narrow window.
    """
    return _scrolling(head, [h("tbody", *_rows(rows, _labels(head, cls), fixed))], cls)


def grouped(
    head: Sequence[str], groups: Mapping[str, Iterable[Sequence[object]]], cls: str = "figures"
) -> Html:
    """Return a table like `table`, whose rows stand under the names of their groups."""
    labels = _labels(head, cls)
    bodies = [
        h(
            "tbody",
            h("tr", h("th", name, scope="rowgroup", colspan=len(head)), cls="group"),
            *_rows(rows, labels),
        )
        for name, rows in groups.items()
    ]
    return _scrolling(head, bodies, cls)


def _labels(head: Sequence[str], cls: str) -> Sequence[str | None]:
    """Return the label of each column of numbers, without markup; None if the table's cells have none."""
    if "stacked" not in cls.split():
        return [None] * (len(head) - 1)
    return [Html(re.sub("<[^>]*>", "", name)) if isinstance(name, Html) else name for name in head[1:]]


def _rows(rows: Iterable[Sequence[object]], labels: Sequence[str | None], fixed: int = 0) -> list[Html]:
    return [
        h(
            "tr",
            h("th", name, scope="row"),
            *(h("td", cell, cls="n", data_label=label) for cell, label in zip(cells, labels, strict=True)),
            cls="fixed" if place < fixed else None,
        )
        for place, (name, *cells) in enumerate(rows)
    ]


def _scrolling(head: Sequence[str], bodies: Iterable[Html], cls: str) -> Html:
    heads = [column(name, "n" if place else None) for place, name in enumerate(head)]
    return h("div", h("table", h("thead", h("tr", *heads)), *bodies, cls=cls), cls="scroll")


def column(name: str, cls: str | None = None) -> Html:
    """Return the head of a column; one without a name, such as that of bars, is no heading."""
    return h("th", name, scope="col", cls=cls) if name else h("td", cls=cls)


def terms(pairs: Iterable[tuple[str, str]]) -> Html:
    """Return a list of names with their values as code; empty values are left out."""
    return h("dl", *(join([h("dt", key), h("dd", h("code", value))]) for key, value in pairs if value))


def picture(post_id: str, thumbnail: str | None, *, missing: str = "", veiled: bool = False) -> Html | None:
    """Return the image of a post's card.

    `thumbnail` is a data address. Without one, the frame is empty and says why (`missing`); without either,
    the card has no frame. A `veiled` image is blurred until it is clicked.
    """
    if thumbnail is None:
        return h("div", missing, cls="frame empty") if missing else None
    alt = "" if veiled else f"Image of post {post_id}"
    image = h("img", src=thumbnail, alt=alt, decoding="async")
    if not veiled:
        return h("div", image, cls="frame")
    label = f"Image marked 18+, of post {post_id}: show or blur it"
    cover = h("span", "18+", cls="cover", aria_hidden="true")
    return h("button", image, cover, cls="frame veil", type="button", aria_pressed="false", aria_label=label)


def post_text(text: str) -> Html:
    """Return the text of a post's card."""
    return h("p", text, cls="text", dir="auto") if text.strip() else h("p", "no text", cls="text quiet")


def post_link(post_id: str, permalink: str) -> Html:
    """Return a post's id, as a link where the permalink is an http(s) address."""
    name = clip(post_id, 40)
    return link(name, permalink) if re.match(r"https?://[^\s/]", permalink) else h("span", name)


def link(text: str, address: str) -> Html:
    """Return a link that opens in a new tab and sends no referrer. Check the address's scheme before."""
    return h("a", text, href=address, rel="noopener noreferrer nofollow", target="_blank")
