"""The headline of a run: its best row, and what chance gets.

headline.best(results).title          # "Joint fusion (max)"
headline.chance(results)              # [("always 'joy'", 0.345), ("a uniform guess", 0.25)]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from baselines.results import comparison as c
from baselines.results.formatting import in_sentence, number
from baselines.results.published import OURS
from baselines.results.schema import Dataset, Figure, Results, Trivial


@dataclass(frozen=True, slots=True)
class Best:
    """The row with the highest headline metric, with all its inputs. `cell`: with the papers' figures."""

    title: str
    figure: Figure
    cell: c.Cell
    percent: bool
    qualified: bool  # whether a condition or a preset is part of the title


def best(results: Results) -> Best | None:
    """Return the best row. One of which a seed answers every post alike is none."""
    found: Best | None = None
    for table in c.tables(results):
        for i, column in enumerate(table.columns):
            if column.metric != c.headline(results):
                continue
            for line in table.lines:
                cell = line.cells[i]
                if cell.row is None or cell.ours is None or cell.collapsed:
                    continue
                if (column.mode or line.mode) not in ("both", c.single(cell.row)):
                    continue
                if found is None or cell.ours.mean > found.figure.mean:
                    title = c.title(results, cell.row, line.mode)
                    qualified = bool(cell.row.condition.text or cell.row.preset != OURS)
                    found = Best(title, cell.ours, cell, column.percent, qualified)
    return found


def finished(results: Results) -> bool:
    """Return whether a row has a score with all its inputs."""
    return any(row.modes for row in results.rows)


def chance(dataset: Dataset, trivial: Trivial, metric: str) -> list[tuple[str, float]]:
    """Return what predictions that read no post get on the test posts: the trivial one, and a uniform one."""
    found = []
    if (value := trivial.metrics.get(metric)) is not None:
        found.append((f"{trivial.title[0].lower()}{trivial.title[1:]}", value))
    if (uniform := _uniform(dataset, metric)) is not None:
        told = "a uniform guess" if dataset.task == "single" else "a coin toss for each label"
        found.append((told, uniform))
    return found


def on_chance(dataset: Dataset, trivial: Trivial, metrics: Mapping[str, str], metric: str) -> str:
    """Return "By chance: always 'joy' 34.5%, a uniform guess 25.0%."."""
    percent = metrics[metric].endswith("%")
    told = [
        f"{name} {number(value, percent=percent)}{'%' * percent}"
        for name, value in chance(dataset, trivial, metric)
    ]
    return f"By chance: {', '.join(told)}." if told else ""


def named(metrics: Mapping[str, str], metric: str) -> str:
    """Return a metric as a sentence has it: "accuracy", "F1 weighted"."""
    return in_sentence(metrics[metric].removesuffix(" %"))


def _uniform(dataset: Dataset, metric: str) -> float | None:
    """Return the score that guesses expect for which all classes, or both sides of each label, are as likely.

    Of F1 it is that of the expected counts. None for other metrics than those of the headline.
    """
    if metric == "accuracy" and dataset.task == "single":
        return 1 / len(dataset.labels)
    if metric == "f1_weighted" and dataset.task == "several":
        posts = c.tests(dataset)
        splits = dataset.counts.values() if dataset.folds else [dataset.counts.get("test", {})]
        held = [sum(split.get(name, 0) for split in splits) for name in dataset.labels]
        if posts and sum(held):
            each = [n * (_f1(n, posts) + _f1(posts - n, posts)) / 2 for n in held]
            return sum(each) / sum(held)
    return None


def _f1(positives: int, posts: int) -> float:
    """Return the F1 of the expected counts, where half of all posts are predicted at random."""
    return positives / (positives + posts / 2)
