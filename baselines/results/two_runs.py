"""Two runs of the baselines compared: their rows, what differs in how they were made, and paired intervals.

    found = compared(located(Path("results/met-meme/1.0.0")), located(Path("results/met-meme/1.1.0")))
    found.rows[0].difference                   # the second run's headline metric minus the first's
    found.rows[0].interval                     # None where `found.unpaired` says why

Rows are the same if model and condition are. If both runs have predicted the same posts, with the same true
labels, equal rows are compared by the paired bootstrap over seeds and posts (`statistics.compare`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from affectory.core.errors import InputError
from baselines.results import comparison as c
from baselines.results import schema, versioned
from baselines.results.schema import Figure, Interval, Results, Row

if TYPE_CHECKING:
    from baselines.results.paired_predictions import Key, Paired

SCHEMA = 1

#: Options that say where files are: no setting of a run.
_PLACES = frozenset({"--out", "--features", "--cache", "--datasets"})


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two runs. `posts`: its test posts."""

    folder: str  # as it was named
    dataset: str
    version: str
    date: str
    posts: int
    generated: str = ""


class Values(msgspec.Struct, frozen=True):
    """A metric in both runs."""

    first: Figure
    second: Figure


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A row that both runs have, in one mode.

    `difference`: the headline metric of the second run minus that of the first. If the runs are paired it is
    over the seeds that both have, `seeds` of them, with interval and p as in `schema.Pair`.
    """

    model: str
    title: str  # "Joint fusion (max), 30% labelled"
    condition: str
    mode: str
    metrics: dict[str, Values]
    difference: float
    collapsed: tuple[bool, bool]  # whether a seed of the first, of the second run answers every post alike
    seeds: int | None = None
    interval: Interval | None = None
    p: float | None = None
    p_holm: float | None = None


class Lone(msgspec.Struct, frozen=True):
    """A row that only one run has; `run` is 1 or 2. `figure`: its headline metric, with all inputs."""

    run: int
    title: str
    figure: Figure | None


class Setting(msgspec.Struct, frozen=True):
    """A setting that differs; "" where a run doesn't have it. `models`: of which rows; none: of the runs."""

    kind: str  # "release", "option", "rows", "package", "machine"
    name: str
    first: str
    second: str
    models: tuple[str, ...] = ()


