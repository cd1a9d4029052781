"""The papers' figures, presets and table layouts, as data: one file a paper.

    [paper] = figures("reddit-emotion")                     # Duong et al. 2017, Reddit
    paper.figure("joint", "both").metrics["accuracy"]       # 0.8629
    paper.preset["joint"]["lr"]                             # 0.01
    differences(paper, row, dataset)
        # ("images: mobilenet_v2 where the paper has inception_v3", …)

All scores are fractions. A figure that contradicts another one of its row says so in `inconsistent`: it is
shown with that, and never corrected.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

from affectory.core.errors import BaselineError
from baselines.results.schema import Condition, Dataset, Row

_FILES = ("duong2017.toml", "pagefortin2019.toml", "semimemes2023.toml")

#: The preset of our own defaults.
OURS = "affectory"

USUAL = Condition()

Value = str | int | float | bool
Settings = dict[str, dict[str, Value]]  # model -> key -> value


class Printed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One line of a paper's table. `source` tells several publications of one work apart ("slides").

    `inconsistent` says why the metrics in `doubtful` can't be right.
    """

    model: str  # our name of it: "joint"
    mode: Literal["both", "image", "text"]
    row: str  # the paper's name of it: "Joint fusion"
    metrics: dict[str, float]
    table: str | None = None  # "Table 4", where it is known
    condition: Condition = Condition()
    source: str = "paper"
    p: float | None = None  # of the paper's t-test against its next best row
    inconsistent: str | None = None
    doubtful: tuple[str, ...] = ()


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a paper: which metrics of which modes it has as columns."""

    name: str  # "Table 4"
    title: str  # "accuracy and F1"
    modes: tuple[str, ...]
    metrics: tuple[str, ...]


class _Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    backbone: str
    weights: str
    vectors: str
    split: str
    figures: tuple[Printed, ...]
    releases: dict[str, tuple[str, ...]]
    vectors_file: str | None = None
    without_vectors: tuple[str, ...] = ()
    preset: Settings = {}
    counts: dict[str, int] = {}
    posts: int | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    key: str
    authors: str
    year: int
    title: str
    published: str
    datasets: tuple[_Dataset, ...]
    tables: tuple[Layout, ...] = ()
    preset: Settings = {}


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """What one paper reports on one dataset, and what it used.

    `preset`: the settings that the paper states, by model, those of this dataset included. `vectors_file`:
    how the published file of its word vectors begins; `without_vectors`: its models without any.
    """

    key: str  # "duong2017"
    citation: str  # "Duong, Lebret, Aberer 2017"
    title: str
    published: str  # "arXiv 1708.02099"
    dataset: str  # "Reddit"
    backbone: str
    weights: str
    vectors: str
    vectors_file: str | None
    without_vectors: tuple[str, ...]
    split: str
    posts: int
    counts: dict[str, int]
    figures: tuple[Printed, ...]
    tables: tuple[Layout, ...]
    preset: Settings
    otherwise: tuple[str, ...]  # what the release does otherwise by its recipe

    def figure(
        self,
        model: str,
        mode: str,
        condition: Condition = USUAL,
        source: str = "paper",
    ) -> Printed | None:
        """Return the paper's line for a model in a mode, or None.

        A model with one input is the same with both modalities: "both" finds its one line.
        """
        lines = {
            line.mode: line
            for line in self.figures
            if (line.model, line.condition, line.source) == (model, condition, source)
        }
        if mode == "both" and len(lines) == 1:
            return next(iter(lines.values()))
        return lines.get(mode)  # type: ignore[call-overload]


@cache
def _files() -> tuple[_File, ...]:
    folder = resources.files(__package__)
    return tuple(msgspec.toml.decode(folder.joinpath(name).read_bytes(), type=_File) for name in _FILES)


@cache
def figures(release: str) -> tuple[Paper, ...]:
    """Return what papers report on the dataset that this release (`reddit-emotion`) rebuilds."""
    return tuple(
        _paper(file, one, release) for file in _files() for one in file.datasets if release in one.releases
    )


def _paper(file: _File, one: _Dataset, release: str) -> Paper:
    models = {*file.preset, *one.preset}
    return Paper(
        key=file.key,
        citation=f"{file.authors} {file.year}",
        title=file.title,
        published=file.published,
        dataset=one.name,
        backbone=one.backbone,
        weights=one.weights,
        vectors=one.vectors,
        vectors_file=one.vectors_file,
        without_vectors=one.without_vectors,
        split=one.split,
        posts=one.posts or sum(one.counts.values()),
        counts=one.counts,
        figures=one.figures,
        tables=file.tables,
        preset={model: file.preset.get(model, {}) | one.preset.get(model, {}) for model in models},
        otherwise=one.releases[release],
    )


def dataset_settings(release: str) -> Settings:
    """Return the settings that papers state for this dataset alone, by model: g of common space fusion."""
    return {
        model: dict(values)
        for file in _files()
        for one in file.datasets
        if release in one.releases
        for model, values in one.preset.items()
    }


def preset(name: str, release: str) -> Settings:
    """Return a preset's settings by model. Raises `BaselineError` where there is none for this release."""
    if name == OURS:
        return dataset_settings(release)
    known = [OURS, *(file.key for file in _files() if file.preset)]
    if name not in known:
        raise BaselineError(f"--preset {name!r} is none: take one of {', '.join(known)}")
    found = next((paper for paper in figures(release) if paper.key == name), None)
    if found is None:
        releases = [name_ for f in _files() if f.key == name for one in f.datasets for name_ in one.releases]
        raise BaselineError(
            f"--preset {name}: the paper has no figures for {release!r}; it has for {', '.join(releases)}"
        )
    return found.preset


