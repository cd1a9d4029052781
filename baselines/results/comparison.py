"""The tables of a run beside the papers' figures: their values, how these are written, and their notes.

    for table in tables(results):
        table.heading                       # "Table 4: accuracy and F1"
        table.lines[0].title                # "Image-based ¹·²"
        table.lines[0].cells[0].ours.mean   # 0.712

`tables.py` prints them to a terminal and to table.md, `page` draws them; neither computes a figure. There is
a table per family of models and layout: the paper's layout where it has one, otherwise "Scores" and "One
modality at test".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from baselines.models.registry import FAMILIES
from baselines.results.formatting import Theirs, in_sentence, number, printed, superscript, superscripts
from baselines.results.published import OURS, Layout, Paper, Printed, figures, layouts
from baselines.results.schema import Dataset, Figure, LabelScore, Results, Row, Scores

SINGLE = ("image", "text")

_MODES = {"image": "Image only", "text": "Text only"}


@dataclass(frozen=True, slots=True)
class Column:
    """A metric in a mode, with the sources of a paper that have figures of it."""

    mode: str
    metric: str
    title: str
    percent: bool  # shown in %, differences in points
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """Our figure, and those of a paper by source."""

    ours: Figure | None
    theirs: Mapping[str, Theirs]

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
    """A row of a table, one cell a column. `row` is None for the trivial prediction."""

    row: Row | None
    title: str
    cells: tuple[Cell, ...]
    printed: tuple[Printed, ...] = ()  # the paper's lines that it stands beside


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one family in one layout, and the trivial prediction as the last line."""

    heading: str
    paper: Paper | None
    modes: tuple[str, ...]
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]


def headline(results: Results) -> str:
    """Return the metric by which rows are compared: the first of the task."""
    return next(iter(results.metrics))


def tables(results: Results) -> list[Table]:
    """Return the tables of a run, those of each family together."""
    found = []
    for family in families(results):
        rows = [row for row in results.rows if row.family == family]
        paper = reporting(results, family)
        for layout in _layouts(results, family, paper):
            if held := _rows(rows, layout):
                found.append(_table(results, family, paper, layout, held))
    return found


def families(results: Results) -> list[str]:
    """Return the families of the rows, in their order."""
    return list(dict.fromkeys(row.family for row in results.rows))


def reporting(results: Results, family: str) -> Paper | None:
    """Return the paper of a family if it reports on this dataset, and on this task."""
    key = FAMILIES.get(family, family)
    return next(
        (x for x in figures(results.dataset.name) if x.key == key and x.task == results.dataset.task), None
    )


def _layouts(results: Results, family: str, paper: Paper | None) -> list[Layout]:
    known = paper.tables if paper else layouts(FAMILIES.get(family, family))
    found = [layout for layout in known if set(layout.metrics) <= set(results.metrics)]
    if not any("both" in layout.modes for layout in found):
        found.insert(0, Layout(name="", title="scores", modes=("both",), metrics=tuple(results.metrics)))
    if not any(mode in layout.modes for layout in found for mode in SINGLE):
        metrics = (headline(results),)
        found.append(Layout(name="", title="one modality at test", modes=SINGLE, metrics=metrics))
    return found


def _rows(rows: Iterable[Row], layout: Layout) -> list[Row]:
    """Return the rows of a layout: a table of single modalities needs a row that reads both."""
    if "both" in layout.modes:
        return list(rows)
    found = [row for row in rows if any(mode in row.modes for mode in layout.modes)]
    return found if any(all(mode in row.modes for mode in layout.modes) for row in found) else []


