"""The box “Look here first”: what an audit finds in the release, a line each, with links to the sections.

Duplicates are those of the whole release. The other findings are of the posts that the page samples: words,
hosts and years that tell the class, likely label errors, and odd images among the posts of the browser.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from affectory.core.html.markup import Html, clip, h
from affectory.core.html.parts import post_link, table
from affectory.core.numbers import count, number
from curation.audit import image_files, label_errors, shortcuts
from curation.audit.finding import Finding
from curation.audit.pictures import by_field
from curation.audit.rows import Rows
from curation.audit.values import host, year
from curation.manifest.manifest import UNLABELLED
from curation.report.browse import Entry
from curation.report.contents import Release, batches
from curation.report.scan import Figures
from curation.report.twins import Twins

_COLUMNS = ("post_id", "text", "label", "image_url", "permalink", "created_at")

#: The values that tell the class, and the likely label errors, that are listed.
VALUES, ERRORS = 12, 6


def section(release: Release, figures: Figures, twins: Twins, entries: Sequence[Entry]) -> Html | None:
    """Return the box; None if nothing was found."""
    rows, links = _sampled(release, figures)
    every = np.ones(len(rows), dtype=bool)
    telling, tested = shortcuts.find(rows, every)
    of_images = _images(release, entries)
    more, tested_too = shortcuts.find(of_images, np.ones(len(of_images), dtype=bool))
    telling = sorted([*telling, *more], key=lambda one: (-one.bits, one.family, one.value))
    doubts = label_errors.find(rows, [])
    errors = None if isinstance(doubts, str) else label_errors.finding(rows, doubts)
    lines = list(_lines(figures, twins))
    lines += [(one.says, _PLACE[one.name]) for one in shortcuts.findings(telling, tested + tested_too)]
    lines += [(errors.says, "browse")] if errors else []
    if of_images.pictures is not None:
        found = image_files.exif(of_images.pictures), image_files.quality(of_images.pictures)
        lines += [(one.says, "browse") for part in found for one in part]
    if not lines:
        return None
    items = [h("li", says, " ", h("a", "Show", href=f"#{place}")) for says, place in lines]
    return h(
        "section",
        h("h2", "Look here first"),
        h("ul", *items, cls="first"),
        _telling(telling),
        _errors(rows, links, errors),
        _of(rows, figures),
        id="look-first",
    )


#: The section that shows more of a family of shortcuts.
_PLACE = dict.fromkeys(shortcuts.FAMILIES, "distributions") | {"word": "words", "mark": "words"}


def _lines(figures: Figures, twins: Twins) -> Iterator[tuple[str, str]]:
    if leaks := twins.leaks.get("test", 0):
        has = "has" if leaks == 1 else "have"
        of = f"{leaks:,} of {count(figures.test_posts, 'test post')}"
        yield f"{of} {has} a duplicate in training.", "duplicates"
    if twins.conflicting:
        groups = count(twins.conflicting, "group")
        has = "has" if twins.conflicting == 1 else "have"
        yield f"{groups} of duplicates {has} several labels.", "duplicates"


def _of(rows: Rows, figures: Figures) -> Html | None:
    if len(rows) == figures.rows:
        return None
    says = f"But for duplicates, of a random sample: {number(len(rows))} of {count(figures.rows, 'row')}."
    return h("p", says, cls="quiet")


def _telling(telling: Sequence[shortcuts.Shortcut]) -> Html | None:
    """Return the values that tell the class: those of no word of a text first."""
    shown = sorted(telling, key=lambda one: one.family == "word")[:VALUES]
    if not shown:
        return None
    lines = [
        (
            h("bdi", one.value),
            shortcuts.FAMILIES[one.family],
            one.label,
            f"{one.here:,} of {one.rows:,}",
            f"{one.here / one.rows:.0%}",
            f"{one.base:.0%}",
            f"{1000 * one.bits:.1f}",
        )
        for one in shown
    ]
    head = ("Value", "Kind", "Tells", "Rows", "Share", "In all rows", "Millibits")
    name = f"{count(len(telling), 'value')} that {'tells' if len(telling) == 1 else 'tell'} the class"
    return h("details", h("summary", name), table(head, lines, cls="figures slim"))


def _errors(rows: Rows, links: Sequence[str], errors: Finding | None) -> Html | None:
    if errors is None:
        return None
    items = []
    for (row,), caption in zip(errors.groups[:ERRORS], errors.captions, strict=False):
        text = clip((rows.texts or [""] * len(rows))[row], 160)
        items.append(
            h("li", h("bdi", text), " ", h("small", caption, " · ", post_link(rows.ids[row], links[row])))
        )
    return h("details", h("summary", "The likeliest label errors"), h("ul", *items, cls="first"))


def _sampled(release: Release, figures: Figures) -> tuple[Rows, list[str]]:
    """Return the posts of the page's sample, in the order of the files, and their links."""
    wanted: dict[int, list[int]] = {}
    for file, row in figures.sample.places:
        wanted.setdefault(file, []).append(row)
    read: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for file in sorted(wanted):
        at, places = 0, np.sort(np.array(wanted[file]))
        for batch in batches(release.data[file][1], _COLUMNS):
            here = places[(places >= at) & (places < at + batch.num_rows)] - at
            for name, values in batch.take(pa.array(here)).to_pydict().items():
                read[name] += values
            at += batch.num_rows
    labels = [-1 if label is None else label for label in read["label"]]
    facets = {"host": list(map(host, read["image_url"])), "year": list(map(year, read["created_at"]))}
    texts = [text or "" for text in read["text"]]
    rows = Rows(
        ["all"],
        np.zeros(len(labels), dtype=np.int16),
        read["post_id"],
        release.manifest.classes,
        np.array(labels, dtype=np.int32),
        texts,
        facets=facets,
    )
    return rows, [link or "" for link in read["permalink"]]


def _images(release: Release, entries: Sequence[Entry]) -> Rows:
    """Return the posts of the browser that were kept and have an image, with what was seen of it."""
    shown = [(entry.post, entry.seen) for entry in entries if entry.seen is not None and not entry.reason]
    classes = [name for name in release.manifest.classes if name != UNLABELLED]
    codes = {name: at for at, name in enumerate(classes)}
    return Rows(
        ["all"],
        np.zeros(len(shown), dtype=np.int16),
        [post.post_id for post, _ in shown],
        classes,
        np.array([codes.get(post.label, -1) for post, _ in shown], dtype=np.int32),
        pictures=by_field([seen for _, seen in shown]),
    )
