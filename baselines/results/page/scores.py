"""The top of the page: what was run, the tables beside the papers', and paired comparisons."""

from __future__ import annotations

from collections.abc import Sequence

from affectory.core.html.markup import Html, h, join
from affectory.core.html.parts import grouped, table
from baselines.results import comparison as c
from baselines.results import notes, tables
from baselines.results.formatting import DAGGER, in_sentence, printed, signed, superscript, written
from baselines.results.page.plots import Mark, dots, scale
from baselines.results.published import OURS, Paper
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
        h("p", "Baselines", cls="eyebrow"),
        h("h1", dataset.name, " ", h("span", dataset.version, cls="version")),
        h("p", _finding(results), cls="summary"),
        h("p", f"{tables.caption(results)} · {results.device} · {results.date}", cls="quiet"),
        *_verdicts(results),
        id="top",
    )


def _finding(results: Results) -> str:
    """Return a sentence on the best model, with the papers' figures for it.

    A row of which a seed answers every post alike is none.
    """
    best: tuple[float, str] | None = None
    collapsed = False
    metric = c.headline(results)
    for found in c.tables(results):
        for i, column in enumerate(found.columns):
            if column.metric != metric:
                continue
            for line in found.lines:
                ours, row = line.cells[i].ours, line.cells[i].row
                if row is None or ours is None or (best and ours.mean <= best[0]):
                    continue
                if (column.mode or line.mode) not in ("both", c.single(row)):
                    continue
                if line.cells[i].collapsed:
                    collapsed = True
                    continue
                name = in_sentence(results.metrics[metric].removesuffix(" %"))
                figure = written(ours, percent=column.percent) + "%" * column.percent
                whose = c.title(results, row, line.mode)
                comma = "," * bool(row.condition.text or row.preset != OURS)
                told = f"{whose}{comma} has the highest {name}: {figure}"
                for source in line.cells[i].theirs:
                    whose = "the paper has" if source == "paper" else f"the {source} have"
                    told += f"; {whose} {printed(line.cells[i].theirs[source], percent=column.percent)}"
                best = ours.mean, told
    if best:
        return f"{best[1]}."
    return "Every row answers all posts alike in some seeds." if collapsed else "No model finished."


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
            cls = "n" + " first" * _begins(shown.columns, i) + " strong" * bool(top)
            cells.append(h("td", ours, cls=cls, data_label=column.title))
            cells += [_theirs(cell, column, source) for source in column.sources]
        chart = dots(marks, ends, f"{line.title}: {results.metrics[first]}", chance)
        name = h("th", line.title, scope="row")
        rows.append(h("tr", name, h("td", chart, cls="wide"), *cells, cls=None if line.row else "trivial"))
    heads = ["Model", ""]
    for column in shown.columns:
        heads += [column.title, *(source.capitalize() for source in column.sources)]
    return h(
        "section",
        h("h2", shown.heading),
        None if alone else h("p", _BY_MODE if by_mode else _MASKED),
        h("p", *_legend(results, shown, charted, ends, alone=alone), cls="legend"),
        _stacked(rows, heads, dense=condition is not None),
        h("ul", *(h("li", note) for note in _notes(results)), cls="notes") if last else None,
        id=place,
        cls="scores",
    )


def _begins(columns: Sequence[c.Column], place: int) -> bool:
    """Return whether a column begins a group: all do, but conditions of one mode without papers' figures."""
    one, before = columns[place], columns[place - 1]
    return place == 0 or bool(one.sources) or one.condition is None or one.mode != before.mode


def _theirs(cell: c.Cell, column: c.Column, source: str) -> Html:
    """Return a paper's figure, and under it the difference."""
    figure = printed(cell.theirs.get(source), percent=column.percent)
    apart = cell.difference(source)
    shade = {None: None, True: "good", False: "lost"}[cell.beyond(source)]
    below = None if apart is None else h("small", signed(apart, percent=column.percent), cls=shade)
    return h("td", figure, " " if below else None, below, cls="n quiet", data_label=source.capitalize())


def _best(shown: c.Table, place: int) -> float | None:
    """Return our largest figure of a column, of rows that don't answer every post alike."""
    cells = [line.cells[place] for line in shown.lines if line.row]
    ours = [cell.ours for cell in cells if not cell.collapsed]
    return max((one.mean for one in ours if one), default=None)


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
    ends: tuple[float, float],
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
    column = shown.columns[charted[0]]
    metric = in_sentence(results.metrics[column.metric].removesuffix(" %"))
    start, end = (f"{100 * one:.0f}%" if column.percent else f"{one:.1f}" for one in ends)
    axis = f"{metric} from {start} to {end}, a line every {'10' if column.percent else '.1'}"
    if shown.columns[0].condition != shown.columns[-1].condition and column.condition is not None:
        axis = f"the chart: {column.condition.text or 'all labels'}, {axis}"
    return [*legend, h("span", axis)]


def _stacked(rows: Sequence[Html], heads: Sequence[str], *, dense: bool) -> Html:
    """Return a table whose rows become blocks in a narrow window, with a label in each cell.

    One of many columns is `dense`: differences stand below the papers' figures.
    """
    cells = [h("th", name, scope="col", cls="n" if place > 1 else None) for place, name in enumerate(heads)]
    cls = "figures stacked" + " dense" * dense
    return h("div", h("table", h("thead", h("tr", *cells)), h("tbody", *rows), cls=cls), cls="scroll")


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
    shown = grouped(head, groups) if len(groups) > 1 else table(head, next(iter(groups.values())))
    return h("section", h("h2", "Neighbours compared"), h("p", note), shown, id="pairs")
