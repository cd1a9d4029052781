"""A run beside its paper: the values of Tables 4 and 5, how they are written, and what is to be said of them.

`tables` prints these to a terminal and to table.md, `page` draws them; neither counts anything itself. The
tables are numbered as in Duong et al. 2017: 4 has the scores of each model on all that it reads, 5 its
accuracy with one modality at test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from baselines.results.papers import Paper, Printed
from baselines.results.schema import Dataset, Figure, Mode, Results, Row, Scores

#: The columns of Table 4 and of Table 5.
METRICS = ("accuracy", "f1_macro", "f1_micro")
SINGLE: tuple[Mode, ...] = ("image", "text")

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of ours, the paper's, and why the paper's can't be right, where it can't."""

    ours: Figure | None
    paper: float | None = None
    inconsistent: str | None = None

    @property
    def difference(self) -> float | None:
        """Ours - paper."""
        return None if self.ours is None or self.paper is None else self.ours.mean - self.paper


@dataclass(frozen=True, slots=True)
class Line:
    """One model in a table. `marks` are the numbers, from 1, of what differs from the paper's row."""

    row: Row
    marks: tuple[int, ...]
    cells: dict[str, Cell]

    @property
    def title(self) -> str:
        """The model's name with its marks: "Joint fusion (max) ¹·³"."""
        marks = "·".join(superscript(mark) for mark in self.marks)
        return f"{self.row.title} {marks}" if marks else self.row.title


def whole(row: Row) -> tuple[Mode, Scores] | None:
    """Return a model's scores on all that it reads, with the mode; None where no seed came through."""
    for mode in ("both", *SINGLE):
        if mode in row.modes:
            return mode, row.modes[mode]
    return None


def table4(results: Results, paper: Paper | None) -> list[Line]:
    """Return accuracy, macro and micro F1 of each model."""
    lines = []
    for row in results.rows:
        scored = whole(row)
        printed = paper.figure(row.model, "both") if paper else None
        cells = {key: _cell(scored[1] if scored else None, printed, key) for key in METRICS}
        lines.append(Line(row, _marks(results, row), cells))
    return lines


def table5(results: Results, paper: Paper | None) -> list[Line]:
    """Return each model's accuracy with one modality at test; nothing where there is only one."""
    lines = []
    for row in results.rows:
        cells: dict[str, Cell] = {
            mode: _cell(row.modes.get(mode), paper.figure(row.model, mode) if paper else None, "accuracy")
            for mode in SINGLE
        }
        if any(mode in row.modes for mode in SINGLE):
            lines.append(Line(row, _marks(results, row), cells))
    return lines if any(all(mode in line.row.modes for mode in SINGLE) for line in lines) else []


def _cell(scores: Scores | None, printed: Printed | None, key: str) -> Cell:
    ours: Figure | None = getattr(scores, key) if scores else None
    if printed is None:
        return Cell(ours)
    return Cell(ours, getattr(printed, key), printed.inconsistent if key != "f1_macro" else None)


def beyond(cell: Cell) -> bool | None:
    """Return whether ours is above the paper's figure or below it; None where that can't be told."""
    if cell.ours is None or cell.paper is None or cell.inconsistent or len(cell.ours.values) < 2:
        return None
    if round(cell.ours.low, 4) <= cell.paper <= round(cell.ours.high, 4):
        return None
    return cell.ours.mean > cell.paper


def differing(results: Results) -> list[str]:
    """Return everything that a row does otherwise than the paper's, once each, in the order of the marks."""
    return list(dict.fromkeys(told for row in results.rows for told in row.differs))


def _marks(results: Results, row: Row) -> tuple[int, ...]:
    known = differing(results)
    return tuple(sorted({known.index(told) + 1 for told in row.differs}))


def tested(dataset: Dataset) -> dict[str, int]:
    """Return the test posts by class; with folds those are the posts of all splits, each once."""
    if not dataset.folds:
        return dataset.counts.get("test", {})
    sums: Counter[str] = Counter()
    for counts in dataset.counts.values():
        sums.update(counts)
    return dict(sums)


def majority(results: Results) -> tuple[str, float] | None:
    """Return the class with most training posts, and its share of the test posts."""
    test = tested(results.dataset)
    train = test if results.dataset.folds else results.dataset.counts.get("train", {})
    if not train or not sum(test.values()):
        return None
    name = max(train, key=train.__getitem__)
    return name, test.get(name, 0) / sum(test.values())


