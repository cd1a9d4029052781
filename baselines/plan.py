"""What a run trains: its set-up, its rows, and for each row the posts that its networks learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from affectory.encoders.text.frozen import FrozenText
from affectory.encoders.text.vectors import WordVectors
from baselines.data import inputs, subsets
from baselines.data.aim import Select
from baselines.data.encoders import ImageEncoder
from baselines.data.inputs import Data
from baselines.data.masks import Masks
from baselines.data.release import Part, Release
from baselines.data.samplers import Unknown, no_unlabelled
from baselines.data.subsets import LabelMask, Need, PairMask
from baselines.models import registry
from baselines.models.base import Spec, Stage
from baselines.models.settings import ModelSettings
from baselines.results.schema import USUAL, Condition, LeftOut
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
    masks: Masks | None = None  # which posts lack a modality; then each model learns from all it can read
    epochs: Path | None = None  # the folder that says how far networks are while they train
    gaps: Mapping[Key, str] = field(default_factory=dict)  # rows that can't be trained, with the reason

    @property
    def rows(self) -> tuple[Key, ...]:
        """What has a row of its own: each model in each condition that concerns it, without the gaps."""
        return tuple(
            (model, condition)
            for condition in self.conditions
            for model in self.models
            if concerns(condition, model) and (model, condition) not in self.gaps
        )


def needed(models: Sequence[str]) -> list[str]:
    """Return the models to train for these, in the registry's order: a combined row needs its two parts."""
    wanted: set[str] = set()
    for model in models:
        made_of = registry.spec(model).made_of
        wanted |= {model} if made_of is None else set(needed([made_of.first, made_of.second]))
    return [model for model in registry.MODELS if model in wanted]


def trainable(
    release: Release, models: Sequence[str], *, finetune: bool = False, hides_labels: bool = False
) -> tuple[tuple[str, ...], tuple[LeftOut, ...]]:
    """Return the models that can be trained on a release, and the others with the reason.

    `hides_labels`: every network learns from a share of the labels, so that there are unlabelled posts.
    """
    train = release.parts["train"]
    unknown = train.take(np.flatnonzero(~train.labelled))
    there = {"image": release.has_images, "text": release.has_texts}
    left_out: dict[str, str] = {}
    for model in models:
        spec = registry.spec(model)
        if missing := [modality for modality in spec.reads if not there[modality]]:
            left_out[model] = f"{release.name} {release.version} has no {missing[0]}s"
        elif release.task.kind not in spec.tasks:
            left_out[model] = f"it can't be trained on {release.task.kind} labels a post"
        elif finetune and "image" in spec.inputs and len(_stages(spec)) > 1:
            left_out[model] = "--finetune trains the last stage alone, and it is pretrained in another"
        elif not hides_labels and (wanted := _unlabelled(spec, unknown)):
            left_out[model] = no_unlabelled(wanted)
    kept = tuple(model for model in models if model not in left_out)
    return kept, tuple(LeftOut(model, reason) for model, reason in left_out.items())


def _stages(spec: Spec) -> Sequence[Stage]:
    """Return a model's stages of training with its own settings."""
    return spec.stages(spec.settings()) if spec.stages and spec.settings else ()


def _unlabelled(spec: Spec, unknown: Part) -> Unknown | None:
    """Return what a model needs and `unknown`, the unlabelled training posts, haven't; None if nothing."""
    pairs = (unknown.digests != "") & (unknown.texts != "")
    for stage in _stages(spec):
        wanted: Unknown | None = getattr(stage.sampler, "unlabelled", None)
        if wanted and not (len(unknown) if wanted == "post" else pairs.any()):
            return wanted
    return None


def concerns(condition: Condition, model: str) -> bool:
    """Return whether a model's training differs by a condition, so that it has a row of its own.

    Pairs and unpaired posts concern the models that read the latter, a missing modality those that read it.
    """
    if condition.missing:
        return condition.missing in registry.spec(model).reads
    return not _on_pairs(condition) or registry.spec(model).posts == "both ways"


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
            # Shares of the pairs, and of posts without a modality, are compared at equal settings.
            judged = USUAL if condition.labelled is None else condition
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
                setup.epochs,
            )
            found.append(Training(ask, one.release, one.mask))
        if found:
            yield found


def _posts(release: Release, condition: Condition, setup: Setup) -> Iterator[_Posts]:
    """Yield the training posts of a condition."""
    if setup.masks is not None:
        yield from _left(release, condition, setup, setup.masks)
        return
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


def _left(release: Release, condition: Condition, setup: Setup, masks: Masks) -> Iterator[_Posts]:
    """Yield for each kind of model the training and validation posts that it can read after the losses."""
    by_need: dict[Need, list[str]] = {}
    for model in needed([model for model, of in setup.rows if of == condition]):
        if concerns(condition, model):  # of a combined row only the part that reads what is missing
            by_need.setdefault(need(release, model), []).append(model)
    for seeds in [setup.seeds] if condition == USUAL else [(seed,) for seed in setup.seeds]:
        left = with_losses(release, condition, masks, seeds[0])
        for own, models in by_need.items():
            yield _Posts(subsets.readable(left, own), tuple(models), seeds)


def with_losses(release: Release, condition: Condition, masks: Masks, seed: int) -> Release:
    """Return a release whose training and validation posts lack what a condition says."""
    if not condition.missing:
        return release
    return masks.without(release, condition.missing, condition.rate, seed, ("train", "validation"))


def need(release: Release, model: str) -> Need:
    """Return what a model needs of a training post. A release of one modality has no pairs."""
    spec = registry.spec(model)
    if spec.posts == "pairs" and release.has_images and release.has_texts:
        return "pairs"
    return spec.reads[0] if len(spec.reads) == 1 else "any"


def gaps(
    release: Release,
    models: Sequence[str],
    conditions: Sequence[Condition],
    masks: Masks,
    seeds: Sequence[int],
) -> dict[Key, str]:
    """Return the rows that can't be trained, each with the reason, in some seed."""
    found: dict[Key, str] = {}
    for condition in conditions:
        concerned = [model for model in needed(models) if concerns(condition, model)]
        for seed in seeds[:1] if condition == USUAL else seeds:
            left = with_losses(release, condition, masks, seed)
            needs = {need(release, model) for model in concerned}
            obstacles = {own: subsets.obstacle(left, own) for own in needs}
            for model in concerned:
                if why := obstacles[need(release, model)]:
                    found.setdefault((model, condition), why)
        for model in models:
            made_of = registry.spec(model).made_of
            for part in (made_of.first, made_of.second) if made_of else ():
                if (part, condition) in found:
                    found.setdefault((model, condition), f"its part {part}: {found[part, condition]}")
    return found


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
