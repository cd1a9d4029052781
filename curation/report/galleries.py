"""The sections that show posts: duplicates side by side, random, borderline and dropped posts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from affectory.core.html.markup import Html, h, join
from affectory.core.numbers import count, number, percent
from curation.manifest.manifest import Manifest
from curation.report.cards import card
from curation.report.contents import shades
from curation.report.dropped_rows import DUPLICATE, EXAMPLES, Dropped, kept_instead
from curation.report.flow import words_of
from curation.report.picks import Place
from curation.report.scan import Figures
from curation.report.shown import Post
from curation.report.twins import Group, Twins

Posts = Mapping[Place, Post]


def _cards(posts: Posts, places: Sequence[Place], classes: Sequence[str]) -> Html:
    return h("div", *(card(posts[place], classes) for place in places), cls="cards")


def duplicates(manifest: Manifest, figures: Figures, twins: Twins, posts: Posts) -> Html:
    """Return the groups of duplicates, and how many test posts have a duplicate in training."""
    recipe = manifest.recipe.get("duplicates") or {}
    searched = ", ".join(f"{key} {recipe[key]}" for key in ("images", "texts", "policy") if key in recipe)
    leaks, tests = twins.leaks.get("test", 0), figures.test_posts
    held = twins.leaks.get("validation", 0)
    verdict = (
        f"{number(leaks)} of {count(tests, 'test post')} ({percent(leaks, tests)}) "
        f"{'has' if leaks == 1 else 'have'} a duplicate in training"
    )
    meaning = (
        "Such posts can raise test scores: report the scores without them too."
        if leaks
        else "The search found no duplicate of a test post in training."
    )
    found = (
        f"{count(twins.groups, 'group')} of duplicates with {count(twins.rows, 'row')}; the largest holds "
        f"{number(twins.largest)}. {_verb(twins.straddling, 'straddle')} splits, "
        f"{_verb(twins.conflicting, 'mix', 'mixes')} labels. {count(held, 'validation post')} "
        f"{'has' if held == 1 else 'have'} a duplicate in training."
        if twins.groups
        else "No posts of this release are known as duplicates."
    )
    lost = sum(step.rows for step in manifest.ledger.steps if step.stage == "duplicates")
    return h(
        "section",
        h("h2", "Duplicates and leakage"),
        h(
            "p",
            h("b", verdict),
            f" (leakage = “{manifest.leakage}”). {meaning}",
            cls="verdict " + ("bad" if leaks else "ok"),
        ),
        h("p", found, _lost(lost, manifest.ledger.unit), f" Searched: {searched}." if searched else None),
        h("div", *(_group(group, posts, manifest.classes) for group in twins.shown), cls="groups"),
        _more(len(twins.shown), twins.groups),
        id="duplicates",
    )


def _verb(number_: int, several: str, one: str | None = None) -> str:
    """Return a number with a verb: 1 straddles, 2 straddle."""
    return f"{number(number_)} {(one or several + 's') if number_ == 1 else several}"


def _lost(rows: int, unit: str) -> Html | None:
    """Return a sentence on the duplicates that the recipe dropped."""
    if not rows:
        return None
    how = "was dropped as a duplicate" if rows == 1 else "were dropped as duplicates"
    note = f" {count(rows, unit.removesuffix('s'))} {how} ("
    return join([note, h("a", "shown below", href="#dropped"), ")."])


def _group(group: Group, posts: Posts, classes: Sequence[str]) -> Html:
    facts = [count(group.size, "row")]
    facts += ["straddles splits"] if group.straddles else []
    facts += ["mixes labels"] if group.conflicts else []
    hidden = group.size - len(group.places)
    facts += [f"{number(hidden)} not shown"] if hidden else []
    title = h("figcaption", ", ".join(facts))
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
                h("i", cls=f"dot {shade}"),
                name,
                h("small", f"{len(picked.places)} of {number(n)}"),
            ),
            _cards(posts, picked.places, manifest.classes),
            open=True,
        )
        for name, shade, picked, n in zip(
            manifest.classes,
            shades(manifest.classes),
            figures.random,
            figures.counts.sum(axis=1).tolist(),
            strict=True,
        )
        if picked.places
    ]
    note = "Chosen at random, by a hash of their ids: another build of the same posts shows the same ones."
    return h("section", h("h2", "Random posts"), h("p", note), *blocks, id="random")


_BORDERS = {
    "language": ("Least certain language", "language", "min_score", "the recipe's minimum is {}"),
    "words": ("Fewest words", "words", "min", "the recipe's minimum is {}"),
    "most words": ("Most words", "words", "max", "the recipe's maximum is {}"),
    "agreement": ("Least agreement of the annotators", "agreement", "rule", "the recipe's rule is {}"),
    "score": ("Lowest score", "score", "min", "the recipe's minimum is {}"),
}


def borderline(manifest: Manifest, figures: Figures, posts: Posts) -> Html | None:
    """Return the posts closest to the recipe's thresholds."""
    blocks = []
    for kind, picked in figures.borderline.items():
        if not picked.places or (kind == "agreement" and min(picked.values) == 1):
            continue
        title, use, key, rule = _BORDERS[kind]
        bounds = [one[key] for one in manifest.filters(use) if one.get(key)]
        note = rule.format(bounds[0]) if bounds else "the recipe sets no threshold"
        cards = [card(posts[p], manifest.classes, facts=_facts(kind, posts[p])) for p in picked.places]
        summary = h("summary", title, h("small", note))
        blocks.append(h("details", summary, h("div", *cards, cls="cards"), open=True))
    if not blocks:
        return None
    note = "The posts that stricter thresholds would drop first."
    return h("section", h("h2", "Borderline posts"), h("p", note), *blocks, id="borderline")


