"""The tables of a run beside the papers' figures: their values, and what rows and columns are called.

    for table in tables(results):
        table.heading                       # "Table 4: accuracy and F1"
        table.lines[0].title                # "Image-based ¹·²"
        table.lines[0].cells[0].ours.mean   # 0.712

`tables.py` prints them to a terminal and to table.md, `page` draws them; neither computes a figure. There is
a table per family of models and layout: the paper's layout where it has one, otherwise "Scores" and "One
modality at test". `notes.py` has the sentences under them, `curve.py` the rows trained with fewer pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from baselines.models.registry import FAMILIES
from baselines.results.formatting import Theirs, in_sentence, superscripts
from baselines.results.published import OURS, Layout, Paper, Printed, figures, layouts, shown_by_mode
from baselines.results.schema import USUAL, Condition, Dataset, Figure, Results, Row

SINGLE = ("image", "text")

#: A mode as the head of columns or of a group of rows.
MODES = {"both": "Image and text", "image": "Image only", "text": "Text only"}


@dataclass(frozen=True, slots=True)
class Column:
    """A metric in a mode, with the sources of a paper that have figures of it.

    `mode` is None in a table by mode, where each line has its own; `condition` is None unless each condition
    has a column.
    """

    mode: str | None
    metric: str
    title: str
    percent: bool  # shown in %, differences in points
    sources: tuple[str, ...]
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """Our figure, and those of a paper by source. `row` is None where no row has this condition.

    `collapsed`: whether a seed answers every post alike.
    """

    ours: Figure | None
    theirs: Mapping[str, Theirs]
    row: Row | None = None
    collapsed: bool = False

    def difference(self, source: str) -> float | None:
        """Return ours - theirs; None where one of them is missing."""
        theirs = self.theirs.get(source)
        return None if self.ours is None or theirs is None else self.ours.mean - float(theirs.value)

    def beyond(self, source: str) -> bool | None:
        """Return whether ours is above (True) or below (False) a paper's figure; None if that is open.

        It is open unless the figure, with all that its printed digits can stand for, lies outside our
        interval over seeds and test posts, and for a doubtful figure.
        """
        theirs = self.theirs.get(source)
        if theirs is None or theirs.doubtful or self.ours is None or self.ours.sampled is None:
            return None
        half = 0.5 * 10.0 ** int(theirs.value.as_tuple().exponent)
        if float(theirs.value) + half < self.ours.sampled.low:
            return True
        return False if float(theirs.value) - half > self.ours.sampled.high else None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table, one cell a column. `row` is None for the trivial prediction.

    `row`: the first of several where each condition has a column; the cells have their own.
    `mode`: of a line that is one mode of its row, in a table by mode; otherwise "both".
    """

    row: Row | None
    title: str
    cells: tuple[Cell, ...]
    mode: str = "both"
    printed: tuple[Printed, ...] = ()  # the paper's lines that it stands beside


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one family in one layout, and the trivial prediction as the last line."""

    heading: str
    paper: Paper | None
    modes: tuple[str, ...]  # of the columns, or of the lines of a table by mode
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]


def headline(results: Results) -> str:
    """Return the metric by which rows are compared: the first of the task."""
    return next(iter(results.metrics))


#: What a column shows: mode, metric, condition.
Place = tuple[str | None, str, Condition | None]


def tables(results: Results) -> list[Table]:
    """Return the tables of a run, those of each family together."""
    found = []
    for family in families(results):
        rows = [row for row in results.rows if row.family == family and tabled(row)]
        paper = reporting(results, family)
        for layout in _layouts(results, rows, paper, family):
            if held := _rows(rows, layout):
                found.append(_table(results, family, paper, layout, held))
    return found


def tabled(row: Row) -> bool:
    """Return whether a row stands in the tables: those trained with fewer pairs are points of a curve."""
    return row.condition.pairs is None


def families(results: Results) -> list[str]:
    """Return the families of the rows, in their order."""
    return list(dict.fromkeys(row.family for row in results.rows))


def reporting(results: Results, family: str) -> Paper | None:
    """Return the paper of a family if it reports on this dataset, and on this task."""
    key = FAMILIES.get(family, family)
    return next(
        (x for x in figures(results.dataset.name) if x.key == key and x.task == results.dataset.task), None
    )


def _layouts(results: Results, rows: Iterable[Row], paper: Paper | None, family: str) -> list[Layout]:
    every = tuple(results.metrics)
    known = paper.tables if paper else layouts(FAMILIES.get(family, family))
    found = [_balanced(layout, every) for layout in known if set(layout.metrics) <= set(every)]
    by_condition = any(row.condition.labelled is not None for row in rows)
    if by_condition:
        found = [layout for layout in found if layout.columns == "by condition"]
    if not found and any(row.names for row in rows):
        return [Layout(name="", title="scores", modes=(*SINGLE, "both"), metrics=every, lines="by mode")]
    usual = Layout(name="", title="scores", modes=("both",), metrics=every)
    if by_condition:
        usual = msgspec.structs.replace(usual, columns="by condition")
    if not any("both" in layout.modes for layout in found):
        each = [(metric,) for metric in every] if by_condition else [every]
        found[:0] = [msgspec.structs.replace(usual, metrics=metrics) for metrics in each]
    if not any(mode in layout.modes for layout in found for mode in SINGLE):
        title, metrics = "one modality at test", (headline(results),)
        found.append(msgspec.structs.replace(usual, title=title, modes=SINGLE, metrics=metrics))
    return found


def _balanced(layout: Layout, every: Sequence[str]) -> Layout:
    """Return a layout of several metrics with the balanced accuracy beside the accuracy, if there is one."""
    beside = "balanced_accuracy"
    if beside not in every or "accuracy" not in layout.metrics or len(layout.metrics) == 1:
        return layout
    place = layout.metrics.index("accuracy") + 1
    return msgspec.structs.replace(layout, metrics=(*layout.metrics[:place], beside, *layout.metrics[place:]))


def _rows(rows: Sequence[Row], layout: Layout) -> list[Row]:
    """Return the rows of a layout: a table of single modalities needs a row that reads both."""
    unpaired = {row.model for row in rows if row.condition.unpaired}
    if layout.rows != "all":
        own = layout.rows == "unpaired"
        rows = [row for row in rows if (row.model in unpaired if own else not row.condition.unpaired)]
    if layout.models:
        rows = [row for row in rows if row.model in layout.models]
        if all(row.model == layout.models[0] for row in rows):
            return []
    rows = [row for row in rows if row.model not in layout.without]
    if "both" in layout.modes:
        return list(rows)
    found = [row for row in rows if any(mode in row.modes for mode in layout.modes)]
    return found if any(all(mode in row.modes for mode in layout.modes) for row in found) else []


def _table(results: Results, family: str, paper: Paper | None, layout: Layout, rows: Sequence[Row]) -> Table:
    sources = list(dict.fromkeys(one.source for one in paper.figures)) if paper else []
    conditions: list[Condition | None] = [None]
    modes: Sequence[str | None] = layout.modes
    each: list[tuple[Sequence[Row], str | None]] = [([row], None) for row in rows]
    if layout.columns == "by condition":
        conditions = list(dict.fromkeys(row.condition for row in rows))
        models = dict.fromkeys(row.model for row in rows)
        each = [([row for row in rows if row.model == one], None) for one in models]
    elif layout.lines == "by mode":
        modes = (None,)
        each = [([row], mode) for row, mode in _by_mode(rows)]
    places = [
        (mode, metric, condition) for mode in modes for metric in layout.metrics for condition in conditions
    ]
    lines = [_line(results, own, mode, places, paper, sources) for own, mode in each]
    usual_only = conditions == [USUAL]
    columns = tuple(
        Column(
            mode,
            metric,
            _column(results, layout, mode, metric, None if usual_only else condition),
            results.metrics[metric].endswith("%"),
            tuple(source for source in sources if any(source in line.cells[i].theirs for line in lines)),
            condition,
        )
        for i, (mode, metric, condition) in enumerate(places)
    )
    chance = tuple(Cell(_chance(results, metric), {}) for _, metric, _ in places)
    lines.append(Line(None, results.trivial.title, chance))
    return Table(_heading(results, family, paper, layout), paper, layout.modes, columns, tuple(lines))


def _by_mode(rows: Sequence[Row]) -> list[tuple[Row, str]]:
    """Return the lines of a table by mode. Conditions of a model stand below each other, mode by mode."""
    lines = []
    for model in dict.fromkeys(row.model for row in rows):
        own = [row for row in rows if row.model == model]
        modes = dict.fromkeys(mode for row in own for mode in named_modes(row))
        lines += [(row, mode) for mode in modes for row in own if mode in named_modes(row)]
    return lines


def named_modes(row: Row) -> list[str]:
    """Return the modes of a row that have names of their own, in the paper's order; "both" without names."""
    own = {name: mode for mode, name in reversed(row.names.items()) if mode in row.modes or not row.modes}
    return list(reversed(own.values())) or ["both"]


