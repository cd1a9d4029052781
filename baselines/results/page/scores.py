"""The top of the page: what was run, the tables beside the papers', and paired comparisons."""

from __future__ import annotations

from collections.abc import Sequence

from affectory.core.html.markup import Html, h, join
from affectory.core.html.parts import grouped, table
from baselines.results import comparison as c
from baselines.results import headline, notes, tables
from baselines.results.formatting import (
    DAGGER,
    largest,
    printed,
    signed,
    superscript,
    written,
)
from baselines.results.page import links
from baselines.results.page.axes import draw_axis, scale
from baselines.results.page.plots import Mark, dots
from baselines.results.published import Paper
from baselines.results.schema import Figure, Results

#: How a paper's figure is marked in a chart: one class a source.
_SOURCES = ("theirs", "others")

_MASKED = "The same networks, not retrained: at test, the other modality is masked."
_BY_MODE = "“Image only” and “text only” name what a model is given at test; no network is retrained."


def header(results: Results) -> Html:
    """Return the title, the best model in one sentence, and what differs from the papers."""
    dataset = results.dataset
    return h(
        "header",
        h("p", h("b", dataset.generated), cls="verdict bad") if dataset.generated else None,
        links.above("Baselines", report_=results.report),
        h("h1", dataset.name, " ", h("span", dataset.version, cls="version")),
        h("p", _finding(results), cls="summary"),
        h("p", f"{tables.caption(results)} · {results.device} · {results.date}", cls="quiet"),
        *_verdicts(results),
        id="top",
    )


def _finding(results: Results) -> str:
    """Return a sentence on the best model, with the papers' figures for it, and one on chance."""
    metric = c.headline(results)
    by_chance = headline.on_chance(results.dataset, results.trivial, results.metrics, metric)
    best = headline.best(results)
    if best is None:
        alike = headline.finished(results)
        told = "Every row answers all posts alike in some seeds." if alike else "No model finished."
        return f"{told} {by_chance}"
    figure = written(best.figure, percent=best.percent) + "%" * best.percent
    told = f"{best.title}{',' * best.qualified} has the highest {headline.named(results.metrics, metric)}: "
    told += figure
    for source, theirs in best.cell.theirs.items():
        whose = "the paper has" if source == "paper" else f"the {source} have"
        told += f"; {whose} {printed(theirs, percent=best.percent)}"
    return f"{told}. {by_chance}"


def _verdicts(results: Results) -> list[Html]:
    """Return boxes that say what differs from the papers, above all figures."""
    papers = {family: c.reporting(results, family) for family in c.families(results)}
    known = list({paper.key: paper for paper in papers.values() if paper}.values())
    boxes = []
    if None in papers.values():
        which = dict.fromkeys(row.title for row in results.rows if papers[row.family] is None)
        told = f" with these models: {'; '.join(which)}." if known else " with these models."
        boxes.append(h("p", f"No paper reports on {results.dataset.name}{told}", cls="verdict"))
    sources = join((_cited(paper) for paper in known), "; ")
    differs = c.differing(results)
    if differs:
        listed = [h("li", h("b", superscript(mark)), " ", text) for mark, text in enumerate(differs, 1)]
        of = [" of ", sources] if known else []
        first = h("p", h("b", "Not a reproduction"), *of, ". Marks tell which rows differ:")
        boxes.append(h("div", first, h("ul", *listed), cls="verdict bad"))
    elif known:
        boxes.append(h("p", "Data, inputs and stated settings as in ", sources, ".", cls="verdict ok"))
    return boxes


def _cited(paper: Paper) -> Html:
    return join([paper.citation, ", ", h("i", paper.title), f" ({paper.published}), {paper.dataset}"])


def sections(results: Results) -> list[Html]:
    """Return a section per table, the notes under the last."""
    found = c.tables(results)
    return [
        _section(results, one, f"table-{place}", last=place == len(found))
        for place, one in enumerate(found, 1)
    ]


def _section(results: Results, shown: c.Table, place: str, *, last: bool) -> Html:
    """Return a table: a chart of its first metric a line, our figures, and the papers' with differences.

    Where each condition has a column, the chart is of the first.
    """
    first, condition = shown.columns[0].metric, shown.columns[0].condition
    charted = [
        i for i, column in enumerate(shown.columns) if (column.metric, column.condition) == (first, condition)
    ]
    alone, by_mode = shown.modes == ("both",), shown.columns[0].mode is None
    chance = results.trivial.metrics.get(first)
    drawn = [_marks(shown, line, charted) for line in shown.lines]
    seen = [bound for marks in drawn for value, _ in marks for bound in _bounds(value)]
    ends = scale(seen if chance is None else [*seen, chance])
    best = [_best(shown, i) for i in range(len(shown.columns))]
    rows = []
    for line, marks in zip(shown.lines, drawn, strict=True):
        cells = []
        for i, column in enumerate(shown.columns):
            cell = line.cells[i]
            top = line.row is not None and not cell.collapsed and cell.ours and cell.ours.mean == best[i]
            ours = written(cell.ours, percent=column.percent) + DAGGER * cell.collapsed
            cls = "n" + _group(shown.columns, i) + " strong" * bool(top)
            cells.append(h("td", ours, cls=cls, data_label=column.title))
            cells += [_theirs(cell, column, source) for source in column.sources]
        chart = dots(marks, ends, f"{line.title}: {results.metrics[first]}", chance)
        name = h("th", line.title, scope="row")
        rows.append(h("tr", name, h("td", chart, cls="wide"), *cells, cls=None if line.row else "trivial"))
    beside = len(shown.columns) in (2, 4) and condition is None and not any(x.sources for x in shown.columns)
    above = draw_axis(ends, percent=shown.columns[0].percent)
    heads = [h("th", "Model", scope="col"), h("th", results.metrics[first], above, scope="col", cls="wide")]
    for column in shown.columns:
        names = [column.title, *(source.capitalize() for source in column.sources)]
        heads += [h("th", name, scope="col", cls="n") for name in names]
    return h(
        "section",
        h("h2", shown.heading),
        None if alone else h("p", _BY_MODE if by_mode else _MASKED),
        h("p", *_legend(results, shown, charted, alone=alone), cls="legend"),
        _stacked(rows, heads, " dense" if condition is not None else " halves" * beside),
        h("ul", *(h("li", note) for note in _notes(results)), cls="notes") if last else None,
        id=place,
        cls="scores",
    )


