"""A post as a card: image (blurred if marked 18+), text, class, split, source and credit."""

from __future__ import annotations

import re
from collections.abc import Sequence

from affectory.core.html.markup import Html, clip, h
from affectory.core.html.parts import link, picture, post_link, post_text
from affectory.core.numbers import number
from curation.report.contents import shades
from curation.report.overview import SPLIT_NAMES
from curation.report.shown import Post


def card(post: Post, classes: Sequence[str], reason: str = "", facts: Sequence[str] = ()) -> Html:
    """Return a post as a card.

    `reason` says why the post was dropped. `facts` are shown before its source; by default, its score.
    """
    shade = dict(zip(classes, shades(classes), strict=True)).get(post.label or "", "none")
    tags = [h("span", h("i", cls=f"dot {shade}"), post.label or "no label")]
    if post.split:
        tags.append(h("span", SPLIT_NAMES[post.split], cls=f"split {post.split}"))
    known = list(facts) or ([f"{number(post.score)} points"] if post.score is not None else [])
    return h(
        "article",
        picture(post.post_id, post.picture, missing=post.missing, veiled=post.veiled),
        post_text(post.text),
        h("p", reason, cls="reason", dir="auto") if reason else None,
        h("p", *tags, cls="tags"),
        h("p", *(f"{fact} · " for fact in known), _source(post), cls="facts"),
        h("p", *_credit(post.credit), cls="facts credit", dir="auto") if post.credit else None,
        cls="card",
    )


def _credit(text: str) -> list[object]:
    """Return a credit in which each address is a link with the host as its text."""
    pieces = re.split(r"(https?://[^\s();,]+)", text)  # every second piece is an address
    return [link(piece.split("/")[2], piece) if i % 2 else piece for i, piece in enumerate(pieces)]


def _source(post: Post) -> Html:
    # On Flickr, the community is the emotion searched for, which the card has already.
    shown = post.permalink and post.community not in ("", post.label)
    community = f" · {clip(post.community, 30)}" if shown else ""
    return h("span", post_link(post.post_id, post.permalink), community)
