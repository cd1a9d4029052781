"""The papers' figures, as data: one file a paper, and what a row of ours does otherwise.

    paper = figures("reddit-emotion")               # Duong et al. 2017, Reddit; None where no paper has it
    paper.figure("joint", "both").accuracy          # 0.8629
    differences(paper, backbone="mobilenet_v2", weights="d1f2…", vectors=None, dataset=…, counts=…)
        # ("images: mobilenet_v2 where the paper has inception_v3", …)

All scores are fractions, as in `results.schema`. A figure that contradicts another of its own row says
so in `inconsistent`; it is shown with that, and never corrected.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

import msgspec

from baselines.results.schema import Mode

_FILES = ("duong2017.toml", "pagefortin2019.toml", "semimemes2023.toml")


class Printed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One line of a paper's table. `condition` is what training had less or more of than usual."""

    model: str  # our name of it: "joint"
    mode: Mode
    row: str  # the paper's name of it: "Joint fusion"
    table: str | None = None  # "Table 4", where it is known
    condition: str | None = None  # "30% labelled"
    accuracy: float | None = None
    f1_macro: float | None = None
    f1_micro: float | None = None
    f1: float | None = None  # of the positive class
    f1_weighted: float | None = None
    auc: float | None = None
    p: float | None = None  # of the paper's t-test against its next best row
    inconsistent: str | None = None


class _Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    backbone: str
    weights: str
    vectors: str
    split: str
    figures: tuple[Printed, ...]
    releases: dict[str, tuple[str, ...]]
    section: str | None = None
    vectors_file: str | None = None
    negatives: int | None = None
    counts: dict[str, int] = {}
    posts: int | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str
    authors: str
    year: int
    title: str
    published: str
    datasets: tuple[_Dataset, ...]


class Paper(msgspec.Struct, frozen=True):
    """What one paper reports on one dataset, and what it used.

    `vectors_file` is how the published file of its word vectors begins; `negatives` is its common space's g;
    `counts` are its posts by class.
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
    negatives: int | None
    split: str
    posts: int
    counts: dict[str, int]
    figures: tuple[Printed, ...]

    def figure(self, model: str, mode: Mode, condition: str | None = None) -> Printed | None:
        """Return the paper's line for a model in a mode, or None.

        A model with one input is the same with both modalities at hand: "both" finds its one line.
        """
        lines = {
            line.mode: line for line in self.figures if (line.model, line.condition) == (model, condition)
        }
        if mode == "both" and len(lines) == 1:
            return next(iter(lines.values()))
        return lines.get(mode)


@cache
def _papers() -> dict[str, tuple[Paper, tuple[str, ...]]]:
    """Return, by release, the paper and what the release does otherwise by its recipe."""
    found: dict[str, tuple[Paper, tuple[str, ...]]] = {}
    for name in _FILES:
        file = msgspec.toml.decode(resources.files(__package__).joinpath(name).read_bytes(), type=_File)
        for one in file.datasets:
            paper = Paper(
                key=file.key,
                citation=f"{file.authors} {file.year}",
                title=file.title,
                published=file.published,
                dataset=one.name,
                backbone=one.backbone,
                weights=one.weights,
                vectors=one.vectors,
                vectors_file=one.vectors_file,
                negatives=one.negatives,
                split=one.split,
                posts=one.posts or sum(one.counts.values()),
                counts=one.counts,
                figures=one.figures,
            )
            found |= {release: (paper, otherwise) for release, otherwise in one.releases.items()}
    return found


def figures(dataset: str) -> Paper | None:
    """Return what a paper reports on the dataset that this release (`reddit-emotion`) rebuilds, or None."""
    known = _papers().get(dataset)
    return known[0] if known else None


def differences(
    paper: Paper,
    *,
    backbone: str | None,
    weights: str | None,
    vectors: str | None,
    dataset: str,
    counts: Mapping[str, Mapping[str, int]],
    folds: int | None = None,
    finetuned: bool = False,
) -> tuple[str, ...]:
    """Return what a row of ours does otherwise than the paper, as plain sentences; none for a reproduction.

    `backbone`, `weights` and `vectors` are those of a `results.Row`: None where the model doesn't read that
    modality, "random" where it does without a file. `counts` and `folds` are those of `results.Dataset`.
    `finetuned`: the network for images was trained too.
    """
    told = []
    if backbone is not None and backbone != paper.backbone:
        told.append(f"images: {backbone} where the paper has {paper.backbone}")
    if weights == "random":
        told.append(f"images: random weights where the paper has {paper.weights}'s")
    if finetuned:
        told.append("images: a network that was fine-tuned, of which the paper reports no figure")
    ours = (vectors or "").lower()
    if vectors is not None and not (paper.vectors_file and ours.startswith(paper.vectors_file.lower())):
        told.append(f"words: {vectors} where the paper has {paper.vectors}")
    told += _papers().get(dataset, (paper, ()))[1]
    told += _counted(paper, counts)
    if folds:
        told.append(f"split: {folds}-fold cross-validation where the paper has one split: {paper.split}")
    return tuple(told)


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