def single(row: Row) -> str | None:
    """Return the modality of a row that reads one alone; None for a row that reads both."""
    reads = [mode for mode in SINGLE if mode in row.modes]
    return reads[0] if len(reads) == 1 else None


def _line(
    results: Results,
    rows: Sequence[Row],
    mode: str | None,
    places: Sequence[Place],
    paper: Paper | None,
    sources: Sequence[str],
) -> Line:
    """Return a row, one mode of it, or the rows of a model by condition, beside the paper's figures."""
    own = {row.condition: row for row in rows}
    cells: list[Cell] = []
    told: dict[int, Printed] = {}
    for column, metric, condition in places:
        of = column or mode or "both"
        found = rows[0] if condition is None else own.get(condition)
        theirs: dict[str, Theirs] = {}
        for source in sources:
            line = paper.figure(rows[0].model, of, condition or rows[0].condition, source) if paper else None
            if line and metric in line.metrics:
                theirs[source] = Theirs(line.metrics[metric], metric in line.doubtful)
                told[id(line)] = line
        ours = figure(found, of, metric) if found else None
        cells.append(Cell(ours, theirs, found, bool(found and collapsed(found, of))))
    row = rows[0] if places[0][2] is None else _without_condition(rows)
    name = title(results, row, mode, marked=True)
    return Line(rows[0], name, tuple(cells), mode or "both", tuple(told.values()))


