"""Posts on which the models disagree, as Tables 6 and 7 of Duong et al. 2017 show some."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from baselines.page import Key, Shown
from baselines.page.answers import MOST, Disagreement
from baselines.page.markup import Html, clip, colour, h
from baselines.page.thumbnails import thumbnail

#: Characters of a post's text on its card.
_LONGEST = 220

_NOTHING = Shown("", None)


def section(
    kinds: Mapping[str, Sequence[Disagreement]],
    posts: Mapping[Key, Shown],
    classes: Sequence[str],
    tests: int,
) -> Html | None:
    """Return the disagreements by kind."""
    if not kinds:
        return None
    pictures = any(post.image for post in posts.values())
    blocks = []
    for kind, found in kinds.items():
        shown = min(MOST, len(found))
        summary = h("summary", kind, h("small", f"{shown} of {len(found):,}"))
        cards = [_card(one, posts.get(one.key, _NOTHING), classes, pictures) for one in found[:MOST]]
        blocks.append(h("details", summary, h("div", *cards, cls="cards"), open=True))
    total = sum(len(found) for found in kinds.values())
    told = (
        f"On {total:,} of {tests:,} test posts the models don't agree. An answer is that of most seeds, "
        "given all that the model reads. Which posts are shown is drawn by a hash of their ids."
    )
    return h("section", h("h2", "Where the models disagree"), h("p", told), *blocks, id="disagree")


def _card(one: Disagreement, post: Shown, classes: Sequence[str], pictures: bool) -> Html:
    text = clip(post.text, _LONGEST)
    rows = []
    for model, answer in one.answers.items():
        right = answer.label == one.truth
        share = f" {answer.seeds}/{answer.of}" if answer.seeds < answer.of else ""
        said = h("td", _dot(answer.label, classes), answer.label, h("small", share))
        sign = h("td", "✓" if right else "✗", cls="good" if right else "lost", aria_label=_word(right))
        rows.append(h("tr", h("th", model, scope="row"), said, sign))
    return h(
        "article",
        _picture(one.key[0], post) if pictures else None,
        h("p", text, cls="text", dir="auto") if text.strip() else h("p", "no text", cls="text quiet"),
        h("p", "Truth: ", _dot(one.truth, classes), h("b", one.truth), cls="truth"),
        h("table", h("tbody", *rows), cls="answers"),
        h(
            "p",
            _source(one.key[0], post),
            f" · {clip(post.credit, 90)}" if post.credit else None,
            cls="facts",
        ),
        cls="card",
    )


def _word(right: bool) -> str:
    return "right" if right else "wrong"


def _dot(label: str, classes: Sequence[str]) -> Html:
    return h("i", cls=f"dot {colour(classes.index(label))}" if label in classes else "dot")


def _picture(post_id: str, post: Shown) -> Html:
    picture = thumbnail(post.image) if post.image else None
    if picture is None:
        return h("div", "unreadable image" if post.image else "no image", cls="frame empty")
    alt = "" if post.over_18 else f"Image of post {post_id}"
    image = h("img", src=picture, alt=alt, decoding="async")
    if not post.over_18:
        return h("div", image, cls="frame")
    label = f"Image marked 18+, of post {post_id}: show or blur it"
    cover = h("span", "18+", cls="cover", aria_hidden="true")
    return h("button", image, cover, cls="frame veil", type="button", aria_pressed="false", aria_label=label)


def _source(post_id: str, post: Shown) -> Html:
    name = clip(post_id, 40)
    if re.match(r"https?://[^\s/]", post.permalink):
        return h("a", name, href=post.permalink, rel="noopener noreferrer nofollow", target="_blank")
    return h("span", name)
