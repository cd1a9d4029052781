"""The papers' figures, presets and table layouts, as data: one file a paper.

    [paper] = figures("reddit-emotion")                     # Duong et al. 2017, Reddit
    paper.figure("joint", "both").metrics["accuracy"]       # Decimal("0.8629")
    paper.preset["joint"]["lr"]                             # 0.01

All scores are fractions, decimals with the digits that the paper prints. A figure that contradicts another
one of its row says so in `inconsistent`: it is shown with that, and never corrected.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

from affectory.core.errors import BaselineError, meant
from baselines.results.schema import USUAL, Condition

_FILES = ("duong2017.toml", "pagefortin2019.toml", "semimemes2023.toml")

#: The preset of our own defaults.
OURS = "affectory"

Value = str | int | float | bool
Settings = dict[str, dict[str, Value]]  # model -> key -> value

#: model -> key -> value, or values by the share of labelled posts: "0.3".
Compared = dict[str, dict[str, Value | dict[str, float]]]


class Printed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One line of a paper's table. `source` tells several publications of one work apart ("slides").

    `inconsistent` says why the metrics in `doubtful` can't all be right. `remark` says what else a reader has
    to know. `recall`: of single classes, where the paper tells it.
    """

    model: str  # our name of it: "joint"
    mode: Literal["both", "image", "text"]
    row: str  # the paper's name of it: "Joint fusion"
    metrics: dict[str, Decimal]
    table: str | None = None  # "Table 4", where it is known
    condition: Condition = USUAL
    source: str = "paper"
    p: float | None = None  # of the paper's t-test against its next best row
    inconsistent: str | None = None
    doubtful: tuple[str, ...] = ()
    remark: str | None = None
    recall: dict[str, Decimal] = {}


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table: which rows it has, and which metrics of which modes.

    `name` is "" where the paper's is unknown. `rows`: "usual" leaves out those trained with unpaired posts;
    "unpaired" has the models that were trained with and without them, in both conditions. `lines`: "by row"
    has each mode as columns; "by mode" has one set of columns, and a line for each mode of a row that has a
    name of its own ("SM_I"). `columns`: "by condition" has one line for each model, and a column for each
    condition of its rows ("30% labelled"). `models`: the only ones that it has; the first is what the others
    are compared with, and doesn't stand alone. `without`: those that it leaves to another table.
    """

    name: str  # "Table 4"
    title: str  # "accuracy and F1"
    modes: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: Literal["all", "usual", "unpaired"] = "all"
    lines: Literal["by row", "by mode"] = "by row"
    columns: Literal["by metric", "by condition"] = "by metric"
    models: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class ImageNetwork(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A paper's image network, and what its weights were trained on: "resnet18", "ImageNet".

    `squash`: whether images were squashed to its square input; `side`: that of the square, where it isn't the
    network's own.
    """

    name: str
    weights: str
    squash: bool = False
    side: int | None = None


