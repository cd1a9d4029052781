"""The posts themselves: duplicates side by side, random and borderline ones, and those dropped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from curation.report.charts import colour
from curation.report.dropped import EXAMPLES, Dropped
from curation.report.flow import words_of
from curation.report.markup import Html, clip, count, h, number, percent
from curation.report.overview import SPLIT_NAMES
from curation.report.picks import Place
from curation.report.release import Manifest
from curation.report.scan import Figures
from curation.report.shown import Post
from curation.report.twins import Group, Twins

Posts = Mapping[Place, Post]


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


def _picture(post: Post) -> Html:
    if post.picture is None:
        return h("div", post.missing, cls="frame empty")
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


def _cards(posts: Posts, places: Sequence[Place], classes: Sequence[str]) -> Html:
    return h("div", *(card(posts[place], classes) for place in places), cls="cards")


def duplicates(manifest: Manifest, figures: Figures, twins: Twins, posts: Posts) -> Html:
    """Return what the search for duplicates found, and whether it leaks into the test set."""
    recipe = manifest.recipe.get("duplicates") or {}
    searched = ", ".join(f"{key} {recipe[key]}" for key in ("images", "texts", "policy") if key in recipe)
    leaks, tests = twins.leaks.get("test", 0), figures.test_posts
    held = twins.leaks.get("validation", 0)
    verdict = (
        f"{number(leaks)} of {count(tests, 'test post')} ({percent(leaks, tests)}) "
        f"{'has' if leaks == 1 else 'have'} a twin in training"
    )
    meaning = (
        "A model may have seen their like: hold the score on all test posts against that on the others."
        if leaks
        else "No test score rests on a post seen in training, as far as this search can tell."
    )
    found = (
        f"{count(twins.groups, 'group')} of duplicates hold {count(twins.rows, 'row')}; the largest holds "
        f"{number(twins.largest)}. {number(twins.straddling)} straddle splits, {number(twins.conflicting)} "
        f"mix labels. {count(held, 'validation post')} {'has' if held == 1 else 'have'} a twin in training."
        if twins.groups
        else "No two posts of this release are known as duplicates."
    )
    return h(
        "section",
        h("h2", "Duplicates and leakage"),
        h(
            "p",
            h("b", verdict),
            f" (leakage = “{manifest.leakage}”). {meaning}",
            cls="verdict " + ("bad" if leaks else "ok"),
        ),
        h("p", found, f" Searched: {searched}." if searched else None),
        h("div", *(_group(group, posts, manifest.classes) for group in twins.shown), cls="groups"),
        _more(len(twins.shown), twins.groups),
        id="duplicates",
    )


def _group(group: Group, posts: Posts, classes: Sequence[str]) -> Html:
    told = [count(group.size, "row")]
    told += ["straddles splits"] if group.straddles else []
    told += ["mixes labels"] if group.conflicts else []
    hidden = group.size - len(group.places)
    told += [f"{number(hidden)} not shown"] if hidden else []
    title = h("figcaption", ", ".join(told))
    return h(
        "figure",
        title,
        _cards(posts, group.places, classes),
        cls="group" + (" bad" if group.straddles else ""),
    )


def _more(shown: int, groups: int) -> Html | None:
    if shown >= groups:
        return None
    rule = "those that straddle splits first, then those that mix labels, then the largest"
    return h("p", f"{shown} of {number(groups)} groups are shown: {rule}.", cls="quiet")


def random(manifest: Manifest, figures: Figures, posts: Posts) -> Html:
    """Return random posts of each class."""
    blocks = [
        h(
            "details",
            h(
                "summary",
                h("i", cls=f"dot {colour(i)}"),
                name,
                h("small", f"{len(picked.places)} of {number(n)}"),
            ),
            _cards(posts, picked.places, manifest.classes),
            open=True,
        )
        for i, (name, picked, n) in enumerate(
            zip(manifest.classes, figures.random, figures.counts.sum(axis=1).tolist(), strict=True)
        )
        if picked.places
    ]
    told = (
        "Drawn by a hash of their ids: nobody chose them, and another build of the same posts draws the same."
    )
    return h("section", h("h2", "Random posts"), h("p", told), *blocks, id="random")


_BORDERS = {
    "language": ("Least certain of their language", "language", "min_score", "the recipe keeps from {}"),
    "words": ("Fewest words", "words", "min", "the recipe keeps from {}"),
    "most words": ("Most words", "words", "max", "the recipe keeps up to {}"),
    "agreement": ("Least agreement of the annotators", "agreement", "rule", "the recipe asks for a {} rule"),
    "score": ("Lowest score", "score", "min", "the recipe keeps from {}"),
}


def borderline(manifest: Manifest, figures: Figures, posts: Posts) -> Html | None:
    """Return the posts nearest to the recipe's thresholds."""
    blocks = []
    for kind, picked in figures.borderline.items():
        if not picked.places or (kind == "agreement" and min(picked.values) == 1):
            continue
        title, use, key, rule = _BORDERS[kind]
        bounds = [one[key] for one in manifest.filters(use) if one.get(key)]
        told = rule.format(bounds[0]) if bounds else "the recipe has no such threshold"
        cards = [card(posts[p], manifest.classes, facts=_facts(kind, posts[p])) for p in picked.places]
        summary = h("summary", title, h("small", told))
        blocks.append(h("details", summary, h("div", *cards, cls="cards"), open=True))
    if not blocks:
        return None
    told = "The posts that a stricter recipe would lose first."
    return h("section", h("h2", "Borderline posts"), h("p", told), *blocks, id="borderline")


def _facts(kind: str, post: Post) -> list[str]:
    if kind == "language" and post.language_score is not None:
        return [f"{post.language or 'unknown'}, score {post.language_score:.2f}"]
    if kind == "agreement" and post.agreement is not None:
        return [f"agreement {100 * post.agreement:.0f}%"]
    if kind == "score" and post.score is not None:
        return [f"{number(post.score)} points"]
    return [count(post.n_words or 0, "word")]


def dropped(manifest: Manifest, found: Dropped) -> Html | None:
    """Return examples of what was left out, reason by reason, with the value that caused each drop."""
    blocks = []
    for (stage, reason), examples in found.examples.items():
        n = found.counts[stage, reason]
        summary = h("summary", words_of(reason), h("small", f"{stage} · {min(n, EXAMPLES)} of {number(n)}"))
        cards = [card(post, manifest.classes, reason=detail or words_of(reason)) for post, detail in examples]
        blocks.append(h("details", summary, h("div", *cards, cls="cards"), open=True))
    if not blocks:
        return None
    hidden = len(found.counts) - len(found.examples)
    told = (
        "Each with the value that caused the drop. All of them stand in the release's file of dropped posts."
    )
    if hidden:
        told += f" {count(hidden, 'more reason')} without examples here."
    return h("section", h("h2", "Dropped posts"), h("p", told), *blocks, id="dropped")
