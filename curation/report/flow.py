"""The way from collected to kept, and whether the release holds what its manifest says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curation.manifest.ledger import Ledger
from curation.manifest.manifest import Manifest
from curation.report.charts import bar
from curation.report.dropped_rows import Dropped
from curation.report.markup import Html, h, percent
from curation.report.overview import cell, head
from curation.report.scan import Figures
from curation.report.twins import Twins
from curation.splits import SPLITS

#: A statement about the release, and whether it holds.
Check = tuple[bool, str]


def words_of(reason: str) -> str:
    """Return a snake_case reason as words."""
    return reason.replace("_", " ")


def checks(manifest: Manifest, figures: Figures, twins: Twins, dropped: Dropped) -> list[Check]:
    """Hold the files against the manifest, and the ledger against itself."""
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
    found.append(
        (same, "The files hold the rows that the manifest counts, class by class and split by split.")
    )
    steps = {(step.stage, step.reason): step.rows for step in ledger.steps if step.rows}
    found.append(
        (steps == dict(dropped.counts), "Every drop of the ledger stands in the file of dropped posts.")
    )
    if manifest.leakage == "group":
        whole = twins.straddling == 0
        found.append((whole, "No group of duplicates straddles two splits."))
    if manifest.twins:
        agree = all(twins.leaks.get(split, 0) == n for split, n in manifest.twins.items())
        found.append((agree, "The twins counted in the files are those that the manifest reports."))
    return found


def checked(found: Sequence[Check]) -> Html:
    """Return the checks as a list; what fails stands out."""
    items = (
        h("li", h("b", "✓ " if ok else "✗ fails: "), text, cls="ok" if ok else "bad") for ok, text in found
    )
    return h("ul", *items, cls="checks")


def waterfall(ledger: Ledger) -> Html:
    """Return the way from collected to kept, a step a row, adding up."""
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
            f"What each step of the recipe dropped, in {ledger.unit} and in its order. The release lists "
            "every one with its reason; some are ",
            h("a", "shown below", href="#dropped"),
            ".",
        ),
        h("div", table, cls="scroll"),
        h("p", "Nothing to drop for: ", ", ".join(idle), ".", cls="quiet") if idle else None,
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
    told = f"{what}: {left:,} left" if dropped is None else f"{what}: {dropped:,} dropped, {left:,} left"
    return h(
        "tr",
        h("th", what, h("small", stage) if stage else None, scope="row"),
        h("td", bar(parts, ledger.collected, told), cls="wide"),
        h("td") if dropped is None else cell(-dropped),
        cell(left, "strong"),
        h("td", percent(left, ledger.collected), cls="n"),
    )
