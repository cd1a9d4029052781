"""A post as a card: its picture, veiled where it is marked 18+, its text, and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Sequence

from curation.report.charts import colour
from curation.report.markup import Html, clip, h, number
from curation.report.overview import SPLIT_NAMES
from curation.report.shown import Post


def card(post: Post, classes: Sequence[str], reason: str = "", facts: Sequence[str] = ()) -> Html:
    """Return a post as a card."""
    shade = colour(classes.index(post.label)) if post.label in classes else "none"
    tags = [h("span", h("i", cls=f"dot {shade}"), post.label or "no label")]
    if post.split:
        tags.append(h("span", SPLIT_NAMES[post.split], cls=f"split {post.split}"))
    known = list(facts) or ([f"{number(post.score)} points"] if post.score is not None else [])
    text = (
        h("p", post.text, cls="text", dir="auto")
        if post.text.strip()
        else h("p", "no text", cls="text quiet")
    )
    return h(
        "article",
        _picture(post),
        text,
        h("p", reason, cls="reason", dir="auto") if reason else None,
        h("p", *tags, cls="tags"),
        h("p", *(f"{fact} · " for fact in known), _source(post), cls="facts"),
        h("p", *_credit(post.credit), cls="facts credit", dir="auto") if post.credit else None,
        cls="card",
    )


def _credit(text: str) -> list[object]:
    """Return a credit with its addresses as links that show the host alone."""
    parts: list[object] = []
    for number_, part in enumerate(re.split(r"(https?://[^\s();,]+)", text)):
        if number_ % 2:
            host = part.split("/")[2]
            part = h("a", host, href=part, rel="noopener noreferrer nofollow", target="_blank")
        parts.append(part)
    return parts


def _picture(post: Post) -> Html | None:
    if post.picture is None:
        return h("div", post.missing, cls="frame empty") if post.missing else None
    alt = f"Image of post {post.post_id}"
    image = h("img", src=post.picture, alt="" if post.veiled else alt, decoding="async")
    if not post.veiled:
        return h("div", image, cls="frame")
    label = f"Image marked 18+, of post {post.post_id}: show or blur it"
    cover = h("span", "18+", cls="cover", aria_hidden="true")
    return h("button", image, cover, cls="frame veil", type="button", aria_pressed="false", aria_label=label)


def _source(post: Post) -> Html:
    name = clip(post.post_id, 40)
    if re.match(r"https?://[^\s/]", post.permalink):
        link = h("a", name, href=post.permalink, rel="noopener noreferrer nofollow", target="_blank")
        told = post.community not in ("", post.label)  # a subreddit, not the emotion that stands above
        return h("span", link, f" · {clip(post.community, 30)}" if told else "")
    return h("span", name)