class TwoRuns(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison: `compare.json`. `unpaired`: why there are no intervals; "" if rows are paired.

    `grouped`: whether near-duplicates were resampled together; runs of earlier versions don't name them.
    """

    schema: int = SCHEMA
    first: Side
    second: Side
    task: str
    metrics: dict[str, str]  # with their titles; the first is the headline metric
    rows: tuple[Compared, ...]
    lone: tuple[Lone, ...]
    settings: tuple[Setting, ...]
    unpaired: str
    grouped: bool

    @property
    def headline(self) -> str:
        """The metric by which rows are compared."""
        return next(iter(self.metrics))

    @property
    def percent(self) -> bool:
        """Whether the headline metric is written in percent."""
        return self.metrics[self.headline].endswith("%")

    def encoded(self) -> bytes:
        """Return `compare.json`."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1)


def read(path: Path) -> TwoRuns:
    """Read a `compare.json`. Errors as of `versioned.read`."""
    return versioned.read(path, TwoRuns, SCHEMA)


@dataclass(frozen=True, slots=True)
class Run:
    """A run that was read: the folder as it was named, and its results."""

    folder: Path
    results: Results


def located(path: Path) -> Run:
    """Return the run of a folder of results, or of a results.json.

    Raises `InputError` where there is none, `BaselineError` for one that can't be read.
    """
    folder = path.parent if path.name == "results.json" else path
    if (folder / "results.json").is_file():
        return Run(folder, schema.read(folder))
    if (folder / "missing.json").is_file():
        raise InputError(f"{str(folder)!r} has the results of affectory missing: name those of affectory run")
    if path.is_file():
        raise InputError(f"{str(path)!r} is not a results.json: name one, or its folder results/NAME/VERSION")
    if not folder.is_dir():
        raise InputError(f"there is no folder {str(folder)!r}: name one that affectory run has written")
    inside = sorted(one.parent for one in folder.glob("*/results.json"))
    inside += sorted(one.parent for one in folder.glob("*/*/results.json"))
    step = f"name one of its runs, such as {str(inside[0])!r}" if inside else "affectory run NAME writes them"
    raise InputError(f"there are no results in {str(folder)!r}: {step}")


def compared(first: Run, second: Run) -> TwoRuns:
    """Compare two runs. Raises `InputError` for other tasks or classes, `BaselineError` for damaged files."""
    one, other = first.results, second.results
    _check(first, second)
    metrics = {name: title for name, title in one.metrics.items() if name in other.metrics}
    mine, theirs = _by_key(one), _by_key(other)
    matched = [(row, theirs[key]) for key, row in mine.items() if key in theirs]
    paired = _paired(first, second, matched)
    rows = [_compared(pair, mode, metrics, paired) for pair in matched for mode in _modes(*pair)]
    lone = [
        Lone(number, c.title(run, row), c.figure(row, "both", next(iter(metrics))))
        for number, run, own, others in ((1, one, mine, theirs), (2, other, theirs, mine))
        for key, row in own.items()
        if key not in others
    ]
    return TwoRuns(
        first=_side(first),
        second=_side(second),
        task=one.dataset.task,
        metrics=metrics,
        rows=tuple(rows),
        lone=tuple(lone),
        settings=tuple(_settings(one, other, matched)),
        unpaired=paired.unpaired,
        grouped=paired.grouped,
    )


def _check(first: Run, second: Run) -> None:
    kinds = {"single": "one label per post", "several": "several labels per post"}
    one, other = first.results.dataset, second.results.dataset
    if one.task != other.task:
        raise InputError(
            f"{str(first.folder)!r} predicts {kinds[one.task]} and {str(second.folder)!r} {kinds[other.task]}"
            ": compare runs of one task"
        )
    if set(one.labels) != set(other.labels):
        apart = sorted(set(one.labels) ^ set(other.labels))
        raise InputError(
            f"{str(first.folder)!r} and {str(second.folder)!r} have other classes (only one has "
            f"{', '.join(apart)}): compare runs of the same classes"
        )
    if next(iter(first.results.metrics)) != next(iter(second.results.metrics)):
        raise InputError(
            f"{str(first.folder)!r} and {str(second.folder)!r} have other metrics: repeat the older run"
        )


def _key(row: Row) -> Key:
    return row.model, row.condition.text


def _by_key(results: Results) -> dict[Key, Row]:
    """Return the rows that have scores."""
    return {_key(row): row for row in results.rows if row.modes}


def _modes(row: Row, other: Row) -> list[str]:
    """Return the modes of two rows: all inputs, then each modality of rows that read both."""
    found = [mode for mode in c.MODES if mode in row.modes and mode in other.modes]
    return [mode for mode in found if mode == "both" or c.single(row) is None]


def _side(run: Run) -> Side:
    dataset = run.results.dataset
    return Side(
        folder=str(run.folder),
        dataset=dataset.name,
        version=dataset.version,
        date=run.results.date,
        posts=c.tests(dataset),
        generated=dataset.generated,
    )


def _compared(rows: tuple[Row, Row], mode: str, metrics: Mapping[str, str], paired: Paired) -> Compared:
    row, other = rows
    both = {name: (c.figure(row, mode, name), c.figure(other, mode, name)) for name in metrics}
    values = {name: Values(one, two) for name, (one, two) in both.items() if one and two}
    headline = values[next(iter(metrics))]
    found = paired.pairs.get((_key(row), mode))
    return Compared(
        model=row.model,
        title=c.called(row, mode),
        condition=row.condition.text,
        mode=mode,
        metrics=values,
        difference=found.difference if found else headline.second.mean - headline.first.mean,
        collapsed=(bool(c.collapsed(row, mode)), bool(c.collapsed(other, mode))),
        seeds=paired.seeds.get((_key(row), mode)),
        interval=found.interval if found else None,
        p=found.p if found else None,
        p_holm=found.p_holm if found else None,
    )


def _paired(first: Run, second: Run, matched: list[tuple[Row, Row]]) -> Paired:
    """Compare rows on the predictions of both runs."""
    from baselines.results import paired_predictions  # torch and pyarrow: not for the index of all results

    wanted = [(_key(row), mode) for row, other in matched for mode in _modes(row, other)]
    datasets = first.results.dataset, second.results.dataset
    return paired_predictions.compared((first.folder, second.folder), datasets, wanted)


def _settings(one: Results, other: Results, matched: list[tuple[Row, Row]]) -> Iterator[Setting]:
    """Yield what differs in how two runs were made: the release, options, rows, packages."""
    yield from _differing("release", _of_release(one), _of_release(other))
    first, second = (options_of(run.command, run.dataset.name) for run in (one, other))
    yield from _differing("option", first, second)
    told: dict[tuple[str, str, str], list[str]] = {}
    for row, match in matched:
        for name, first_, second_ in _pairs(_of_row(row), _of_row(match)):
            told.setdefault((name, first_, second_), []).append(c.called(row))
    for (name, first_, second_), titles in told.items():
        yield Setting("rows", name, first_, second_, () if len(titles) == len(matched) else tuple(titles))
    yield from _differing("package", one.tools, other.tools)
    yield from _differing("machine", {"device": one.device}, {"device": other.device})


def _of_release(results: Results) -> dict[str, object]:
    dataset = results.dataset
    posts = {f"{split} posts": f"{number:,}" for split, number in dataset.posts.items()}
    return {
        "dataset": dataset.name,
        "version": dataset.version,
        **posts,
        "unlabelled posts": f"{dataset.unlabelled:,}",
        "folds": dataset.folds,
    }


def options_of(command: str, dataset: str) -> dict[str, str]:
    """Return the options of a recorded command with their values; those that name places are left out.

    options_of("affectory run m --seeds 3 --balance", "m")     # {"--seeds": "3", "--balance": "given"}
    """
    try:
        words = shlex.split(command)
    except ValueError:  # an apostrophe in a path: quotes weren't recorded
        words = command.split()
    found: dict[str, list[str]] = {}
    name = None
    for word in words:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            name = name.replace("_", "-")
            found[name] = [value] if equals else []
        elif name is not None and word != dataset:
            found[name].append(word)
    return {name: " ".join(values) or "given" for name, values in found.items() if name not in _PLACES}


def _of_row(row: Row) -> dict[str, object]:
    """Return how a row was trained; numbers of seeds, and settings of the model."""
    return {
        "seeds": c.seeds(row),
        "preset": row.preset,
        "tuned": row.tuned,
        "corrected": row.corrected,
        "balanced": row.balanced,
        "select": row.select,
        "backbone": row.backbone,
        "weights": row.weights,
        "squash": row.squash,
        "side": row.side,
        "vectors": row.vectors,
        "text encoder": row.text_encoder,
        **row.settings,
    }


def _differing(kind: str, first: Mapping[str, object], second: Mapping[str, object]) -> Iterator[Setting]:
    for name, one, other in _pairs(first, second):
        yield Setting(kind, name, one, other)


def _pairs(first: Mapping[str, object], second: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """Yield what differs: the name, and both values in words."""
    for name in dict.fromkeys((*first, *second)):
        if first.get(name) != second.get(name):
            yield name, _written(first.get(name)), _written(second.get(name))


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)
