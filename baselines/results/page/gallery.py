"""The sections with test posts: where models disagree, and what each classifier of one model answers.

As Tables 6 and 7 of Duong et al. 2017, and Table 5 of Pagé Fortin and Chaib-draa 2019.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from affectory.core.html.markup import Html, clip, h, join
from affectory.core.html.parts import colour, picture, post_link, post_text
from affectory.core.html.thumbnails import thumbnail
from baselines.results import comparison as c
from baselines.results.page.answers import MOST, MOST_BY_MODE, Answer, ByMode, Disagreement, Labels
from baselines.results.page.posts import Key, Shown
from baselines.results.schema import Results, Row

#: The most characters of a post's text on its card.
_LONGEST = 220
#: The most characters of a model's name on a card before names are wrapped.
_NAME = 8

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
        cards = []
        for one in found[:MOST]:
            answers = [(c.short(results, results.rows[n]), answer) for n, answer in one.answers.items()]
            cards.append(_card(one.key, one.truth, answers, posts.get(one.key, _NOTHING), results, pictures))
        blocks.append(_block(kind, cards, len(found)))
    total = sum(len(found) for found in kinds.values())
    every = (n for found in kinds.values() for one in found[:MOST] for n in one.answers)
    long = any(len(c.short(results, results.rows[n])) > _NAME for n in every)
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
        cls="roomy" if several or long else None,
    )


def classifiers(
    kinds: Mapping[str, Sequence[ByMode]],
    posts: Mapping[Key, Shown],
    results: Results,
    row: Row,
) -> Html | None:
    """Return what each mode of a row answers for posts of each kind; None if there are none."""
    if not kinds:
        return None
    pictures = any(post.image for post in posts.values())
    blocks = []
    for kind, found in kinds.items():
        cards = []
        for one in found[:MOST_BY_MODE]:
            answers = [(row.names.get(mode, mode), answer) for mode, answer in one.answers.items()]
            cards.append(_card(one.key, one.truth, answers, posts.get(one.key, _NOTHING), results, pictures))
        blocks.append(_block(kind, cards, len(found)))
    several = results.dataset.task == "several"
    image, text, both = (row.names.get(mode, mode) for mode in ("image", "text", "both"))
    note = (
        f"{c.called(row)}: {image} is given the image, {text} the text, {both} both. Each answer is the one "
        "of most seeds. The posts shown are chosen at random, by a hash of their ids."
    )
    return h(
        "section",
        h("h2", f"What {image}, {text} and {both} say"),
        h("p", note),
        *blocks,
        id="classifiers",
        cls="roomy" if several else None,
    )


def _block(kind: str, cards: Iterable[Html], total: int) -> Html:
    shown = list(cards)
    summary = h("summary", kind, h("small", f"{len(shown)} of {total:,}"))
    return h("details", summary, h("div", *shown, cls="cards"), open=True)


def _card(
    key: Key,
    truth: Labels,
    answers: Iterable[tuple[str, Answer]],
    post: Shown,
    results: Results,
    pictures: bool,
) -> Html:
    """Return a post with the named answers; `pictures` leaves room for an image."""
    names = results.dataset.labels
    said_by = list(answers)
    long = any(len(who) > _NAME for who, _ in said_by)
    rows = []
    for who, answer in said_by:
        right = answer.labels == truth
        share = f" {answer.seeds}/{answer.of}" if answer.seeds < answer.of else ""
        said = h("td", _named(answer.labels, names), h("small", share))
        cls, word, sign = ("good", "right", "✓") if right else ("lost", "wrong", "✗")
        name = h("th", _breakable(who), scope="row")
        rows.append(h("tr", name, said, h("td", sign, cls=cls, aria_label=word)))
    word = "True labels: " if results.dataset.task == "several" else "True class: "
    return h(
        "article",
        _picture(key[0], post) if pictures else None,
        post_text(clip(post.text, _LONGEST)),
        h("p", word, h("b", _named(truth, names)), cls="truth"),
        h("table", h("tbody", *rows), cls="answers long" if long else "answers"),
        h(
            "p",
            post_link(key[0], post.permalink),
            f" · {clip(post.credit, 90)}" if post.credit else None,
            cls="facts",
        ),
        cls="card",
    )


def _breakable(name: str) -> Html:
    """Return a model's name with places where a line may end: "raw_n_cook_no_db_loss" has no space."""
    first, *rest = name.split("_")
    return join([first, *(part for word in rest for part in ("_", h("wbr"), word))])


def _named(labels: Sequence[str], names: Sequence[str]) -> Html:
    """Return labels, each with the dot of its colour."""
    dots = (f"dot {colour(names.index(one))}" if one in names else "dot" for one in labels)
    every = [h("span", h("i", cls=cls), one) for cls, one in zip(dots, labels, strict=True)]
    return join(every, ", ") if every else join(["none"])


def _picture(post_id: str, post: Shown) -> Html | None:
    small = thumbnail(post.image) if post.image else None
    missing = "unreadable image" if post.image else "no image"
    return picture(post_id, small, missing=missing, veiled=post.over_18)
