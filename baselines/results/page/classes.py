"""Sections on the classes (confusion matrices, F1, precision, recall) and on the vector spaces."""

from __future__ import annotations

from affectory.core.html.markup import Html, h, join
from affectory.core.html.parts import colour, table
from baselines.results import comparison as c
from baselines.results.page.plots import confusion, scatter
from baselines.results.schema import ClassScore, Results


def section(results: Results) -> Html | None:
    """Return a confusion matrix per model, and the scores of each class."""
    names = results.dataset.classes
    scored = [(row, found[1]) for row in results.rows if (found := c.whole(row))]
    if not scored:
        return None
    panels = [
        h(
            "figure",
            h("figcaption", row.title),
            confusion(scores.confusion, names, f"Confusion matrix of {row.title}"),
            cls="panel",
        )
        for row, scores in scored
    ]
    note = (
        "Rows are true classes, columns predicted ones. Cells are percentages of the test posts of the row, "
        "averaged over seeds."
    )
    return h(
        "section",
        h("h2", "Classes"),
        h("p", note),
        h("div", *panels, cls="charts"),
        h("h3", "F1 by class"),
        _by_class(results, "f1"),
        h("details", h("summary", "Precision by class"), _by_class(results, "precision")),
        h("details", h("summary", "Recall by class"), _by_class(results, "recall")),
        id="classes",
    )


def _by_class(results: Results, score: str) -> Html:
    """Return a table of a score with one row per class and one column per model; the best is bold."""
    scored = [(row, found[1].per_class) for row in results.rows if (found := c.whole(row))]
    rows = []
    for number, name in enumerate(results.dataset.classes):
        known: list[ClassScore | None] = [per_class.get(name) for _, per_class in scored]
        values = [getattr(one, score) if one else None for one in known]
        best = max((value for value in values if value is not None), default=None)
        support = next((one.support for one in known if one), 0)
        cells = [
            h("b", c.fraction(v)) if v is not None and v == best else "–" if v is None else c.fraction(v)
            for v in values
        ]
        rows.append([join([h("i", cls=f"dot {colour(number)}"), name]), f"{support:,}", *cells])
    return table(["Class", "Posts", *(row.model for row, _ in scored)], rows)


def spaces(results: Results) -> Html | None:
    """Return scatter plots of the image and text vectors of test posts in the models' shared spaces."""
    names = results.dataset.classes
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
        "Discs are image vectors, rings are text vectors of the same test posts. The more the two overlap, "
        "the better one modality can replace the other."
    )
    return h(
        "section",
        h("h2", "Image and text vectors"),
        h("p", note),
        h("p", *legend, cls="legend"),
        h("div", *panels, cls="charts"),
        id="spaces",
    )
