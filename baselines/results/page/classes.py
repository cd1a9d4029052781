"""Sections on the classes or labels (confusion, F1, precision, recall, AUC) and on the vector spaces."""

from __future__ import annotations

from affectory.core.html.markup import Html, h, join
from affectory.core.html.parts import colour, table
from baselines.results import comparison as c
from baselines.results.formatting import largest, number
from baselines.results.page.plots import OUTCOMES, confusion, outcomes, scatter
from baselines.results.schema import LabelScore, Results, Row

_MATRIX = (
    "Rows are true classes, columns predicted ones. Cells are percentages of the test posts of the row, "
    "averaged over seeds."
)
_BARS = "Test posts by label and outcome, averaged over seeds."


def section(results: Results) -> Html | None:
    """Return the confusion of each model, and the scores of each class or label."""
    several = results.dataset.task == "several"
    names = results.dataset.labels
    scored = _scored(results)
    if not scored:
        return None
    draw, kind = (outcomes, "Outcomes by label") if several else (confusion, "Confusion matrix")
    first, share = c.classifiers(results), scored[0][0].condition.labelled
    panels: tuple[list[Html], list[Html]] = ([], [])  # those that are open, and the folded ones
    for row, mode in scored:
        name = c.title(results, row, mode)
        drawn = draw(row.modes[mode].confusion, names, f"{kind} of {name}")
        folds = first not in (None, row) or row.condition.labelled not in (None, share)
        panels[folds].append(h("figure", h("figcaption", name), drawn, cls="panel"))
    shown, folded = (h("div", *some, cls="charts") if some else None for some in panels)
    others = h(
        "summary",
        f"{kind.split()[0]} of the other {'rows' if share else 'models'}",
        h("small", f"{len(panels[1])}"),
    )
    legend = [h("span", h("i", cls=f"dot {cls}"), f"{name} ({told})") for name, cls, told in OUTCOMES]
    word = "label" if several else "class"
    more = ("precision", "recall", "auc")
    has_auc = any(one.auc is not None for row, mode in scored for one in row.modes[mode].by_label.values())
    return h(
        "section",
        h("h2", "Labels" if several else "Classes"),
        h("p", _BARS if several else _MATRIX),
        h("p", *legend, cls="legend") if several else None,
        shown,
        h("details", others, folded) if folded else None,
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


def _scored(results: Results) -> list[tuple[Row, str]]:
    """Return the rows of the tables with the modes that are shown of each: those with names, or "both"."""
    rows = [row for row in results.rows if c.tabled(row)]
    return [(row, mode) for row in rows for mode in c.named_modes(row) if mode in row.modes]


#: With more rows than this, each is a row of the tables by class or label too, and no column.
_COLUMNS = 12


def _by_label(results: Results, score: str, word: str) -> Html:
    """Return a table of a score: a row per class or label, a column per model; the best is bold.

    With many models it is the other way round.
    """
    scored = _scored(results)
    heads: list[Html] = []
    supports: list[str] = []
    columns: list[list[Html | str]] = []  # a class's or label's scores
    for place, name in enumerate(results.dataset.labels):
        known: list[LabelScore | None] = [row.modes[mode].by_label.get(name) for row, mode in scored]
        values: list[float | None] = [getattr(one, score) if one else None for one in known]
        best = largest((value for value in values if value is not None), percent=False)
        heads.append(join([h("i", cls=f"dot {colour(place)}"), name]))
        supports.append(f"{next((one.support for one in known if one), 0):,}")
        columns.append([_cell(value, best) for value in values])
    if len(scored) <= _COLUMNS:
        models = (c.short(results, row, mode) for row, mode in scored)
        rows = [[head, posts, *cells] for head, posts, cells in zip(heads, supports, columns, strict=True)]
        return table([word.capitalize(), "Posts", *models], rows, "figures stacked sortable")
    titles = (c.title(results, row, mode) for row, mode in scored)
    lines = [[title, *cells] for title, *cells in zip(titles, *columns, strict=True)]
    return table(["Model", *heads], [["Posts", *supports], *lines], "figures stacked sortable", fixed=1)


def _cell(value: float | None, best: float | None) -> Html | str:
    if value is None:
        return "–"
    figure = number(value, percent=False)
    return h("b", figure) if value == best else figure


def spaces(results: Results) -> Html | None:
    """Return scatter plots of test posts: image and text vectors in shared spaces, and other features."""
    names = results.dataset.labels
    firsts = {row.model: row for row in reversed(results.rows)}
    shown = [one for one in results.projections if one.labels]
    panels = []
    for one in shown:
        name = c.called(firsts[one.model]) if one.model in firsts else one.model
        what = f"{one.kind} features" if one.posts else "image and text vectors"
        told = f"{name}: {what}, {one.method}" if one.posts else f"{name}, {one.method}"
        drawn = scatter(one, names, f"{what[0].upper()}{what[1:]} of {name}")
        panels.append(h("figure", h("figcaption", told), drawn, cls="panel"))
    if not panels:
        return None
    legend = [h("span", h("i", cls=f"dot {colour(i)}"), name) for i, name in enumerate(names)]
    if any(label < 0 for one in shown for label in one.labels):
        legend.append(h("span", h("i", cls="dot none"), "no label"))
    vectors, features = (any(getattr(one, of) for one in shown) for of in ("images", "posts"))
    said = []
    if vectors:
        said.append(
            "Discs are image vectors, rings are text vectors of the same test posts. Where discs and rings "
            "of a class overlap, the model maps its images and texts to similar vectors."
        )
    if features:
        said.append(
            f"{'In pictures of features, each' if vectors else 'Each'} disc is a test post. Where the "
            "colours are apart, the labels are easier to tell; what two dimensions can't show is missing."
        )
    if results.dataset.task == "several":
        said.append("A post with several labels has the colour of the one that is rarest in training.")
    return h(
        "section",
        h("h2", "Features in two dimensions" if features else "Image and text vectors"),
        h("p", " ".join(said)),
        h("p", *legend, cls="legend"),
        h("div", *panels, cls="charts"),
        id="spaces",
    )
