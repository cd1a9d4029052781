"""The top of the page: what was run, Tables 4 and 5 beside the paper's, and paired comparisons."""

from __future__ import annotations

from collections.abc import Sequence

from affectory.core.html.markup import Html, h, join
from affectory.core.html.parts import table
from baselines.results import comparison as c
from baselines.results import tables
from baselines.results.page.plots import Mark, dots, scale
from baselines.results.papers import Paper
from baselines.results.schema import Results

#: A cell of a table: its label (shown where the table has no head), its text, and its CSS class.
_Cell = tuple[str, str, str]

_INPUTS = {"image": "Image only", "text": "Text only"}


def header(results: Results, paper: Paper | None) -> Html:
    """Return the title, the best model in one sentence, and what differs from the paper."""
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
    """Return a sentence on the most accurate model, with the paper's figure for it."""
    scored = [line for line in c.table4(results, paper) if line.cells["accuracy"].ours]
    if not scored:
        return "No model finished."
    best = max(scored, key=lambda line: line.cells["accuracy"].ours.mean)  # type: ignore[union-attr]
    cell = best.cells["accuracy"]
    note = f"{best.row.title} is the most accurate: {c.accuracy(cell.ours)}%"
    if cell.paper is not None:
        note += f"; the paper reports {c.printed(cell, 'accuracy')}"
    return f"{note}."


def _verdict(results: Results, paper: Paper | None) -> Html:
    """Return a box that says what differs from the paper, above all figures."""
    if paper is None:
        return h("p", f"No paper with these models reports on {results.dataset.name}.", cls="verdict")
    source = join([paper.citation, ", ", h("i", paper.title), f" ({paper.published}), {paper.dataset}"])
    differs = c.differing(results)
    if not differs:
        return h("p", "Same data, backbone and word vectors as ", source, ".", cls="verdict ok")
    listed = [h("li", h("b", c.superscript(number)), " ", text) for number, text in enumerate(differs, 1)]
    return h(
        "div",
        h("p", h("b", "Not a reproduction"), " of ", source, ". Footnotes mark the rows that differ:"),
        h("ul", *listed),
        cls="verdict bad",
    )


def table4(results: Results, paper: Paper | None) -> Html:
    """Return Table 4: each model with all its inputs."""
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
    legend += [h("span", f"axis from {100 * ends[0]:.0f} to {100 * ends[1]:.0f}%, a line every 10")]
    return h(
        "section",
        h("h2", "Table 4: accuracy and F1"),
        h("p", *legend, cls="legend"),
        _stacked(rows, _heads(rows)),
        _notes(results, paper),
        id="table4",
    )


def table5(results: Results, paper: Paper | None) -> Html | None:
    """Return Table 5: each model with one modality at test time; None if no model has a row in it."""
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
    legend += [h("span", f"axis from {100 * ends[0]:.0f} to {100 * ends[1]:.0f}%, a line every 10")]
    return h(
        "section",
        h("h2", "Table 5: one modality at test"),
        h("p", "The models of Table 4, not retrained: at test time, the other modality is masked."),
        h("p", *legend, cls="legend"),
        _stacked(rows, _heads(rows)),
        id="table5",
    )


def pairs(results: Results) -> Html | None:
    """Return the comparison of neighbouring rows; None if there are no pairs."""
    if not results.pairs:
        return None
    note = (
        "Paired bootstrap over the test posts: accuracy of the first model minus that of the second, in "
        "points. If the interval contains zero, the difference may be due to chance."
    )
    shown = table(*tables.compared(results))
    return h("section", h("h2", "Neighbours compared"), h("p", note), shown, id="pairs")


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
    """Return a table whose rows become blocks in a narrow window, with a label in each cell."""
    cells = [h("th", name, scope="col", cls="n" if place > 1 else None) for place, name in enumerate(heads)]
    body = h("tbody", *(row for row, _ in rows))
    return h("table", h("thead", h("tr", *cells)), body, cls="figures stacked")


def _notes(results: Results, paper: Paper | None) -> Html:
    notes = [*c.on_numbers(results, paper), *(c.contradictions(results, paper) if paper else ())]
    notes += ["A difference is coloured if the paper's figure is outside our interval."] if paper else []
    return h("ul", *(h("li", note) for note in notes), cls="notes")
