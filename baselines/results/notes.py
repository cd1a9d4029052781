"""The notes under the tables of a run: how figures are to be read, what differs, what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from baselines.results import comparison as c
from baselines.results.curve import curves
from baselines.results.formatting import DAGGER, SELECTED, Theirs, number, printed, superscript
from baselines.results.published import Printed
from baselines.results.schema import Results, Row


def notes(results: Results) -> list[str]:
    """Return what has to be said under the tables, a sentence or two each."""
    return [
        *on_numbers(results),
        *_marked(results),
        *on_papers(results),
        *on_rows(results),
        *on_collapsed(results),
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
    if any(column.sources for table in c.tables(results) for column in table.columns):
        yield (
            "A difference is ours − the paper's. It is emphasised only if the paper's figure lies outside "
            "our 95% interval over seeds and test posts, which is wider than ±."
        )
    yield f"{results.trivial.title}: a prediction that reads no post."
    tuned = [row for row in results.rows if row.tuned]
    which = "all models" if len(tuned) == len(results.rows) else _names(results, tuned)
    presets = ", ".join(dict.fromkeys(row.preset for row in results.rows))
    yield f"Hyper-parameters tuned on validation: {which or f'none (preset {presets})'}."
    if corrected := [row for row in results.rows if row.corrected]:
        yield (
            "With the image or the text alone these rows' answers are corrected by what validation posts say "
            f"(--as-trained leaves that out): {_names(results, corrected)}."
        )
    if any(row.balanced for row in results.rows):
        which = "both sides of a label" if results.dataset.task == "several" else "all classes"
        yield (
            f"Balanced classes: {which} have the same weight in the loss, measured on the labelled training "
            "posts; the validation likelihood has these weights too."
        )
    for select in dict.fromkeys(row.select for row in results.rows if row.select):
        rows = [row for row in results.rows if row.select == select]
        yield f"Epochs and settings chosen by {SELECTED[select]}: {_names(results, rows)}."
    if results.out_of_vocabulary is not None:
        yield f"Training tokens without a pretrained vector: {100 * results.out_of_vocabulary:.1f}%."


def _has_interval(row: Row) -> bool:
    return any(one.interval for scores in row.modes.values() for one in scores.metrics.values())


def _marked(results: Results) -> Iterator[str]:
    """Yield what each mark says, and which rows have none."""
    for family in c.families(results):
        rows = [row for row in results.rows if row.family == family]
        if (paper := c.reporting(results, family)) is None:
            yield f"No paper reports on {results.dataset.name} with these models: {_names(results, rows)}."
        elif same := [row for row in rows if not row.differs]:
            yield (
                f"Rows without a mark follow {paper.citation}, {paper.dataset}, in all that is stated there: "
                f"{_names(results, same)}."
            )
    if differs := c.differing(results):
        yield "Marked rows are no reproduction of their paper:"
        yield from (f"{superscript(number)} {text}" for number, text in enumerate(differs, 1))


def _names(results: Results, rows: Iterable[Row]) -> str:
    """Return the titles of rows; a model with fewer pairs or labels once, if all of it are."""
    every = list(rows)
    told: dict[str, None] = {}
    for row in every:
        own = [one for one in results.rows if one.model == row.model]
        fewer = any(not c.tabled(one) or one.condition.labelled is not None for one in own)
        all_of_them = fewer and len(own) > 1 and all(one in every for one in own)
        told[f"{row.title} (in all conditions)" if all_of_them else c.title(results, row)] = None
    return "; ".join(told)


def on_papers(results: Results) -> Iterator[str]:
    """Yield what is to be said of the papers' figures: contradictions, sources, remarks."""
    shown = c.tables(results)
    told: dict[str, None] = {}
    beside = [one for table in shown for line in table.lines for one in line.printed]
    for one in [*beside, *(one for curve in curves(results) for one in curve.printed)]:
        told |= dict.fromkeys(_on_figure(one))
    yield from told
    for paper in {table.paper.key: table.paper for table in shown if table.paper}.values():
        sources = {
            name
            for table in shown
            if table.paper == paper
            for column in table.columns
            for name in column.sources
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
    if line.p is not None:
        yield (
            f"{line.table or line.source}, {line.row}{condition}: p = {line.p:g} by the paper's t-test, "
            "against its next best row."
        )
    if line.remark:
        yield f"{line.table or line.source}, {line.row}{condition}: {line.remark}."


def _recalls(results: Results) -> Iterator[str]:
    """Yield the papers' figures of single classes beside ours."""
    for row in results.rows:
        paper = c.reporting(results, row.family)
        for mode, scores in row.modes.items():
            line = paper.figure(row.model, mode, row.condition) if paper else None
            for name, value in line.recall.items() if line else ():
                if name in scores.by_label:
                    ours = number(scores.by_label[name].recall, percent=False)
                    theirs = printed(Theirs(value, doubtful=False), percent=False)
                    whose = c.title(results, row, mode) if mode in row.names else f"{c.called(row)}, {mode}"
                    yield f"{whose}: recall of {name} {ours}; the paper has {theirs}."


def on_rows(results: Results) -> Iterator[str]:
    """Yield the notes of rows, once each with the rows that have it."""
    said: dict[str, list[Row]] = {}
    for row in results.rows:
        for note in row.notes:
            said.setdefault(note, []).append(row)
    yield from (f"{_names(results, rows)}: {note}" for note, rows in said.items())
    if any(not c.tabled(row) for row in results.rows):
        yield (
            "masks.json, beside the results, says which training pairs lost their image or their text, by "
            "condition and seed."
        )


def on_collapsed(results: Results) -> Iterator[str]:
    """Yield which rows answer every post alike, mode by mode; a row of one modality has one mode."""
    for row in results.rows:
        for mode in row.modes:
            answers = c.collapsed(row, mode)
            if answers and not (mode == c.single(row) and "both" in row.modes):
                seeds = Counter(" and ".join(map(repr, one)) or "no label" for one in answers)
                told = ", ".join(f"{one} in {number}" for one, number in seeds.most_common())
                yield (
                    f"{DAGGER} {c.title(results, row, mode)} answers every post alike in some of its "
                    f"{c.seeds(row)} seeds ({told}): such a seed is a prediction that reads no post."
                )


def given_up(results: Results) -> list[str]:
    """Return the seeds that were stopped, and the models that this release can't train."""
    stopped: dict[tuple[str, str], list[int]] = {}
    for row in results.rows:
        for one in row.stopped:
            stopped.setdefault((c.title(results, row), one.reason), []).append(one.seed)
    return [
        *(
            f"Stopped: seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))} of {name}: {reason}"
            for (name, reason), seeds in stopped.items()
        ),
        *(f"Left out: {one.model}: {one.reason}" for one in results.left_out),
    ]
