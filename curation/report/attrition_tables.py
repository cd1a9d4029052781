"""The section on attrition: how many posts of each class, host and year were collected and kept."""

from __future__ import annotations

from collections.abc import Sequence

from affectory.core.html.markup import Html, h
from affectory.core.html.parts import column
from affectory.core.numbers import number, percent
from curation.manifest.attrition import Medians, Part, told
from curation.manifest.manifest import Manifest
from curation.report.contents import shades
from curation.report.histograms import bar


def section(manifest: Manifest) -> Html | None:
    """Return the section; None if all is kept, or the release is of an earlier format."""
    found = manifest.attrition
    if found is None or not found.all.lost:
        return None
    unit = manifest.ledger.unit
    shade_of = dict(zip(manifest.classes, shades(manifest.classes), strict=True))
    cards = [
        _card("By class", "Class", found.classes, shade_of, scored=found.all.score is not None),
        _card("By host of the link", "Host", found.hosts),
        _card("By year of posting", "Year", found.years),
    ]
    sentences = told(found, manifest.classes, unit)
    return h(
        "section",
        h("h2", "What was lost"),
        h(
            "p",
            f"The collected {unit} beside those that are kept: what a model trained on them sees less of. "
            "The pale part of a bar is lost.",
        ),
        h("ul", *(h("li", one) for one in sentences), cls="notes") if sentences else None,
        h("div", *(card for card in cards if card is not None), cls="charts halves"),
        id="attrition",
    )


def _card(
    title: str,
    head: str,
    parts: Sequence[Part],
    shade_of: dict[str, str] | None = None,
    *,
    scored: bool = False,
) -> Html | None:
    if not parts:
        return None
    most = max(part.collected for part in parts)
    heads = [head, "", "Collected", "Kept", "Share", *(["Median score"] if scored else [])]
    kinds = [None, "wide", *["n"] * (len(heads) - 2)]
    cells = (column(text, cls) for text, cls in zip(heads, kinds, strict=True))
    rows = [_row(part, most, (shade_of or {}).get(part.name, "ink"), scored=scored) for part in parts]
    note = "Median score: of the collected ones → of the kept ones." if scored else None
    return h(
        "figure",
        h("figcaption", title),
        h("table", h("thead", h("tr", *cells)), h("tbody", *rows), cls="figures slim" + " scored" * scored),
        h("p", note, cls="quiet") if note else None,
        cls="panel",
    )


def _row(part: Part, most: int, shade: str, *, scored: bool) -> Html:
    tip = f"{part.name}: {part.collected:,} collected, {part.kept:,} kept"
    drawn = bar([(part.kept, shade), (part.lost, f"{shade} test")], most, tip)
    return h(
        "tr",
        h("th", part.name, scope="row"),
        h("td", drawn, cls="wide"),
        h("td", number(part.collected), cls="n"),
        h("td", number(part.kept), cls="n strong"),
        h("td", percent(part.kept, part.collected), cls="n"),
        h("td", _change(part.score), cls="n") if scored else None,
    )


def _change(found: Medians | None) -> str:
    if found is None or found.kept is None:
        return "–"
    return f"{number(found.collected)} → {number(found.kept)}"
