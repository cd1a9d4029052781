"""What a run trains: its set-up, its rows, and for each row the posts that its networks learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from affectory.encoders.text.frozen import FrozenText
from affectory.encoders.text.vectors import WordVectors
from baselines.data import inputs, subsets
from baselines.data.aim import Select
from baselines.data.encoders import ImageEncoder
from baselines.data.inputs import Data
from baselines.data.release import Release
from baselines.data.subsets import LabelMask, PairMask
from baselines.models import registry
from baselines.models.settings import ModelSettings
from baselines.results.schema import USUAL, Condition
from baselines.training.checkpoint import Checkpoint, Source
from baselines.training.finetune_runs import Finetuning
from baselines.training.trainer import Ask

#: Gives the settings of models for some inputs, a fold, and a condition.
Choose = Callable[[Data, int | None, Sequence[str], Condition], Mapping[str, ModelSettings]]

#: A row of the table: a model in a condition.
Key = tuple[str, Condition]


@dataclass(frozen=True)
class Setup:
    """What an experiment is made with."""

    models: tuple[str, ...]
    seeds: tuple[int, ...]
    images: Mapping[str, ImageEncoder]  # frozen features by input
    texts: Mapping[str, FrozenText]
    vectors: WordVectors | None
    width: int
    sources: Mapping[str, Source]  # where image features come from, by input
    device: torch.device
    folder: Path
    preset: str
    tuned: bool
    choose: Choose
    conditions: tuple[Condition, ...] = (USUAL,)
    stratified: bool = False  # whether shares of the labels are drawn within each set of labels
    corrected: bool = True  # whether answers to one modality of two are corrected on validation posts
    balance: bool = False  # whether classes weigh alike in training
    select: Select | None = None  # the validation score that chooses epochs and settings
    tell: Callable[[int | None, Checkpoint, bool], None] = lambda fold, one, known: None
    finetuning: Finetuning | None = None

    @property
    def rows(self) -> tuple[Key, ...]:
        """What has a row of its own: each model in each condition, of unpaired posts those that read them."""
        return tuple(
            (model, condition)
            for condition in self.conditions
            for model in self.models
            if not _on_pairs(condition) or registry.spec(model).posts == "both ways"
        )


def needed(models: Sequence[str]) -> list[str]:
    """Return the models to train for these, in the registry's order: a combined row needs its two parts."""
    wanted: set[str] = set()
    for model in models:
        made_of = registry.spec(model).made_of
        wanted |= {model} if made_of is None else set(needed([made_of.first, made_of.second]))
    return [model for model in registry.MODELS if model in wanted]


def _on_pairs(condition: Condition) -> bool:
    """Return whether a condition is about which posts have image and text."""
    return condition.pairs is not None or condition.unpaired


@dataclass(frozen=True)
class Training:
    """An ask, the release with the training posts of its condition, and how these were drawn."""

    ask: Ask
    release: Release
    mask: PairMask | LabelMask | None = None


@dataclass(frozen=True)
class _Posts:
    """Training posts, and the models and seeds that learn from them."""

    release: Release
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    mask: PairMask | LabelMask | None = None


def trainings(release: Release, number: int | None, setup: Setup) -> Iterator[list[Training]]:
    """Yield what is trained on a fold, condition by condition: the posts of one fit into memory together.

    Each seed draws posts of its own, so that an interval over seeds includes the choice of pairs or labels.
    """
    settings: dict[tuple[str, Condition], ModelSettings] = {}
    for condition in setup.conditions:
        found: list[Training] = []
        for one in _posts(release, condition, setup):
            wanted = {name for model in one.models for name in registry.spec(model).inputs}
            data = inputs.prepare(one.release, wanted, setup.images, setup.vectors, setup.width, setup.texts)
            data = data.aimed(balance=setup.balance, select=setup.select)
            # Shares of the pairs are compared at equal settings: those of all pairs.
            judged = USUAL if _on_pairs(condition) else condition
            unknown = [model for model in one.models if (model, judged) not in settings]
            if unknown:
                chosen = setup.choose(data, number, unknown, judged)
                settings |= {(model, judged): chosen[model] for model in unknown}
            ask = Ask(
                data,
                {model: settings[model, judged] for model in one.models},
                one.seeds,
                setup.folder,
                setup.sources,
                setup.device,
                number,
                release.generated,
                condition,
                setup.corrected,
            )
            found.append(Training(ask, one.release, one.mask))
        yield found


def _posts(release: Release, condition: Condition, setup: Setup) -> Iterator[_Posts]:
    """Yield the training posts of a condition."""
    every = needed(setup.models)
    both_ways = tuple(model for model in every if registry.spec(model).posts == "both ways")
    if condition.pairs is not None:
        for seed in setup.seeds:
            mask = subsets.drawn_pairs(release, condition.pairs, seed)
            posts = subsets.with_pairs(release, mask, unpaired=condition.unpaired)
            yield _Posts(posts, both_ways, (seed,), mask)
    elif condition.unpaired:
        yield _Posts(subsets.judged_on_pairs(release), both_ways, setup.seeds)
    elif condition.labelled is not None:
        for seed in setup.seeds:
            drawn = subsets.drawn_labels(release, condition.labelled, seed, stratified=setup.stratified)
            yield from _by_kind(subsets.with_labels(release, drawn), every, (seed,), drawn)
    else:
        yield from _by_kind(release, every, setup.seeds, None)


def _by_kind(
    release: Release, models: Sequence[str], seeds: tuple[int, ...], mask: LabelMask | None
) -> Iterator[_Posts]:
    """Yield all posts for the models that read all, and the pairs for the others."""
    of_pairs = [model for model in models if registry.spec(model).posts != "all"]
    if not (release.has_images and release.has_texts and subsets.has_unpaired(release)):
        of_pairs = []  # all are pairs, or none: then a model of one modality has what it reads
    if rest := tuple(model for model in models if model not in of_pairs):
        yield _Posts(release, rest, seeds, mask)
    if of_pairs:
        yield _Posts(subsets.pairs_only(release), tuple(of_pairs), seeds, mask)