def _table(results: Results, family: str, paper: Paper | None, layout: Layout, rows: Iterable[Row]) -> Table:
    places = [(mode, metric) for mode in layout.modes for metric in layout.metrics]
    sources = list(dict.fromkeys(one.source for one in paper.figures)) if paper else []
    lines = []
    for row in rows:
        printed = {
            (mode, source): line
            for mode in layout.modes
            for source in sources
            if paper and (line := paper.figure(row.model, mode, row.condition, source))
        }
        cells = tuple(
            Cell(
                _figure(row.modes.get(mode), metric),
                {
                    source: Theirs(line.metrics[metric], metric in line.doubtful)
                    for (of, source), line in printed.items()
                    if of == mode and metric in line.metrics
                },
            )
            for mode, metric in places
        )
        told = {id(line): line for line in printed.values() if set(line.metrics) & set(layout.metrics)}
        lines.append(Line(row, title(results, row, marked=True), cells, tuple(told.values())))
    columns = tuple(
        Column(
            mode,
            metric,
            _column(results, layout, mode, metric),
            results.metrics[metric].endswith("%"),
            tuple(source for source in sources if any(source in line.cells[i].theirs for line in lines)),
        )
        for i, (mode, metric) in enumerate(places)
    )
    chance = tuple(Cell(_chance(results, metric), {}) for _, metric in places)
    lines.append(Line(None, results.trivial.title, chance))
    return Table(_heading(results, family, paper, layout), paper, layout.modes, columns, tuple(lines))


def _figure(scores: Scores | None, metric: str) -> Figure | None:
    return scores.metrics.get(metric) if scores else None


def _chance(results: Results, metric: str) -> Figure | None:
    value = results.trivial.metrics.get(metric)
    return None if value is None else Figure(value, (value,))


def _column(results: Results, layout: Layout, mode: str, metric: str) -> str:
    name = results.metrics[metric]
    if mode == "both":
        return name if len(layout.modes) == 1 else f"Both, {name}"
    return _MODES[mode] if len(layout.metrics) == 1 else f"{_MODES[mode]}, {name}"


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


def title(results: Results, row: Row, *, marked: bool = False) -> str:
    """Return a row's title with its condition and a preset of a paper; if `marked`, with its marks too.

    "Joint fusion (max), preset duong2017 ¹⁻³·⁵"
    """
    preset = "" if row.preset == OURS else f"preset {row.preset}"
    told = ", ".join(part for part in (row.title, row.condition.text, preset) if part)
    marks = superscripts(marks_of(results, row)) if marked else ""
    return f"{told} {marks}" if marks else told


def short(results: Results, row: Row) -> str:
    """Return a row's name where there is little room; with its condition only beside others of the model."""
    alone = sum(one.model == row.model for one in results.rows) == 1
    return row.model if alone or not row.condition.text else f"{row.model}, {row.condition.text}"


def differing(results: Results) -> list[str]:
    """Return everything that a row does otherwise than its paper, once each, in the order of the marks."""
    return list(dict.fromkeys(told for row in results.rows for told in row.differs))


def marks_of(results: Results, row: Row) -> tuple[int, ...]:
    """Return the numbers, from 1, of what a row does otherwise than its paper."""
    known = differing(results)
    return tuple(sorted({known.index(told) + 1 for told in row.differs}))


def by_label(row: Row) -> dict[str, LabelScore]:
    """Return a row's scores by label with all its inputs; nothing where no seed came through."""
    return row.modes["both"].by_label if "both" in row.modes else {}


def tests(dataset: Dataset) -> int:
    """Return the number of test posts; with folds those of all splits, each once."""
    return sum(dataset.posts.values()) if dataset.folds else dataset.posts.get("test", 0)


def seeds(row: Row) -> int:
    """Return how many seeds stand behind a row's figures."""
    figure = next((one for scores in row.modes.values() for one in scores.metrics.values()), None)
    return len(figure.values) if figure else 0


def notes(results: Results) -> list[str]:
    """Return what has to be said under the tables, a sentence or two each."""
    return [
        *on_numbers(results),
        *_marked(results),
        *on_papers(results),
        *on_rows(results),
        *given_up(results),
    ]


