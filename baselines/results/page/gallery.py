"""The section with posts on which the models disagree, as in Tables 6 and 7 of Duong et al. 2017."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from affectory.core.html.markup import Html, clip, h, join
from affectory.core.html.parts import colour, picture, post_link, post_text
from affectory.core.html.thumbnails import thumbnail
from baselines.results import comparison as c
from baselines.results.page.answers import MOST, Disagreement
from baselines.results.page.posts import Key, Shown
from baselines.results.schema import Results

#: The most characters of a post's text on its card.
_LONGEST = 220

_NOTHING = Shown("", None)


def section(
    kinds: Mapping[str, Sequence[Disagreement]],
    posts: Mapping[Key, Shown],
    results: Results,
) -> Html | None:
    """Return the disagreements by kind; None if there are none."""
    if not kinds:
        return None
    pictures = any(post.image for post in posts.values())
    blocks = []
    for kind, found in kinds.items():
        shown = min(MOST, len(found))
        summary = h("summary", kind, h("small", f"{shown} of {len(found):,}"))
        cards = [_card(one, posts.get(one.key, _NOTHING), results, pictures) for one in found[:MOST]]
        blocks.append(h("details", summary, h("div", *cards, cls="cards"), open=True))
    total = sum(len(found) for found in kinds.values())
    several = results.dataset.task == "several"
    note = (
        f"The models disagree on {total:,} of {c.tests(results.dataset):,} test posts. Each answer is "
        "the one of most seeds, with all inputs of the model. "
        + ("An answer is right if it has all labels of the post and no other. " if several else "")
        + "The posts shown are chosen at random, by a hash of their ids."
    )
    return h(
        "section",
        h("h2", "Where the models disagree"),
        h("p", note),
        *blocks,
        id="disagree",
        cls="several" if several else None,
    )


def _card(one: Disagreement, post: Shown, results: Results, pictures: bool) -> Html:
    """Return a post with the answers of the models; `pictures` leaves room for an image."""
    names = results.dataset.labels
    rows = []
    for number, answer in one.answers.items():
        right = answer.labels == one.truth
        share = f" {answer.seeds}/{answer.of}" if answer.seeds < answer.of else ""
        said = h("td", _named(answer.labels, names), h("small", share))
        cls, word, sign = ("good", "right", "✓") if right else ("lost", "wrong", "✗")
        name = h("th", c.short(results, results.rows[number]), scope="row")
        rows.append(h("tr", name, said, h("td", sign, cls=cls, aria_label=word)))
    word = "True labels: " if results.dataset.task == "several" else "True class: "
    return h(
        "article",
        _picture(one.key[0], post) if pictures else None,
        post_text(clip(post.text, _LONGEST)),
        h("p", word, h("b", _named(one.truth, names)), cls="truth"),
        h("table", h("tbody", *rows), cls="answers"),
        h(
            "p",
            post_link(one.key[0], post.permalink),
            f" · {clip(post.credit, 90)}" if post.credit else None,
            cls="facts",
        ),
        cls="card",
    )


def _named(labels: Sequence[str], names: Sequence[str]) -> Html:
    """Return labels, each with the dot of its colour."""
    dots = (f"dot {colour(names.index(one))}" if one in names else "dot" for one in labels)
    every = [h("span", h("i", cls=cls), one) for cls, one in zip(dots, labels, strict=True)]
    return join(every, ", ") if every else join(["none"])


def _picture(post_id: str, post: Shown) -> Html | None:
    small = thumbnail(post.image) if post.image else None
    missing = "unreadable image" if post.image else "no image"
    return picture(post_id, small, missing=missing, veiled=post.over_18)
