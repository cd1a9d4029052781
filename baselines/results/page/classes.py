"""Sections on the classes or labels (confusion, F1, precision, recall, AUC) and on the vector spaces."""

from __future__ import annotations

from affectory.core.html.markup import Html, h, join
from affectory.core.html.parts import colour, table
from baselines.results import comparison as c
from baselines.results.formatting import number
from baselines.results.page.plots import OUTCOMES, confusion, outcomes, scatter
from baselines.results.schema import LabelScore, Results

_MATRIX = (
    "Rows are true classes, columns predicted ones. Cells are percentages of the test posts of the row, "
    "averaged over seeds."
)
_BARS = "Test posts by label and outcome, averaged over seeds."


def section(results: Results) -> Html | None:
    """Return the confusion of each model, and the scores of each class or label."""
    several = results.dataset.task == "several"
    names = results.dataset.labels
    scored = [(row, row.modes["both"]) for row in results.rows if "both" in row.modes]
    if not scored:
        return None
    draw, kind = (outcomes, "Outcomes by label") if several else (confusion, "Confusion matrix")
    panels = [
        h(
            "figure",
            h("figcaption", c.title(results, row)),
            draw(scores.confusion, names, f"{kind} of {c.title(results, row)}"),
            cls="panel",
        )
        for row, scores in scored
    ]
    legend = [h("span", h("i", cls=f"dot {cls}"), f"{name} ({told})") for name, cls, told in OUTCOMES]
    word = "label" if several else "class"
    more = ("precision", "recall", "auc")
    has_auc = any(one.auc is not None for row, _ in scored for one in c.by_label(row).values())
    return h(
        "section",
        h("h2", "Labels" if several else "Classes"),
        h("p", _BARS if several else _MATRIX),
        h("p", *legend, cls="legend") if several else None,
        h("div", *panels, cls="charts"),
        h("h3", f"F1 by {word}"),
        _by_label(results, "f1", word),
        *(
            h("details", h("summary", f"{_TITLES[score]} by {word}"), _by_label(results, score, word))
            for score in more
            if score != "auc" or has_auc
        ),
        id="classes",
    )


_TITLES = {"precision": "Precision", "recall": "Recall", "auc": "AUC"}


def _by_label(results: Results, score: str, word: str) -> Html:
    """Return a table of a score: a row per class or label, a column per model; the best is bold."""
    scored = [(row, c.by_label(row)) for row in results.rows if c.by_label(row)]
    rows = []
    for place, name in enumerate(results.dataset.labels):
        known: list[LabelScore | None] = [scores.get(name) for _, scores in scored]
        values: list[float | None] = [getattr(one, score) if one else None for one in known]
        best = max((value for value in values if value is not None), default=None)
        support = next((one.support for one in known if one), 0)
        cells = [_cell(value, best) for value in values]
        rows.append([join([h("i", cls=f"dot {colour(place)}"), name]), f"{support:,}", *cells])
    return table([word.capitalize(), "Posts", *(c.short(results, row) for row, _ in scored)], rows)


def _cell(value: float | None, best: float | None) -> Html | str:
    if value is None:
        return "–"
    figure = number(value, percent=False)
    return h("b", figure) if value == best else figure


def spaces(results: Results) -> Html | None:
    """Return scatter plots of the image and text vectors of test posts in the models' shared spaces."""
    names = results.dataset.labels
    titles = {row.model: row.title for row in results.rows}
    panels = [
        h(
            "figure",
            h("figcaption", f"{titles.get(one.model, one.model)}, {one.method}"),
            scatter(one, names, f"Image and text vectors of {titles.get(one.model, one.model)}"),
            cls="panel",
        )
        for one in results.projections
        if one.labels
    ]
    if not panels:
        return None
    legend = [h("span", h("i", cls=f"dot {colour(i)}"), name) for i, name in enumerate(names)]
    note = (
        "Discs are image vectors, rings are text vectors of the same test posts. Where discs and rings of a "
        "class overlap, the model maps its images and texts to similar vectors."
    )
    return h(
        "section",
        h("h2", "Image and text vectors"),
        h("p", note),
        h("p", *legend, cls="legend"),
        h("div", *panels, cls="charts"),
        id="spaces",
    )