def _facts(kind: str, post: Post) -> list[str]:
    if kind == "language" and post.language_score is not None:
        return [f"{post.language or 'unknown'}, score {post.language_score:.2f}"]
    if kind == "agreement" and post.agreement is not None:
        return [f"agreement {100 * post.agreement:.0f}%"]
    if kind == "score" and post.score is not None:
        return [f"{number(post.score)} points"]
    return [count(post.n_words or 0, "word")]


def _beside(post: Post, detail: str, kept: Post | None, classes: Sequence[str]) -> Html:
    """Return a dropped duplicate, beside the post that was kept instead if that is still in the release."""
    veiled = post.veiled or (kept is not None and kept.veiled)
    cards = [card(dataclasses.replace(post, veiled=veiled), classes, reason=detail)]
    if kept is not None:
        cards.append(card(dataclasses.replace(kept, veiled=veiled), classes))
    title = h("figcaption", "dropped" if kept is None else "dropped, and the one kept")
    return h("figure", title, h("div", *cards, cls="cards"), cls="group")


def dropped(manifest: Manifest, found: Dropped, posts: Posts) -> Html | None:
    """Return examples of dropped posts for each reason, with the value that caused each drop."""
    blocks = []
    for (stage, reason), examples in found.examples.items():
        n = found.counts[stage, reason]
        summary = h("summary", words_of(reason), h("small", f"{stage} · {min(n, EXAMPLES)} of {number(n)}"))
        if (stage, reason) == DUPLICATE:
            kept = [found.kept.get(kept_instead(detail)) for _, detail in examples]
            shown = [
                _beside(post, detail, posts[place] if place else None, manifest.classes)
                for (post, detail), place in zip(examples, kept, strict=True)
            ]
        else:
            shown = [
                card(post, manifest.classes, reason=detail or words_of(reason)) for post, detail in examples
            ]
        row = h("div", *shown, cls="groups" if (stage, reason) == DUPLICATE else "cards")
        blocks.append(h("details", summary, row, open=True))
    if not blocks:
        return None
    hidden = len(found.counts) - len(found.examples)
    note = "Each card shows the value that caused the drop. The file of dropped posts lists them all."
    if hidden:
        note += f" {count(hidden, 'more reason')} without examples."
    return h("section", h("h2", "Dropped posts"), h("p", note), *blocks, id="dropped")