def differences(paper: Paper, row: Row, dataset: Dataset) -> tuple[str, ...]:
    """Return what a row does otherwise than the paper, as plain sentences; none for a reproduction."""
    told = []
    if row.backbone is not None and row.backbone != paper.backbone:
        told.append(f"images: {row.backbone} where the paper has {paper.backbone}")
    if row.weights == "random":
        told.append(f"images: random weights where the paper has {paper.weights}'s")
    if row.settings.get("finetune"):
        told.append("images: a network that was fine-tuned, of which the paper reports no figure")
    told += _vectors(paper, row)
    told += paper.otherwise
    told += _counted(paper, dataset.counts)
    if dataset.folds:
        told.append(
            f"split: {dataset.folds}-fold cross-validation where the paper has one split: {paper.split}"
        )
    told += [
        f"{key} = {_written(row.settings[key])} where the paper has {_written(value)}"
        for key, value in paper.preset.get(row.model, {}).items()
        if key in row.settings and row.settings[key] != value
    ]
    return tuple(told)


def _written(value: object) -> str:
    return (
        str(value).lower()
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def _vectors(paper: Paper, row: Row) -> list[str]:
    if row.vectors is None:
        return []
    ours = row.vectors.lower()
    if row.model in paper.without_vectors:
        given = not ours.startswith("random")
        return [f"words: {row.vectors} where the paper names no pretrained vectors"] if given else []
    if paper.vectors_file and ours.startswith(paper.vectors_file.lower()):
        return []
    return [f"words: {row.vectors} where the paper has {paper.vectors}"]


def _counted(paper: Paper, counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return how the posts differ in number."""
    ours: dict[str, int] = {}
    for split in counts.values():
        for name, posts in split.items():
            ours[name] = ours.get(name, 0) + posts
    total = sum(ours.values())
    if total != paper.posts:
        return [f"data: {total:,} posts where the paper has {paper.posts:,}"]
    if paper.counts and ours != paper.counts:
        return [f"data: {total:,} posts as in the paper, but other numbers in the classes"]
    return []