class _Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    backbone: str
    weights: str
    split: str
    figures: tuple[Printed, ...]
    releases: dict[str, tuple[str, ...]]
    task: Literal["single", "several"] = "single"
    squash: bool = False
    backbones: dict[str, ImageNetwork] = {}
    finetuned: tuple[str, ...] = ()
    text_encoder: str | None = None
    text_encoders: dict[str, str] = {}
    vectors: str | None = None
    vectors_file: str | None = None
    without_vectors: tuple[str, ...] = ()
    preset: Settings = {}
    tables: tuple[Layout, ...] = ()
    labels: tuple[str, ...] = ()
    counts: dict[str, int] = {}
    unpaired: dict[str, int] = {}
    posts: int | None = None
    remarks: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    key: str
    authors: str
    year: int
    title: str
    published: str
    datasets: tuple[_Dataset, ...]
    tables: tuple[Layout, ...] = ()
    preset: Settings = {}
    compared: Compared = {}
    sources: dict[str, str] = {}
    by_mode: tuple[str, ...] = ()


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """What one paper reports on one dataset, and what it used.

    `preset`: the settings that the paper states, by model, those of this dataset included. `compared`: what
    it states of settings that a preset can't hold, as they follow from others or from the share of labelled
    posts where they are none. `backbones`: the image networks of models that don't have `backbone`.
    `finetuned`: its models that train their image network too. `text_encoder`: its frozen text network;
    `text_encoders`: those of models with another. `vectors_file`: how the published file of its word vectors
    begins; `without_vectors`: its models without any. `unpaired`: its image-only and text-only posts.
    """

    key: str  # "duong2017"
    citation: str  # "Duong, Lebret, Aberer 2017"
    title: str
    published: str  # "arXiv 1708.02099"
    dataset: str  # "Reddit"
    task: str  # "single"
    backbone: str
    squash: bool
    backbones: dict[str, ImageNetwork]
    finetuned: tuple[str, ...]
    weights: str
    text_encoder: str | None
    text_encoders: dict[str, str]
    vectors: str | None
    vectors_file: str | None
    without_vectors: tuple[str, ...]
    split: str
    posts: int
    labels: tuple[str, ...]
    counts: dict[str, int]
    unpaired: dict[str, int]
    figures: tuple[Printed, ...]
    sources: dict[str, str]  # by the name of a source what is to be cited; of several publications only
    tables: tuple[Layout, ...]
    preset: Settings
    compared: Compared
    otherwise: tuple[str, ...]  # what the release does otherwise by its recipe
    remarks: tuple[str, ...]  # what is inferred of the paper, and its slips

    def figure(
        self,
        model: str,
        mode: str,
        condition: Condition = USUAL,
        source: str = "paper",
    ) -> Printed | None:
        """Return the paper's line for a model in a mode, or None.

        A model with one input is the same with both modalities: "both" finds the line of its input.
        """
        modes = {line.mode for line in self.figures if line.model == model}
        if mode == "both" and len(modes) == 1:
            mode = next(iter(modes))
        wanted = model, mode, condition, source
        known = (x for x in self.figures if (x.model, x.mode, x.condition, x.source) == wanted)
        return next(known, None)


@cache
def _files() -> tuple[_File, ...]:
    folder = resources.files(__package__).joinpath("papers")
    texts = [folder.joinpath(name).read_text(encoding="utf-8") for name in _FILES]
    return tuple(msgspec.convert(tomllib.loads(text, parse_float=Decimal), _File) for text in texts)


@cache
def figures(release: str) -> tuple[Paper, ...]:
    """Return what papers report on the dataset that this release (`reddit-emotion`) rebuilds."""
    return tuple(
        _paper(file, one, release) for file in _files() for one in file.datasets if release in one.releases
    )


def layouts(key: str) -> tuple[Layout, ...]:
    """Return the tables of a paper (`duong2017`), for a release on which it doesn't report."""
    return next((file.tables for file in _files() if file.key == key), ())


def shown_by_mode(key: str) -> tuple[str, ...]:
    """Return the models of which a paper (`pagefortin2019`) shows what each mode answers, post by post."""
    return next((file.by_mode for file in _files() if file.key == key), ())


def _paper(file: _File, one: _Dataset, release: str) -> Paper:
    models = {*file.preset, *one.preset}
    return Paper(
        key=file.key,
        citation=f"{file.authors} {file.year}",
        title=file.title,
        published=file.published,
        dataset=one.name,
        task=one.task,
        backbone=one.backbone,
        squash=one.squash,
        backbones=one.backbones,
        finetuned=one.finetuned,
        text_encoder=one.text_encoder,
        text_encoders=one.text_encoders,
        weights=one.weights,
        vectors=one.vectors,
        vectors_file=one.vectors_file,
        without_vectors=one.without_vectors,
        split=one.split,
        posts=one.posts or sum(one.counts.values()),
        labels=one.labels or tuple(one.counts),
        counts=one.counts,
        unpaired=one.unpaired,
        figures=one.figures,
        sources=file.sources,
        tables=one.tables or file.tables,
        preset={model: file.preset.get(model, {}) | one.preset.get(model, {}) for model in models},
        compared=file.compared,
        otherwise=one.releases[release],
        remarks=one.remarks,
    )


def stated(model: str) -> Settings:
    """Return the settings of a model that papers state for all datasets, by the name of the preset."""
    return {file.key: file.preset[model] for file in _files() if model in file.preset}


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
        raise BaselineError(f"there is no --preset {name!r}; {meant(name, known)}")
    found = next((paper for paper in figures(release) if paper.key == name), None)
    if found is None:
        releases = [name_ for f in _files() if f.key == name for one in f.datasets for name_ in one.releases]
        raise BaselineError(
            f"--preset {name}: the paper has no figures for {release!r}; it has for {', '.join(releases)}"
        )
    return found.preset
