"""The ledger from collected to kept, and checks of the release against its manifest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from affectory.core.html.markup import Html, h
from affectory.core.numbers import percent
from curation.manifest.ledger import Ledger
from curation.manifest.manifest import Manifest
from curation.report.dropped_rows import Dropped
from curation.report.histograms import bar
from curation.report.overview import cell, head
from curation.report.scan import Figures
from curation.report.twins import Twins
from curation.splits import SPLITS

#: Whether a statement about the release is true, and the statement.
Check = tuple[bool, str]


def words_of(reason: str) -> str:
    """Return a reason such as too_small as words."""
    return reason.replace("_", " ")


def checks(manifest: Manifest, figures: Figures, twins: Twins, dropped: Dropped) -> list[Check]:
    """Check the files against the manifest, and that the ledger adds up."""
    ledger = manifest.ledger
    unit = ledger.unit
    found: list[Check] = [
        (
            ledger.collected == ledger.kept + ledger.dropped,
            f"The ledger adds up: {ledger.collected:,} {unit} collected = {ledger.kept:,} kept + "
            f"{ledger.dropped:,} dropped.",
        )
    ]
    listed = [[manifest.counts.get(s, {}).get(name, 0) for s in SPLITS] for name in manifest.classes]
    same = np.array_equal(figures.counts, np.asarray(listed)) and ledger.kept in (figures.rows, figures.posts)
    several = manifest.multilabel
    holding = [[several.counts.get(s, {}).get(name, 0) for s in SPLITS] for name in several.names]
    same = same and figures.holding.tolist() == holding
    found.append((same, "The files have the number of rows that the manifest says, in each class and split."))
    steps = {(step.stage, step.reason): step.rows for step in ledger.steps if step.rows}
    found.append((steps == dict(dropped.counts), "The file of dropped posts has every drop in the ledger."))
    if manifest.leakage == "group":
        whole = twins.straddling == 0
        found.append((whole, "No group of duplicates is in more than one split."))
    if manifest.twins:
        agree = all(twins.leaks.get(split, 0) == n for split, n in manifest.twins.items())
        found.append(
            (agree, "The files have as many posts with a duplicate in training as the manifest says.")
        )
    return found


def checked(found: Sequence[Check]) -> Html:
    """Return the checks as a list in which failures are highlighted."""
    items = (
        h("li", h("b", "✓ " if ok else "✗ fails: "), text, cls="ok" if ok else "bad") for ok, text in found
    )
    return h("ul", *items, cls="checks")


def waterfall(ledger: Ledger) -> Html:
    """Return the section with the ledger: one row per step, from collected to kept."""
    title = h("h2", "From collected to kept")
    if not ledger.dropped:
        text = f"All {ledger.collected:,} {ledger.unit} collected are kept: the recipe dropped nothing."
        return h("section", title, h("p", text), id="waterfall")
    idle = [f"{step.stage}: {words_of(step.reason)}" for step in ledger.steps if not step.rows]
    table = h(
        "table",
        head(["Step", "", "Dropped", "Left", "Of all"]),
        h("tbody", *_steps(ledger)),
        h("tfoot", _row(ledger, "kept", "", ledger.dropped, ledger.kept, [(ledger.kept, "kept")])),
        cls="figures",
    )
    return h(
        "section",
        title,
        h(
            "p",
            f"The {ledger.unit} that each step of the recipe dropped, in order. The release lists each one "
            "with its reason; some are ",
            h("a", "shown below", href="#dropped"),
            ".",
        ),
        h("div", table, cls="scroll"),
        h("p", "Nothing was dropped for: ", ", ".join(idle), ".", cls="quiet") if idle else None,
        id="waterfall",
    )


def _steps(ledger: Ledger) -> list[Html]:
    left = ledger.collected
    rows = [_row(ledger, "collected", "", None, left, [(left, "ink")])]
    for step in (one for one in ledger.steps if one.rows):
        left -= step.rows
        parts: list[tuple[float, str]] = [(left, "ink validation"), (step.rows, "lost")]
        rows.append(_row(ledger, words_of(step.reason), step.stage, step.rows, left, parts))
    return rows


def _row(
    ledger: Ledger, what: str, stage: str, dropped: int | None, left: int, parts: Sequence[tuple[float, str]]
) -> Html:
    tip = f"{what}: {left:,} left" if dropped is None else f"{what}: {dropped:,} dropped, {left:,} left"
    return h(
        "tr",
        h("th", what, h("small", stage) if stage else None, scope="row"),
        h("td", bar(parts, ledger.collected, tip), cls="wide"),
        h("td") if dropped is None else cell(-dropped),
        cell(left, "strong"),
        h("td", percent(left, ledger.collected), cls="n"),
    )
