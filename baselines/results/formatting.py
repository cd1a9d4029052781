"""How the figures of a table are written: 86.3 ± 1.2, .842, +0.6, 86.92*, 60.1†, ¹⁻³, p = .016."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from baselines.results.schema import Figure

#: Marks a figure, or a row in a comparison, of which a seed answers every post alike.
DAGGER = "†"

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

#: What --select names, in a sentence.
SELECTED = {
    "likelihood": "validation likelihood",
    "accuracy": "validation accuracy",
    "macro-f1": "macro F1 on validation",
}


@dataclass(frozen=True, slots=True)
class Theirs:
    """A paper's figure, with the digits that it prints. A doubtful one contradicts another of its row."""

    value: Decimal
    doubtful: bool


def superscript(mark: int) -> str:
    """Return a mark as it is written: ¹."""
    return str(mark).translate(_SUPERSCRIPTS)


def superscripts(marks: Sequence[int]) -> str:
    """Return marks as they are written: ¹·³; three or more in sequence are a range: ¹⁻³."""
    runs: list[list[int]] = []
    for mark in marks:
        if runs and runs[-1][-1] == mark - 1:
            runs[-1].append(mark)
        else:
            runs.append([mark])
    parts = [
        f"{superscript(run[0])}⁻{superscript(run[-1])}" if len(run) > 2 else "·".join(map(superscript, run))
        for run in runs
    ]
    return "·".join(parts)


def in_sentence(metric: str) -> str:
    """Return a metric's title as it stands in a sentence: "accuracy %", "F1 macro", "AUC"."""
    return metric[0].lower() + metric[1:] if metric[1:2].islower() else metric


def number(value: float, *, percent: bool) -> str:
    """Return a metric as it is written: 86.3 (in %) or .842."""
    return f"{100 * value:.1f}" if percent else f"{value:.3f}".removeprefix("0")


def largest(values: Iterable[float], *, percent: bool) -> float | None:
    """Return the value of a column that is emphasised; None where it is written as 0 or as all the others."""
    known = list(values)
    told = {number(value, percent=percent) for value in known}
    if len(told) < 2 or not number(max(known), percent=percent).strip("0."):
        return None
    return max(known)


def written(figure: Figure | None, *, percent: bool) -> str:
    """Return a figure with its interval over seeds, where it has one: 86.3 ± 1.2."""
    if figure is None:
        return "–"
    mean = number(figure.mean, percent=percent)
    if figure.interval is None:
        return mean
    return f"{mean} ± {number((figure.interval.high - figure.interval.low) / 2, percent=percent)}"


def signed(value: float | None, *, percent: bool) -> str:
    """Return a difference: +0.6 points, −.012, ±0.0."""
    if value is None:
        return "–"
    size = number(abs(value), percent=percent)
    if not size.strip("0."):
        return f"±{size}"
    return f"{'−' if value < 0 else '+'}{size}"


def printed(theirs: Theirs | None, *, percent: bool) -> str:
    """Return a paper's number with the digits that it prints, and a star where it is doubtful."""
    if theirs is None:
        return "–"
    digits = str(theirs.value.scaleb(2)) if percent else str(theirs.value).removeprefix("0")
    return digits + "*" * theirs.doubtful


def probability(p: float | None) -> str:
    """Return a p-value: .016, <.001."""
    if p is None:
        return "–"
    return "<.001" if p < 0.001 else number(p, percent=False)
