"""The top of the page: what was run, Tables 4 and 5 with the paper beside, and neighbours compared."""

from __future__ import annotations

from collections.abc import Sequence

from baselines import comparison as c
from baselines import tables
from baselines.page.charts import Mark, dots, scale
from baselines.page.markup import Html, h, join, table
from baselines.paper import Paper
from baselines.results import Results

#: A cell of a table: what it is, where the table's head is out of sight, its text, and its CSS class.
_Cell = tuple[str, str, str]

_INPUTS = {"image": "Image only", "text": "Text only"}


def header(results: Results, paper: Paper | None) -> Html:
    """Return the title, the finding in a sentence and the key figures."""
    dataset = results.dataset
    return h(
        "header",
        h("p", h("b", dataset.generated), cls="verdict bad") if dataset.generated else None,
        h("p", "Baselines", cls="eyebrow"),
        h("h1", dataset.name, " ", h("span", dataset.version, cls="version")),
        h("p", _finding(results, paper), cls="summary"),
        h("p", f"{tables.caption(results)} · {results.device} · {results.date}", cls="quiet"),
        _verdict(results, paper),
        id="top",
    )


def _finding(results: Results, paper: Paper | None) -> str:
    """Return which row is highest, beside the paper's own figure for it."""
    scored = [line for line in c.table4(results, paper) if line.cells["accuracy"].ours]
    if not scored:
        return "No model came through."
    best = max(scored, key=lambda line: line.cells["accuracy"].ours.mean)  # type: ignore[union-attr]
    cell = best.cells["accuracy"]
    told = f"{best.row.title} is highest: {c.accuracy(cell.ours)}% accuracy"
    if cell.paper is not None:
        told += f"; the paper has {c.printed(cell, 'accuracy')}"
    return f"{told}."


def _verdict(results: Results, paper: Paper | None) -> Html:
    """Return what differs from the paper, before any figure is read."""
    if paper is None:
        return h("p", f"No paper with these models reports on {results.dataset.name}.", cls="verdict")
    source = join([paper.citation, ", ", h("i", paper.title), f" ({paper.published}), {paper.dataset}"])
    differs = c.differing(results)
    if not differs:
        return h("p", "Data, backbone and vectors are those of ", source, ".", cls="verdict ok")
    listed = [h("li", h("b", c.superscript(number)), " ", text) for number, text in enumerate(differs, 1)]
    return h(
        "div",
        h("p", h("b", "Not a reproduction"), " of ", source, ", in the rows marked so:"),
        h("ul", *listed),
        cls="verdict bad",
    )


def table4(results: Results, paper: Paper | None) -> Html:
    """Return Table 4: each model on all that it reads."""
    lines = c.table4(results, paper)
    accuracies = [line.cells["accuracy"] for line in lines]
    values = [bound for cell in accuracies if cell.ours for bound in (cell.ours.low, cell.ours.high)]
    ends = scale([*values, *(cell.paper for cell in accuracies if cell.paper is not None)])
    best = max((cell.ours.mean for cell in accuracies if cell.ours), default=None)
    rows = []
    for line in lines:
        accuracy = line.cells["accuracy"]
        marks: list[Mark] = [(value, "ours") for value in (accuracy.ours,) if value]
        marks += [(value, "theirs") for value in (accuracy.paper,) if value is not None]
        top = " strong" if accuracy.ours and accuracy.ours.mean == best else ""
        cells: list[_Cell] = [("Accuracy %", c.accuracy(accuracy.ours), "n first" + top)]
        cells += _beside(accuracy) if paper else []
        for key, name in (("f1_macro", "F1 macro"), ("f1_micro", "F1 micro")):
            cells.append((name, c.f1(line.cells[key].ours), "n first"))
            cells += [("Paper", c.printed(line.cells[key], key), "n quiet")] if paper else []
        rows.append(_row(line.title, dots(marks, ends, f"{line.row.title}: accuracy"), cells))
    legend = [h("span", h("i", cls="dot ours"), "ours, with its 95% interval")]
    legend += [h("span", h("i", cls="dot tick theirs"), "the paper")] if paper else []
    legend += [h("span", f"from {100 * ends[0]:.0f} to {100 * ends[1]:.0f}%, a line every 10")]
    return h(
        "section",
        h("h2", "Table 4: accuracy and F1"),
        h("p", *legend, cls="legend"),
        _stacked(rows, _heads(rows)),
        _notes(results, paper),
        id="table4",
    )