def _group(columns: Sequence[c.Column], place: int) -> str:
    """Return the classes of a column that begins a group and, in a narrow window, a line.

    All begin a group, but conditions of one mode without papers' figures. Such a group begins a line, but
    metrics without papers' figures stand side by side.
    """
    one, before = columns[place], columns[place - 1]
    if not (place == 0 or one.sources or one.condition is None or one.mode != before.mode):
        return ""
    is_beside = place > 0 and one.condition is None and not (one.sources or before.sources)
    return " first" if is_beside else " first below"


def _theirs(cell: c.Cell, column: c.Column, source: str) -> Html:
    """Return a paper's figure, and under it the difference."""
    figure = printed(cell.theirs.get(source), percent=column.percent)
    apart = cell.difference(source)
    shade = {None: None, True: "good", False: "lost"}[cell.beyond(source)]
    below = None if apart is None else h("small", signed(apart, percent=column.percent), cls=shade)
    return h("td", figure, " " if below else None, below, cls="n quiet", data_label=source.capitalize())


def _best(shown: c.Table, place: int) -> float | None:
    """Return our figure of a column that is emphasised, of rows that don't answer every post alike."""
    cells = [line.cells[place] for line in shown.lines if line.row]
    ours = [cell.ours.mean for cell in cells if cell.ours and not cell.collapsed]
    return largest(ours, percent=shown.columns[place].percent)


def _marks(shown: c.Table, line: c.Line, charted: Sequence[int]) -> list[Mark]:
    """Return what a line's chart shows of the first metric: each mode, and the papers' figures."""
    row = line.cells[charted[0]].row
    if row is None:
        return []
    marks: list[Mark] = []
    both = row.modes.get("both")
    if "both" not in shown.modes and both:
        marks.append((both.metrics[shown.columns[charted[0]].metric], "ours"))
    for i in charted:
        column, cell = shown.columns[i], line.cells[i]
        mode = column.mode or c.single(row) or line.mode
        marks += [(cell.ours, "ours" if mode == "both" else mode)] if cell.ours else []
        for source, cls in zip(column.sources, _SOURCES, strict=False):
            if source in cell.theirs:
                own = column.mode in (None, "both")  # no other mode has a mark in the same chart
                marks.append((float(cell.theirs[source].value), cls if own else mode))
    return marks


def _bounds(value: Figure | float) -> list[float]:
    if isinstance(value, float):
        return [value]
    spread = [value.interval.low, value.interval.high] if value.interval else []
    return [value.mean, *spread]


def _legend(
    results: Results,
    shown: c.Table,
    charted: Sequence[int],
    *,
    alone: bool,
) -> list[Html]:
    named = [("ours", "ours, with the 95% interval over seeds")]
    if not alone:
        named = [("ours", "both"), ("image", "image only"), ("text", "text only")]
    legend = [h("span", h("i", cls=f"dot {cls}"), text) for cls, text in named]
    sources = list(dict.fromkeys(source for i in charted for source in shown.columns[i].sources))
    for source, cls in zip(sources, _SOURCES, strict=False):
        told = f"the {source}" if len(sources) > 1 or source != "paper" else "the paper"
        own = alone or shown.columns[0].mode is None
        legend.append(h("span", h("i", cls=f"dot tick {cls}" if own else "dot tick"), told))
    legend.append(h("span", h("i", cls="dot tick chance"), results.trivial.title))
    condition = shown.columns[charted[0]].condition
    if condition is not None and condition != shown.columns[-1].condition:
        legend.append(h("span", f"the chart: {condition.text or 'all labels'}"))
    return legend


def _stacked(rows: Sequence[Html], heads: Sequence[Html], cls: str) -> Html:
    """Return a table whose rows become blocks in a narrow window, with a label in each cell.

    One of many columns is `dense`: differences stand below the papers' figures. The blocks of one in `halves`
    have two figures a line, else up to three.
    """
    cls = f"figures stacked sortable{cls}"
    return h("div", h("table", h("thead", h("tr", *heads)), h("tbody", *rows), cls=cls), cls="scroll")


def _notes(results: Results) -> list[str]:
    return [
        *notes.on_numbers(results),
        *notes.on_papers(results),
        *notes.on_rows(results),
        *notes.on_collapsed(results),
    ]


def pairs(results: Results) -> Html | None:
    """Return the comparison of neighbouring rows, grouped by mode; None if there are no pairs."""
    head, by_mode = tables.compared(results)
    if not by_mode:
        return None
    note = f"{tables.on_pairs(results)} If the interval contains zero, the difference may be due to chance."
    groups = {c.MODES[mode]: rows for mode, rows in by_mode.items()}
    cls = "figures stacked sortable"
    shown = grouped(head, groups, cls) if len(groups) > 1 else table(head, next(iter(groups.values())), cls)
    return h("section", h("h2", "Neighbours compared"), h("p", note), shown, id="pairs")