def notes(results: Results, paper: Paper | None) -> list[str]:
    """Return what has to be said under the tables, a sentence or two each."""
    return [
        *on_numbers(results, paper),
        *_on_paper(results, paper),
        *stopped(results),
        *left_out(results),
    ]


def stopped(results: Results) -> list[str]:
    """Return the seeds that were given up."""
    told = [(one.seed, row.title, one.reason) for row in results.rows for one in row.stopped]
    return [f"Stopped: seed {seed} of {title}: {reason}" for seed, title, reason in told]


def left_out(results: Results) -> list[str]:
    """Return the models that this release can't train."""
    return [f"Left out: {one.model}: {one.reason}" for one in results.left_out]


def on_numbers(results: Results, paper: Paper | None) -> Iterator[str]:
    """Yield how the figures are to be read."""
    told = "± is the 95% interval of the mean over seeds (Student's t)."
    yield f"{told} Differences are ours − paper, in points." if paper else told
    if largest := majority(results):
        yield f"Always {largest[0]!r}, the largest class of training: {percent(largest[1])}% accuracy."
    tuned = [row.title for row in results.rows if row.tuned]
    which = "all models" if len(tuned) == len(results.rows) else ", ".join(tuned)
    yield f"Hyper-parameters tuned on validation: {which or 'none; these are the defaults'}."
    if results.out_of_vocabulary is not None:
        yield f"Words of training without a vector: {percent(results.out_of_vocabulary)}%."


def _on_paper(results: Results, paper: Paper | None) -> Iterator[str]:
    if paper is None:
        yield f"No paper with these models reports on {results.dataset.name}."
        return
    source = f"{paper.citation}, {paper.dataset}"
    if differs := differing(results):
        yield f"Marked rows are no reproduction of {source}:"
        yield from (f"{superscript(number)} {text}" for number, text in enumerate(differs, 1))
    else:
        yield f"Data, backbone and vectors are those of {source}."
    yield from contradictions(results, paper)


def contradictions(results: Results, paper: Paper) -> Iterator[str]:
    """Yield what is to be said of the paper's figures with a star."""
    for line in table4(results, paper):
        if why := line.cells["accuracy"].inconsistent:
            yield f"* The paper contradicts itself in the row {line.row.title!r}: {why}."


def superscript(mark: int) -> str:
    """Return a mark as it is written: ¹."""
    return str(mark).translate(_SUPERSCRIPTS)


def seeds(row: Row) -> int:
    """Return how many seeds stand behind a row's figures."""
    scored = whole(row)
    return len(scored[1].accuracy.values) if scored else 0


def percent(value: float) -> str:
    """Return a fraction as a percentage: 86.3."""
    return f"{100 * value:.1f}"


def accuracy(figure: Figure | None) -> str:
    """Return a percentage with its interval: 86.3 ± 1.2; without one for a single seed."""
    return "–" if figure is None else _spread(figure, percent)


def f1(figure: Figure | None) -> str:
    """Return an F1 with its interval: .842 ± .012."""
    return "–" if figure is None else _spread(figure, fraction)


def _spread(figure: Figure, write: Callable[[float], str]) -> str:
    if len(figure.values) < 2:
        return write(figure.mean)
    return f"{write(figure.mean)} ± {write((figure.high - figure.low) / 2)}"


def fraction(value: float) -> str:
    """Return a fraction as it is written of F1: .842."""
    return f"{value:.3f}".removeprefix("0")


def points(value: float | None) -> str:
    """Return a difference of percentages: +0.6, −1.2, ±0.0."""
    if value is None:
        return "–"
    written = f"{100 * value:+.1f}".replace("-", "−")
    return "±0.0" if written[1:] == "0.0" else written


def printed(cell: Cell, key: str) -> str:
    """Return the paper's number with the digits that it prints, a star where it contradicts itself."""
    if cell.paper is None:
        return "–"
    star = "*" if cell.inconsistent else ""
    if key in METRICS[1:]:
        digits = f"{cell.paper:.4f}".removeprefix("0").rstrip("0")
        return digits.ljust(3, "0") + star
    return f"{100 * cell.paper:.2f}{star}"