def table5(results: Results, paper: Paper | None) -> Html | None:
    """Return Table 5: each model with one modality at test."""
    lines = c.table5(results, paper)
    if not lines:
        return None
    seen = [scores.accuracy for line in lines for scores in line.row.modes.values()]
    theirs = [cell.paper for line in lines for cell in line.cells.values() if cell.paper is not None]
    ends = scale([*theirs, *(bound for figure in seen for bound in (figure.low, figure.high))])
    rows = []
    for line in lines:
        marks: list[Mark] = [(line.row.modes["both"].accuracy, "ours")] if "both" in line.row.modes else []
        cells: list[_Cell] = []
        for mode, name in _INPUTS.items():
            cell = line.cells[mode]
            marks += [(value, mode) for value in (cell.ours, cell.paper) if value is not None]
            cells.append((name, c.accuracy(cell.ours), "n first"))
            cells += _beside(cell) if paper else []
        rows.append(_row(line.title, dots(marks, ends, f"{line.row.title}: one modality at test"), cells))
    names = (("ours", "both"), *((mode, text.lower()) for mode, text in _INPUTS.items()))
    legend = [h("span", h("i", cls=f"dot {cls}"), text) for cls, text in names]
    legend += [h("span", h("i", cls="dot tick"), "the paper")] if paper else []
    legend += [h("span", f"from {100 * ends[0]:.0f} to {100 * ends[1]:.0f}%, a line every 10")]
    return h(
        "section",
        h("h2", "Table 5: one modality at test"),
        h("p", "The models are those of Table 4; what is taken away at test is masked out, not retrained."),
        h("p", *legend, cls="legend"),
        _stacked(rows, _heads(rows)),
        id="table5",
    )


def pairs(results: Results) -> Html | None:
    """Return neighbouring rows compared."""
    if not results.pairs:
        return None
    told = (
        "Paired bootstrap over the test posts: accuracy of the first row less the second's, in points. "
        "Where the interval holds zero, the difference may be chance."
    )
    shown = table(*tables.compared(results))
    return h("section", h("h2", "Neighbours compared"), h("p", told), shown, id="pairs")


def _beside(cell: c.Cell) -> list[_Cell]:
    shade = {None: "", True: " good", False: " lost"}[c.beyond(cell)]
    return [
        ("Paper", c.printed(cell, "accuracy"), "n quiet"),
        ("Difference", c.points(cell.difference), "n" + shade),
    ]


def _row(title: str, chart: Html, cells: Sequence[_Cell]) -> tuple[Html, Sequence[_Cell]]:
    written = [h("td", text, cls=cls, data_label=label) for label, text, cls in cells]
    return h("tr", h("th", title, scope="row"), h("td", chart, cls="wide"), *written), cells


def _heads(rows: Sequence[tuple[Html, Sequence[_Cell]]]) -> list[str]:
    return ["Model", "", *(label for label, *_ in rows[0][1])] if rows else []


def _stacked(rows: Sequence[tuple[Html, Sequence[_Cell]]], heads: Sequence[str]) -> Html:
    """Return a table whose rows become blocks in a narrow window, each cell with its own label."""
    cells = [h("th", name, scope="col", cls="n" if place > 1 else None) for place, name in enumerate(heads)]
    body = h("tbody", *(row for row, _ in rows))
    return h("table", h("thead", h("tr", *cells)), body, cls="figures stacked")


def _notes(results: Results, paper: Paper | None) -> Html:
    told = [*c.on_numbers(results, paper), *(c.contradictions(results, paper) if paper else ())]
    told += ["A difference has a colour where the paper's figure is outside our interval."] if paper else []
    return h("ul", *(h("li", note) for note in told), cls="notes")
