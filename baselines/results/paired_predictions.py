"""The predictions of two runs, post by post and seed by seed: paired comparisons of their rows.

Each run's `predictions.parquet` has a row a post, model, condition, seed and mode. The runs are paired if the
rows to compare were predicted on the same posts with the same true labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectory.core.errors import BaselineError
from baselines.data.task import task_of
from baselines.results import evaluate
from baselines.results.schema import PREDICTIONS, Dataset, Pair

#: A row by model and condition.
Key = tuple[str, str]

#: A row of a run in a mode.
Place = tuple[Key, str]

_BETWEEN = "\x1f"  # joins what a key is made of


@dataclass(frozen=True, slots=True)
class Paired:
    """Paired comparisons by row and mode, each with its number of seeds.

    `unpaired`: why there are none. `grouped`: whether near-duplicates were resampled together.
    """

    pairs: Mapping[Place, Pair] = field(default_factory=dict)
    seeds: Mapping[Place, int] = field(default_factory=dict)
    unpaired: str = ""
    grouped: bool = True


def compared(
    folders: tuple[Path, Path], datasets: tuple[Dataset, Dataset], wanted: Sequence[Place]
) -> Paired:
    """Compare rows of two runs by the paired bootstrap over seeds and posts.

    Raises `BaselineError` for a file that isn't one of predictions.
    """
    if not wanted:
        return Paired(unpaired="no row is in both runs")
    for number, folder in enumerate(folders, 1):
        if not (folder / "predictions.parquet").is_file():
            return Paired(unpaired=f"run {number} has no predictions.parquet")
    ours, theirs = (_read(folder, dataset, wanted) for folder, dataset in zip(folders, datasets, strict=True))
    if why := _unlike(ours, theirs):
        return Paired(unpaired=why)
    first, second = datasets
    task = task_of(first.task, first.labels)
    order = [second.labels.index(name) for name in first.labels]
    sides, seeds = [], {}
    for number, (key, mode) in enumerate(wanted):
        mine, its = ours.answers.get((key, mode), {}), theirs.answers.get((key, mode), {})
        if both := sorted(mine.keys() & its.keys()):
            seeds[key, mode] = len(both)
            of_both = [mine[seed] for seed in both], [its[seed][:, order] for seed in both]
            sides.append(evaluate.Sides(number, len(wanted) + number, mode, *of_both))
    groups = ours.groups if ours.groups is not None else theirs.groups
    found = evaluate.compared(sides, task.target(ours.labels), ours.posts if groups is None else groups, task)
    pairs = {wanted[pair.first]: pair for pair in found}
    return Paired(pairs, seeds, grouped=groups is not None)


@dataclass(frozen=True)
class _Predictions:
    """Probabilities by row, mode and seed, float[n, C], of n posts in the order of their keys.

    `posts`: each row's post; `groups`: None where the file is of a version without them.
    """

    keys: list[str]
    labels: list[list[str]]
    posts: NDArray[Any]
    groups: NDArray[Any] | None
    answers: dict[Place, dict[int, Tensor]]


#: The columns that each row of a file has a value in; `group` came later.
_FILLED = ("post_id", "labels", "model", "condition", "seed", "mode", "probabilities")


def _table(path: Path) -> tuple[pa.Table, set[str]]:
    """Return the rows of a file as `PREDICTIONS` types them, and the names of its columns.

    Raises `KeyError` or an exception of pyarrow if it has other columns, types or holes.
    """
    there = set(pq.read_schema(path).names)
    kinds = pa.schema([one for one in PREDICTIONS if one.name in there])
    table = pq.read_table(path, columns=kinds.names).cast(kinds)
    if holes := [name for name in _FILLED if table[name].null_count]:
        raise pa.ArrowInvalid(f"{holes[0]!r} is missing in some rows")
    return table, there


def _read(folder: Path, dataset: Dataset, wanted: Sequence[Place]) -> _Predictions:
    path = folder / "predictions.parquet"
    try:
        table, there = _table(path)
        images = pc.cast(pc.fill_null(table["image_index"], 0), pa.string())
        keys = pc.binary_join_element_wise(table["post_id"], images, _BETWEEN).combine_chunks()
        width = len(dataset.labels)
        flat = table["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        probabilities = torch.from_numpy(flat.copy()).reshape(len(table), width)
        named = ("model", "condition", "mode", "seed")
        places = zip(*(table[name].to_pylist() for name in named), strict=True)
    except (OSError, KeyError, pa.ArrowException, RuntimeError) as error:
        raise BaselineError(
            f"{str(path)!r} can't be read ({str(error).partition(chr(10))[0]}): repeat the run's command"
        ) from None
    by_place: dict[tuple[Place, int], list[int]] = {}
    only = set(wanted)
    for number, (model, condition, mode, seed) in enumerate(places):
        if (place := ((model, condition), mode)) in only:
            by_place.setdefault((place, seed), []).append(number)
    names = np.asarray(keys.to_pylist(), dtype=object)
    answers: dict[Place, dict[int, Tensor]] = {}
    posts: NDArray[np.int64] = np.zeros(0, np.int64)
    for (place, seed), numbers in by_place.items():
        rows = np.asarray(numbers)
        rows = rows[np.argsort(names[rows])]
        if answers and not np.array_equal(names[rows], names[posts]):
            raise BaselineError(f"{str(path)!r} has other posts in some rows: repeat the run's command")
        if len(np.unique(names[rows])) < len(rows):
            raise BaselineError(f"{str(path)!r} has some predictions twice: repeat the run's command")
        posts = rows
        answers.setdefault(place, {})[seed] = probabilities[torch.from_numpy(rows)]
    held = table.take(pa.array(posts))
    labels = held["labels"].to_pylist()
    if unknown := {label for one in labels for label in one} - {*dataset.labels}:
        raise BaselineError(
            f"{str(path)!r} has a label {min(map(repr, unknown))} that results.json lacks: repeat the run's "
            "command"
        )
    has_groups = "group" in there and not held["group"].null_count
    return _Predictions(
        names[posts].tolist(),
        [sorted(one) for one in labels],
        np.asarray(held["post_id"].to_pylist()),
        np.asarray(held["group"].to_pylist()) if has_groups else None,
        answers,
    )


def _unlike(ours: _Predictions, theirs: _Predictions) -> str:
    """Return why two runs can't be paired; "" if they can."""
    mine, its = set(ours.keys), set(theirs.keys)
    if not mine or not its:
        return f"run {2 if mine else 1} has no predictions of these rows"
    if mine != its:
        return (
            f"{len(mine - its):,} of the {len(mine):,} test posts of run 1 and {len(its - mine):,} of the "
            f"{len(its):,} of run 2 are in that run alone"
        )
    if apart := sum(one != other for one, other in zip(ours.labels, theirs.labels, strict=True)):
        return f"the labels of {apart:,} of the {len(mine):,} test posts differ"
    return ""