def _without_condition(rows: Sequence[Row]) -> Row:
    """Return a row as a line of several conditions names it: without its own, with the marks of all."""
    differs = tuple(dict.fromkeys(told for row in rows for told in row.differs))
    return msgspec.structs.replace(rows[0], condition=USUAL, differs=differs)


def figure(row: Row, mode: str, metric: str) -> Figure | None:
    """Return a row's figure; None without that mode, or where no seed came through."""
    return row.modes[mode].metrics.get(metric) if mode in row.modes else None


def collapsed(row: Row, mode: str) -> tuple[tuple[str, ...], ...]:
    """Return the answers of the seeds of a row that answer every post alike in a mode."""
    return row.modes[mode].collapsed if mode in row.modes else ()


def _chance(results: Results, metric: str) -> Figure | None:
    value = results.trivial.metrics.get(metric)
    return None if value is None else Figure(value, (value,))


def _column(
    results: Results, layout: Layout, mode: str | None, metric: str, condition: Condition | None
) -> str:
    name = results.metrics[metric]
    if condition is not None:  # the heading has the metric
        told = condition.text or "all labels"
        return told if mode in (None, "both") else f"{MODES[mode]}, {told}"
    if mode is None:
        return name
    if mode == "both":
        return name if len(layout.modes) == 1 else f"Both, {name}"
    return MODES[mode] if len(layout.metrics) == 1 else f"{MODES[mode]}, {name}"


def _heading(results: Results, family: str, paper: Paper | None, layout: Layout) -> str:
    """Return "Table 4: accuracy and F1"; a table has its number only where its paper reports."""
    told = layout.title
    if len(layout.metrics) == 1:
        told += f", {in_sentence(results.metrics[layout.metrics[0]])}"
    several = len(families(results)) > 1
    if paper and layout.name:
        return f"{layout.name}{f' of {paper.citation}' if several else ''}: {told}"
    whose = f" ({paper.citation if paper else family})" if several else ""
    return told[0].upper() + told[1:] + whose


def called(row: Row, mode: str | None = None) -> str:
    """Return a row's title with its condition and a preset of a paper.

    In a `mode` that has a name of its own the row is called by it: "Cv, with unpaired posts".
    """
    preset = "" if row.preset == OURS else f"preset {row.preset}"
    name = None if mode is None else _own(row, mode)
    return ", ".join(part for part in (name or row.title, row.condition.text, preset) if part)


def _own(row: Row, mode: str) -> str | None:
    """Return the paper's name of a row in a mode. A row of one modality is the same with both."""
    return row.names.get(mode) or row.names.get(single(row) or mode)


def title(results: Results, row: Row, mode: str | None = None, *, marked: bool = False) -> str:
    """Return what a row is called, with a single modality; if `marked`, with its marks too.

    "Joint fusion (max), preset duong2017 ¹⁻³·⁵", "Cv (image only)"
    """
    told = called(row, mode) + given(mode)
    marks = superscripts(marks_of(results, row)) if marked else ""
    return f"{told} {marks}" if marks else told


def given(mode: str | None) -> str:
    """Return what a model was given at test: " (image only)"; "" for all its inputs."""
    return f" ({mode} only)" if mode in SINGLE else ""


def short(results: Results, row: Row, mode: str = "both") -> str:
    """Return a row's name where there is little room; with its condition only beside others of the model."""
    name = _own(row, mode) or row.model
    usual = msgspec.structs.replace(row.condition, unpaired=False).text
    condition = ", ".join(part for part in (usual, "unpaired" * row.condition.unpaired) if part)
    alone = sum(one.model == row.model for one in results.rows if tabled(one)) == 1
    return name if alone or not condition else f"{name}, {condition}"


def classifiers(results: Results) -> Row | None:
    """Return the row of which each mode is shown post by post, as its paper does; None without one."""
    rows = [
        row
        for row in results.rows
        if tabled(row) and row.names and row.model in shown_by_mode(FAMILIES.get(row.family, row.family))
    ]
    return min(rows, key=lambda row: bool(row.condition.text), default=None)


def differing(results: Results) -> list[str]:
    """Return everything that a row does otherwise than its paper, once each, in the order of the marks."""
    return list(dict.fromkeys(told for row in results.rows for told in row.differs))


def marks_of(results: Results, row: Row) -> tuple[int, ...]:
    """Return the numbers, from 1, of what a row does otherwise than its paper."""
    known = differing(results)
    return tuple(sorted({known.index(told) + 1 for told in row.differs}))


def tests(dataset: Dataset) -> int:
    """Return the number of test posts; with folds those of all splits, each once."""
    return sum(dataset.posts.values()) if dataset.folds else dataset.posts.get("test", 0)


def seeds(row: Row) -> int:
    """Return how many seeds stand behind a row's figures."""
    figure = next((one for scores in row.modes.values() for one in scores.metrics.values()), None)
    return len(figure.values) if figure else 0
