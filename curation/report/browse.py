"""The data browser: up to `scan.SAMPLE` posts in the page, to search, filter, sort and enlarge.

The posts are a block of JSON, from which `browse.js` makes the cards: kept and dropped posts, or a random
sample of them, chosen by the hash of their ids. Tombstones of removed posts are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from affectory.core.html.markup import Html, clean, h
from affectory.core.numbers import count, number
from affectory.core.progress import Steps
from curation.audit.pictures import Seen
from curation.manifest.manifest import Manifest
from curation.report import dropped_rows, shown
from curation.report.contents import Release, shades
from curation.report.dropped_rows import Dropped
from curation.report.flow import words_of
from curation.report.overview import SPLIT_NAMES
from curation.report.picks import Place
from curation.report.pictures import picture
from curation.report.scan import Figures
from curation.report.shown import Post, pictured

#: The most characters of a post's text.
LONGEST = 400

#: The most images of kept posts that quality is measured of.
MEASURED = 1_000

#: The place of a dropped post, instead of a split.
DROPPED = "dropped"

#: The fields by which posts are sorted, each with its two orders.
_ORDERS = {
    "score": ("highest score", "lowest score"),
    "created": ("newest", "oldest"),
    "words": ("most words", "fewest words"),
    "agreement": ("most agreement", "least agreement"),
}

#: What the block has of a post, in this order.
_FIELDS = (
    "id", "text", "label", "place", "reason", "detail", "score", "created", "words", "agreement", "language",
    "community", "link", "credit", "veiled", "missing", "picture",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A post of the browser; of a dropped one also the reason, and the value that caused the drop.

    `seen` is what was seen of its image, if it was measured.
    """

    post: Post
    reason: str = ""
    detail: str = ""
    seen: Seen | None = None


def gather(release: Release, figures: Figures, flagged_groups: set[str], lost: Dropped) -> list[Entry]:
    """Read the posts of the browser: those with the lowest hashes among the kept and the dropped ones."""
    ranked: list[tuple[int, str, Place]] = []
    for kind, sample in (("kept", figures.sample), (DROPPED, lost.sample)):
        ranked += [(tie, kind, place) for tie, place in zip(sample.ties, sample.places, strict=True)]
    ranked = sorted(ranked)[: figures.sample.size]
    kept = [place for _, kind, place in ranked if kind == "kept"]
    gone = [place for _, kind, place in ranked if kind == DROPPED]
    measured = set(kept[:MEASURED])
    made: dict[tuple[str, Place], Entry] = {}
    with Steps("posts to browse", len(ranked), "posts") as steps:
        for place, post, data in shown.read(release, kept, flagged_groups, LONGEST):
            drawn = place in measured
            small, seen = picture(data, len(ranked), measured=drawn) if data else (None, None)
            made["kept", place] = Entry(pictured(post, data, small, release), seen=seen)
            steps.advance()
        for place, post, data, reason, detail in dropped_rows.read(release, gone, LONGEST):
            small = picture(data, len(ranked), measured=False)[0] if data else None
            made[DROPPED, place] = Entry(pictured(post, None, small, release), reason, detail)
            steps.advance()
    return [made[kind, place] for _, kind, place in ranked]


def section(manifest: Manifest, entries: Sequence[Entry], rows: int) -> Html:
    """Return the section: controls, the block of posts, the window for one. `rows` counts all there are."""
    which = f"All {count(rows, 'row')} of the release, kept and dropped."
    if len(entries) < rows:
        which = (
            f"{number(len(entries))} of {count(rows, 'row')}, kept and dropped, chosen at random by a hash "
            "of their ids."
        )
    return h(
        "section",
        h("h2", "Browse the posts"),
        h("p", f"{which} A card is enlarged by a click; ← and → then show its neighbours."),
        h("noscript", h("p", "To browse, JavaScript is needed; the other sections do without.", cls="quiet")),
        h("form", *_controls(manifest, entries), cls="controls", role="search", aria_label="Posts"),
        h("p", role="status", cls="quiet"),
        h("div", cls="cards"),
        h("p", h("button", "Show more", type="button", cls="more", hidden=True)),
        h("dialog", aria_label="Post", tabindex="-1"),
        h("script", Html(_json(manifest, entries)), type="application/json"),
        id="browse",
    )


def _controls(manifest: Manifest, entries: Sequence[Entry]) -> Iterator[Html]:
    reasons = sorted({entry.reason for entry in entries} - {""})
    places = {split: SPLIT_NAMES[split] for split in manifest.counts} | (
        {DROPPED: DROPPED} if reasons else {}
    )
    others = sorted({entry.post.label for entry in entries} - {"", *manifest.classes})
    yield _labelled("Search", h("input", type="search", name="query", autocomplete="off"))
    yield _choice("Class", "label", {name: name for name in (*manifest.classes, *others)})
    yield _choice("Split", "place", places)
    if reasons:
        yield _choice("Dropped for", "reason", {words_of(one): words_of(one) for one in reasons})
    orders = {"": "at random"}
    for name, (down, up) in _ORDERS.items():
        if any(_values(entry)[_FIELDS.index(name)] is not None for entry in entries):
            orders |= {f"{name} -1": down, f"{name} 1": up}
    yield _labelled("Order", h("select", *_options(orders), name="order"))


def _labelled(text: str, control: Html) -> Html:
    return h("label", h("span", text), control)


def _choice(text: str, name: str, values: Mapping[str, str]) -> Html:
    return _labelled(text, h("select", *_options({"": "all"} | dict(values)), name=name))


def _options(values: Mapping[str, str]) -> list[Html]:
    return [h("option", text, value=value) for value, text in values.items()]


def _json(manifest: Manifest, entries: Sequence[Entry]) -> str:
    """Return the block: names of the fields, the classes and their colours, and a list a post."""
    block = {
        "fields": _FIELDS,
        "classes": manifest.classes,
        "shades": shades(manifest.classes),
        "places": SPLIT_NAMES,
        "posts": [_values(entry) for entry in entries],
    }
    return json.dumps(block, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _values(entry: Entry) -> list[object]:
    post = entry.post
    return [
        clean(post.post_id),
        clean(post.text),
        post.label,
        DROPPED if entry.reason else post.split,
        words_of(entry.reason),
        clean(entry.detail),
        post.score,
        post.created,
        post.n_words,
        None if post.agreement is None else round(100 * post.agreement),
        post.language,
        clean(post.community),
        clean(post.permalink),
        clean(post.credit),
        int(post.veiled),
        post.missing,
        post.picture or "",
    ]
