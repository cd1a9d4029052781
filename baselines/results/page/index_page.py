"""The index of all results, `results/index.html`: a line a run, linked with its page and the report.

It is made from the files under `results/NAME/VERSION…`, and rewritten by each command that writes results.
Lines are in the order of datasets, then of dates. The same files give the same bytes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from affectory.core import files
from affectory.core.errors import AffectoryError
from affectory.core.html import shell
from affectory.core.html.markup import Html, h
from baselines.results import comparison as c
from baselines.results import headline, missing_schema, schema, two_runs, two_runs_tables
from baselines.results.formatting import number, written
from baselines.results.page.blocks import stacked
from baselines.results.page.links import INDEX, href, relative
from baselines.results.schema import Dataset, Figure, Trivial

_COMPARISONS = ("*/compare.json", "*/*/compare.json")


def write(results: Path) -> Path:
    """Write the index of a folder of results; return its path."""
    with _alone(results):
        return files.write(results / INDEX, render(results))


def holding(folder: Path) -> Path | None:
    """Return the folder of results that a folder lies in, one or two levels below; None for none."""
    above = (folder.parent, folder.parent.parent) if folder.parent != folder else ()
    return next((one for one in above if next(one.glob("*/*/results.json"), None) is not None), None)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Make other processes wait: two runs may end at the same time."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


#: The heads of the columns after the first, each with its CSS class.
_RUNS = {
    "Date": "n left",
    "Best model": "n words",
    "Metric": "n left",
    "Score": "n",
    "By chance": "n",
    "Test posts": "n",
    "Models": "n",
    "Report": "n left",
}
_MISSING = {head: cls for head, cls in _RUNS.items() if head != "Report"}
_PAIRS = {"Dates": "n left", "Finding": "n words"}

_ON_RUNS = "By chance: the score of the trivial prediction, and that of uniform guesses."
_ON_MISSING = "Scores are those on complete posts, without losses."


@dataclass(frozen=True, slots=True, order=True)
class _Line:
    """A line of the index. `place`: dataset, date and folder, by which lines are sorted."""

    place: tuple[str, str, str]
    cells: tuple[Html | str, ...]


def render(results: Path) -> str:
    """Return the page of a folder of results."""

    def lines(made: Callable[[Path, Path], _Line], head: Mapping[str, str], *patterns: str) -> list[_Line]:
        paths = [path for pattern in patterns for path in results.glob(pattern)]
        return sorted(_line(path, results, made, len(head)) for path in paths)

    runs = lines(_run, _RUNS, "*/*/results.json")
    missing = lines(_missing, _MISSING, "*/*/missing.json")
    pairs = lines(_pair, _PAIRS, *_COMPARISONS)
    known = [line.place[0] for line in (*runs, *missing)]
    told = f"{len(known)} run{'s' * (len(known) != 1)} on {len(set(known))} "
    told += f"dataset{'s' * (len(set(known)) != 1)}, by name and date."
    top = [h("p", "Baselines", cls="eyebrow"), h("h1", "All results"), h("p", told, cls="summary")]
    return shell.page(
        [
            h("header", *top, id="top"),
            _section("runs", "Runs", _RUNS, runs, _ON_RUNS),
            _section("missing", "Posts without an image or a text", _MISSING, missing, _ON_MISSING),
            _section("compared", "Comparisons", _PAIRS, pairs),
        ],
        title="All results",
        home="Results",
        places={"runs": "Runs", "missing": "Missing", "compared": "Comparisons"},
        style=resources.files(__package__).joinpath("results.css").read_text(encoding="utf-8"),
        sorts=True,
    )


def _section(
    place: str, title: str, head: Mapping[str, str], lines: Sequence[_Line], note: str = ""
) -> Html | None:
    """Return a table that becomes blocks in a narrow window; None without a line."""
    if not lines:
        return None
    first = "Comparison" if place == "compared" else "Run"
    shown = stacked({first: "", **head}, (line.cells for line in lines))
    return h("section", h("h2", title), shown, h("p", note, cls="quiet") if note else None, id=place)


def _line(path: Path, results: Path, made: Callable[[Path, Path], _Line], width: int) -> _Line:
    """Return the line of a file; of one that can't be read, one that says so."""
    try:
        return made(path, results)
    except (AffectoryError, OSError):
        dataset, folder = path.parent.parent.name, path.parent.name
        told = f"{path.name} can't be read: repeat the command that wrote it"
        cells = ("–", told, *["–"] * width)[:width]
        return _Line((dataset, "", folder), (f"{dataset} {folder}", *cells))


def _run(path: Path, results: Path) -> _Line:
    found = schema.read(path.parent)
    best, metric = headline.best(found), c.headline(found)
    report = path.parent / found.report
    return _Line(
        (path.parent.parent.name, found.date, path.parent.name),
        (
            _name(path, results, "results.html", found.dataset),
            found.date,
            best.title if best else "–",
            headline.named(found.metrics, metric),
            _score(best.figure if best else None, found.metrics, metric),
            _chance(found.dataset, found.trivial, found.metrics, metric),
            f"{c.tests(found.dataset):,}",
            str(len({row.model for row in found.rows})),
            _link(report, results, "report") if found.report and report.is_file() else "–",
        ),
    )


def _missing(path: Path, results: Path) -> _Line:
    found = missing_schema.read(path.parent)
    metric = found.headline
    scored = [model for model in found.models if metric in model.complete]
    best = max(scored, key=lambda model: model.complete[metric].mean, default=None)
    return _Line(
        (path.parent.parent.name, found.date, path.parent.name),
        (
            _name(path, results, "missing.html", found.dataset),
            found.date,
            best.title if best else "–",
            headline.named(found.metrics, metric),
            _score(best.complete[metric] if best else None, found.metrics, metric),
            _chance(found.dataset, found.trivial, found.metrics, metric),
            f"{c.tests(found.dataset):,}",
            str(len(found.models)),
        ),
    )


def _pair(path: Path, results: Path) -> _Line:
    found = two_runs.read(path)
    first, second = found.first, found.second
    told = two_runs_tables.title(found)
    page = path.with_name("compare.html")
    dates = f"{first.date}, {second.date}" if first.date != second.date else first.date
    return _Line(
        (first.dataset, max(first.date, second.date), path.parent.name),
        (_link(page, results, told) if page.is_file() else told, dates, two_runs_tables.finding(found)),
    )


def _name(path: Path, results: Path, page: str, dataset: Dataset) -> Html | str:
    """Return the dataset and the run's folder, as a link where the run has a page."""
    target, told = path.with_name(page), f"{path.parent.parent.name} {path.parent.name}"
    name = _link(target, results, told) if target.is_file() else told
    return h("span", name, h("small", dataset.generated, cls="note")) if dataset.generated else name


def _link(target: Path, results: Path, text: str) -> Html:
    return h("a", text, href=href(relative(target, results)))


def _score(figure: Figure | None, metrics: Mapping[str, str], metric: str) -> str:
    percent = metrics[metric].endswith("%")
    return written(figure, percent=percent) + "%" * (percent and figure is not None)


def _chance(dataset: Dataset, trivial: Trivial, metrics: Mapping[str, str], metric: str) -> str:
    """Return the trivial prediction's score and that of uniform guesses: 34.5, 25.0%."""
    percent = metrics[metric].endswith("%")
    known = [number(value, percent=percent) for _, value in headline.chance(dataset, trivial, metric)]
    return ", ".join(known) + "%" * percent if known else "–"
