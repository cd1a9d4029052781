"""The section with posts on which the models disagree, as in Tables 6 and 7 of Duong et al. 2017."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from affectory.core.html.markup import Html, clip, h
from affectory.core.html.parts import colour, picture, post_link, post_text
from affectory.core.html.thumbnails import thumbnail
from baselines.results.page.answers import MOST, Disagreement
from baselines.results.page.posts import Key, Shown

#: The most characters of a post's text on its card.
_LONGEST = 220

_NOTHING = Shown("", None)


def section(
    kinds: Mapping[str, Sequence[Disagreement]],
    posts: Mapping[Key, Shown],
    classes: Sequence[str],
    tests: int,
) -> Html | None:
    """Return the disagreements by kind, out of `tests` test posts; None if there are none."""
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
    note = (
        f"The models disagree on {total:,} of {tests:,} test posts. Each answer is the one of most seeds, "
        "with all inputs of the model. The posts shown are chosen at random, by a hash of their ids."
    )
    return h("section", h("h2", "Where the models disagree"), h("p", note), *blocks, id="disagree")


def _card(one: Disagreement, post: Shown, classes: Sequence[str], pictures: bool) -> Html:
    """Return a post with the answers of the models; `pictures` leaves room for an image."""
    rows = []
    for model, answer in one.answers.items():
        right = answer.label == one.truth
        share = f" {answer.seeds}/{answer.of}" if answer.seeds < answer.of else ""
        said = h("td", _dot(answer.label, classes), answer.label, h("small", share))
        cls, word, sign = ("good", "right", "✓") if right else ("lost", "wrong", "✗")
        rows.append(h("tr", h("th", model, scope="row"), said, h("td", sign, cls=cls, aria_label=word)))
    return h(
        "article",
        _picture(one.key[0], post) if pictures else None,
        post_text(clip(post.text, _LONGEST)),
        h("p", "True class: ", _dot(one.truth, classes), h("b", one.truth), cls="truth"),
        h("table", h("tbody", *rows), cls="answers"),
        h(
            "p",
            post_link(one.key[0], post.permalink),
            f" · {clip(post.credit, 90)}" if post.credit else None,
            cls="facts",
        ),
        cls="card",
    )


def _dot(label: str, classes: Sequence[str]) -> Html:
    return h("i", cls=f"dot {colour(classes.index(label))}" if label in classes else "dot")


def _picture(post_id: str, post: Shown) -> Html | None:
    small = thumbnail(post.image) if post.image else None
    missing = "unreadable image" if post.image else "no image"
    return picture(post_id, small, missing=missing, veiled=post.over_18)
