"""The audit's page: what was found at the top, then each finding with its figures and some of its rows."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import resources

from affectory.core.html import shell
from affectory.core.html.markup import Html, clip, h
from affectory.core.html.parts import picture, post_text, table
from affectory.core.numbers import number
from curation.audit.audit import Audit
from curation.audit.finding import KINDS, Finding

#: The most lines of a table, groups of a finding, rows of a group, and characters of a text on the page.
LINES, GROUPS, MEMBERS, LONGEST = 30, 12, 4, 220

_IMAGES = (
    "The images on this page are thumbnails; their authors keep the copyright. The page works offline and "
    "stores nothing."
)

#: What a kind of findings is worth, under its heading.
_NOTES = {
    "leaks": "A model that has seen a copy in training scores higher on it. Near-equal images of memes can "
    "be one picture under several texts, and short texts can be equal by chance.",
    "conflicts": "No model can predict both labels of the same post. Where image and text belong together, "
    "the same text with another image may well have another label.",
    "shortcuts": "Mutual information with the label, in bits. “By chance” is its 97.5% quantile when the "
    "labels are permuted; p is corrected for the number of values tested. A word of the topic is fair; a "
    "mark of a site, a size, a format, a host or a year tells how the set was made.",
    "errors": "Labels that a logistic regression on word counts contradicts, which was trained on other "
    "rows; the largest margin first. Some of them are right: a text may be ironic, or need its image.",
    "exif": "Positions, serial numbers and names are personal data: remove them before the set is passed on.",
    "quality": "Measured on images at most 160 pixels wide or high.",
}


def render(audit: Audit, thumbnail: Callable[[int], bytes]) -> str:
    """Return the page; `thumbnail` returns the small JPEG of a row, or b"" if it has none."""
    sections = [_kind(audit, kind, thumbnail) for kind in KINDS if audit.of(kind)]
    return shell.page(
        [_header(audit), *sections],
        title=f"Audit of {audit.name}",
        home="audit",
        places=KINDS,
        style=resources.files(__package__).joinpath("audit.css").read_text(encoding="utf-8"),
        description=f"What an audit found in {audit.name}.",
    )


def _header(audit: Audit) -> Html:
    rows = audit.rows
    sizes = [(name, int((rows.split == at).sum())) for at, name in enumerate(rows.splits)]
    tiles = [(number(len(rows)), "rows"), (number(len(rows.classes)), "classes")]
    tiles += [(number(size), name) for name, size in sizes] if len(sizes) > 1 else []
    listed = [h("li", h("a", KINDS[one.kind], href=f"#{one.kind}"), ": ", one.says) for one in audit.findings]
    found = h("ul", *listed, cls="found") if listed else h("p", "Nothing was found.", cls="verdict ok")
    missing = (
        h("p", "Not looked for: ", "; ".join(one.why for one in audit.unchecked), ".", cls="quiet")
        if audit.unchecked
        else None
    )
    return h(
        "header",
        h("p", "Dataset audit", cls="eyebrow"),
        h("h1", audit.name),
        h("p", f"Columns: {audit.read}.", cls="quiet") if audit.columns else None,
        h("div", *(h("div", h("b", n), h("span", what), cls="tile") for n, what in tiles), cls="tiles"),
        h("h2", "What was found"),
        found,
        missing,
        h("p", _IMAGES, cls="quiet") if rows.pictured else None,
        id="top",
    )


def _kind(audit: Audit, kind: str, thumbnail: Callable[[int], bytes]) -> Html:
    note = h("p", _NOTES[kind]) if kind in _NOTES else None
    parts = [part for one in audit.of(kind) for part in _finding(audit, one, thumbnail)]
    return h("section", h("h2", KINDS[kind]), note, *parts, id=kind)


def _finding(audit: Audit, one: Finding, thumbnail: Callable[[int], bytes]) -> Iterator[Html]:
    yield h("h3", one.says)
    if one.table:
        lines = [[_cell(value) for value in line] for line in one.table[:LINES]]
        yield table(one.head, lines, cls="figures slim")
        yield from _more(len(one.table) - LINES)
    if one.groups:
        groups = one.groups[:GROUPS]
        shown = [_group(audit, one, at, thumbnail) for at in range(len(groups))]
        yield h("div", *shown, cls="groups")
        yield from _more(len(one.groups) - GROUPS)


def _more(left: int) -> Iterator[Html]:
    if left > 0:
        yield h("p", f"{left:,} more {'is' if left == 1 else 'are'} in audit.json.", cls="quiet")


def _cell(value: str | int | float) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return number(value)
    return f"{value:.5f}".rstrip("0").rstrip(".") if value < 0.1 else f"{value:.2f}"


def _group(audit: Audit, one: Finding, at: int, thumbnail: Callable[[int], bytes]) -> Html:
    group = one.groups[at]
    said = one.captions[at] if one.captions else ""
    more = f"{len(group):,} rows" if len(group) > MEMBERS else ""
    caption = h("figcaption", " · ".join(filter(None, (said, more)))) if said or more else None
    cards = [_card(audit, row, thumbnail) for row in _members(audit, group)]
    return h("figure", caption, h("div", *cards, cls="cards"), cls="group")


def _members(audit: Audit, group: Sequence[int]) -> list[int]:
    """Return up to `MEMBERS` rows of a group, first one of each split and label."""
    rows = audit.rows
    seen: Counter[tuple[int, int]] = Counter()
    ranked: list[tuple[int, int]] = []
    for row in group:
        kind = int(rows.split[row]), int(rows.label[row])
        ranked.append((seen[kind], row))
        seen[kind] += 1
    return sorted(row for _, row in sorted(ranked)[:MEMBERS])


def _card(audit: Audit, row: int, thumbnail: Callable[[int], bytes]) -> Html:
    rows = audit.rows
    named = clip(rows.named(row), 60)
    frame = None
    if rows.pictures is not None and rows.pictured:
        data = thumbnail(row)
        address = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" if data else None
        missing = "can’t be decoded" if rows.pictures.there[row] else "no image"
        veiled = bool(len(rows.flagged) and rows.flagged[row])
        frame = picture(named, address, missing=missing, veiled=veiled)
    text = None if rows.texts is None else post_text(clip(rows.texts[row], LONGEST))
    label = rows.label_of(row)
    facts = h("p", h("b", label), " · " if label else None, named, cls="facts")
    return h("article", frame, text, facts, cls="card")