def on_numbers(results: Results) -> Iterator[str]:
    """Yield how the figures are to be read."""
    scored = [row for row in results.rows if row.modes]
    few = [row for row in scored if not _has_interval(row)]
    if len(few) < len(scored):
        yield "± is half the 95% interval of the mean over seeds, on the same test posts (Student's t)."
    if few:
        which = "All rows" if len(few) == len(scored) else _names(results, few)
        yield f"{which}: fewer than three seeds, so a mean without an interval."
    if any(column.sources for table in tables(results) for column in table.columns):
        yield (
            "A difference is ours − the paper's. It is emphasised only if the paper's figure lies outside "
            "our 95% interval over seeds and test posts, which is wider than ±."
        )
    yield f"{results.trivial.title}: a prediction that reads no post."
    tuned = [row for row in results.rows if row.tuned]
    which = "all models" if len(tuned) == len(results.rows) else _names(results, tuned)
    presets = ", ".join(dict.fromkeys(row.preset for row in results.rows))
    yield f"Hyper-parameters tuned on validation: {which or f'none (preset {presets})'}."
    if results.out_of_vocabulary is not None:
        yield f"Training tokens without a pretrained vector: {100 * results.out_of_vocabulary:.1f}%."


def _has_interval(row: Row) -> bool:
    return any(one.interval for scores in row.modes.values() for one in scores.metrics.values())


def _marked(results: Results) -> Iterator[str]:
    """Yield what each mark says, and which rows have none."""
    for family in families(results):
        rows = [row for row in results.rows if row.family == family]
        if (paper := reporting(results, family)) is None:
            yield f"No paper reports on {results.dataset.name} with these models: {_names(results, rows)}."
        elif same := [row for row in rows if not row.differs]:
            yield (
                f"Rows without a mark follow {paper.citation}, {paper.dataset}, in all that is stated there: "
                f"{_names(results, same)}."
            )
    if differs := differing(results):
        yield "Marked rows are no reproduction of their paper:"
        yield from (f"{superscript(number)} {text}" for number, text in enumerate(differs, 1))


def _names(results: Results, rows: Iterable[Row]) -> str:
    return "; ".join(title(results, row) for row in rows)


def on_papers(results: Results) -> Iterator[str]:
    """Yield what is to be said of the papers' figures: contradictions, sources, remarks."""
    shown = tables(results)
    told: dict[str, None] = {}
    for table in shown:
        for line in table.lines:
            for one in line.printed:
                told |= dict.fromkeys(_on_figure(one))
    yield from told
    for paper in {table.paper.key: table.paper for table in shown if table.paper}.values():
        sources = {
            name for table in shown if table.paper == paper for c in table.columns for name in c.sources
        }
        yield from (f"{name}: {cited}." for name, cited in paper.sources.items() if name in sources)
        yield from (f"{paper.citation}, {paper.dataset}: {remark}" for remark in paper.remarks)
    yield from _recalls(results)


def _on_figure(line: Printed) -> Iterator[str]:
    condition = f", {line.condition.text}" if line.condition.text else ""
    if line.inconsistent:
        yield (
            f"* {line.table or line.source}, {line.row}{condition}: {line.inconsistent}; with one label per "
            "post the two are the same number."
        )
    if line.remark:
        yield f"{line.table or line.source}, {line.row}{condition}: {line.remark}."


def _recalls(results: Results) -> Iterator[str]:
    """Yield the papers' figures of single classes beside ours."""
    for row in results.rows:
        paper = reporting(results, row.family)
        for mode, scores in row.modes.items():
            line = paper.figure(row.model, mode, row.condition) if paper else None
            for name, value in line.recall.items() if line else ():
                if name in scores.by_label:
                    ours = number(scores.by_label[name].recall, percent=False)
                    theirs = printed(Theirs(value, doubtful=False), percent=False)
                    yield f"{title(results, row)}, {mode}: recall of {name} {ours}; the paper has {theirs}."


def on_rows(results: Results) -> Iterator[str]:
    """Yield the notes of rows, once each with the rows that have it."""
    said: dict[str, list[Row]] = {}
    for row in results.rows:
        for note in row.notes:
            said.setdefault(note, []).append(row)
    yield from (f"{_names(results, rows)}: {note}" for note, rows in said.items())


def given_up(results: Results) -> list[str]:
    """Return the seeds that were stopped, and the models that this release can't train."""
    stopped = [(one.seed, title(results, row), one.reason) for row in results.rows for one in row.stopped]
    return [
        *(f"Stopped: seed {seed} of {name}: {reason}" for seed, name, reason in stopped),
        *(f"Left out: {one.model}: {one.reason}" for one in results.left_out),
    ]
