"""One experiment: a release (or its folds), models, seeds; from inputs to the rows of a table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from baselines import plan
from baselines.data import inputs, subsets
from baselines.data.aim import Select
from baselines.data.batch import MODES, Batch, Mode
from baselines.data.encoders import ImageEncoder
from baselines.data.inputs import Data
from baselines.data.release import Part, Release
from baselines.models import registry
from baselines.models.settings import ModelSettings, Value, as_values
from baselines.plan import Key, Setup
from baselines.results import evaluate
from baselines.results.schema import PREDICTIONS, USUAL, Pair, Row, Scores, Stopped
from baselines.training import trainer
from baselines.training.checkpoint import Checkpoint
from baselines.training.finetune_runs import Finetuning


@dataclass
class Fold:
    """What one fold (or the release as it is split) gave. Networks and probabilities are known by row."""

    number: int | None
    release: Release
    settings: Mapping[Key, ModelSettings]
    networks: dict[Key, list[Checkpoint]]
    probabilities: dict[tuple[Key, int, Mode], Tensor]  # row, seed, mode -> float[n, C]
    data: Data = field(repr=False)
    masks: tuple[subsets.PairMask | subsets.LabelMask, ...] = ()

    @property
    def test(self) -> Part:
        """The test posts."""
        return self.release.parts["test"]


@dataclass
class Trained:
    """What training on one fold gave: networks by seed and settings by row, masks, and its first inputs."""

    data: Data
    networks: dict[Key, list[Checkpoint]] = field(default_factory=dict)
    settings: dict[Key, ModelSettings] = field(default_factory=dict)
    masks: list[subsets.PairMask | subsets.LabelMask] = field(default_factory=list)


def train(release: Release, number: int | None, setup: Setup) -> Trained:
    """Train the models on one fold, condition by condition."""

    def tell(one: Checkpoint, known: bool) -> None:
        setup.tell(number, one, known)

    found: Trained | None = None
    for planned in plan.trainings(release, number, setup):
        asks = [one.ask for one in planned]
        found = found or Trained(asks[0].data)
        if setup.finetuning:
            each = [setup.finetuning.train_all(one.ask, one.release, tell) for one in planned]
        else:
            each = trainer.train_many(asks, tell)
        condition = asks[0].condition
        trained: dict[str, list[Checkpoint]] = {}
        for one, by_model in zip(planned, each, strict=True):
            found.settings |= {(model, condition): value for model, value in one.ask.settings.items()}
            found.masks += [one.mask] if one.mask else []
            for model, by_seed in by_model.items():
                trained.setdefault(model, []).extend(by_seed)
        rows = [model for model, of in setup.rows if of == condition]
        # A part that the condition doesn't concern is that of the usual one.
        usual = {model: by_seed for (model, of), by_seed in found.networks.items() if of == USUAL}
        judged = (
            None if setup.finetuning else PartPosts(release, setup, planned[0].release.parts["validation"])
        )
        trained |= trainer.combined(asks[0], rows, usual | trained, judged)
        found.networks |= {(model, condition): by_seed for model, by_seed in trained.items()}
    assert found is not None  # there is always a condition
    return found


def fold(release: Release, number: int | None, setup: Setup) -> Fold:
    """Train and apply the models on one fold. The test posts are looked at here, once, and nowhere before."""
    trained = train(release, number, setup)
    posts = PartPosts(release, setup)
    found: dict[tuple[Key, int, Mode], Tensor] = {}
    for row in setup.rows:
        for one in trained.networks[row]:
            for mode in () if one.problem else registry.spec(row[0]).modes:
                found[row, one.seed, mode] = release.task.probabilities(one.logits(posts, mode))
    masks = tuple(dict.fromkeys(trained.masks))  # one stands at all trainings on its posts
    return Fold(number, release, trained.settings, trained.networks, found, trained.data, masks)


class PartPosts:
    """The posts of a part, by default the test part, as each network reads them.

    What two networks read alike is encoded once.
    """

    def __init__(self, release: Release, setup: Setup, part: Part | None = None) -> None:
        self.release, self.setup = release, setup
        self.part = release.parts["test"] if part is None else part
        self._encoded: dict[tuple[str, str], Tensor] = {}

    def __call__(self, one: Checkpoint) -> Batch:
        """Return the posts with the inputs of a network."""
        encoders = one.loaded_encoders()
        found = inputs.batch(self.part, {})
        for name, encoder in encoders.items():
            if encoder.modality == "image":
                features = self._images(one, name).of(self.part)
                found.inputs[name] = torch.from_numpy(features)
                continue
            key = name, _digest(one.encoders[name])
            if key not in self._encoded:
                self._encoded[key] = torch.from_numpy(encoder.encode(self.part.texts.tolist()))
            found.inputs[name] = self._encoded[key]
        return found

    def _images(self, one: Checkpoint, name: str) -> ImageEncoder:
        """Return the features of the test images, by the image network that was trained with this one."""
        if self.setup.finetuning is not None and name == "image":
            return self.setup.finetuning.images(one, self.release)
        return self.setup.images[name]


def _digest(state: Any) -> str:
    """Return a digest of an encoder's state: tensors by all their numbers."""

    def told(value: Any) -> Any:
        if isinstance(value, Tensor):
            return hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()
        if isinstance(value, Mapping):
            return {key: told(one) for key, one in value.items()}
        return [told(one) for one in value] if isinstance(value, (list, tuple)) else value

    return hashlib.sha256(repr(told(state)).encode()).hexdigest()


def rows(folds: Sequence[Fold], setup: Setup) -> list[Row]:
    """Return the table's rows: each seed's score is over the test posts of all folds."""
    return [_row(row, folds, setup) for row in setup.rows]


def _row(row: Key, folds: Sequence[Fold], setup: Setup) -> Row:
    model, condition = row
    spec = registry.spec(model)
    networks = [one for fold in folds for one in fold.networks[row]]
    by_mode: dict[str, Scores] = {}
    for mode in spec.modes:
        if by_seed := whole(folds, row, mode, setup.seeds):
            by_mode[mode] = evaluate.scores(by_seed, targets(folds), groups(folds), folds[0].release.task)
    stopped = {one.seed: one.problem for one in networks if one.problem}
    read = [name for part in plan.needed([model]) for name in registry.spec(part).inputs]
    source = next((setup.sources[name] for name in read if name in setup.sources), None)
    features = source if source and source.reading == "features" else None
    text = next((setup.texts[name] for name in read if name in setup.texts), None)
    return Row(
        model=model,
        title=spec.title(folds[0].settings.get(row)),
        family=registry.entry(model).family,
        condition=condition,
        names={str(mode): name for mode, name in spec.names.items()},
        modes=by_mode,
        settings=settings_of(row, folds, setup.finetuning),
        preset=setup.preset,
        tuned=setup.tuned,
        corrected=any(one.corrections for one in networks),
        balanced=setup.balance,
        select=_select(model, setup),
        seconds=sum(one.seconds for one in networks),
        backbone=source.name if source else None,
        weights=source.digest if source else None,
        squash=features.squash if features else None,
        side=features.side if features else None,
        vectors=_vectors(networks[0], folds[0].data),
        text_encoder=f"{text.name} {text.digest}" if text else None,
        stopped=tuple(Stopped(seed, reason) for seed, reason in sorted(stopped.items())),
        notes=notes_of(row, folds),
        history=tuple(one.history for one in networks),
        losses=tuple(_rounded(one) for one in networks),
    )


def _rounded(one: Checkpoint) -> tuple[tuple[float, float], ...]:
    return tuple((round(trained, 5), round(judged, 5)) for trained, judged in one.losses)


def _select(model: str, setup: Setup) -> Select | None:
    """Return --select where the model has something to choose, and doesn't choose it so by its own rule."""
    spec = registry.spec(model)
    if spec.made_of is not None:
        return _select(spec.made_of.first, setup) or _select(spec.made_of.second, setup)
    if setup.tuned and spec.grid:
        return setup.select
    return None if spec.own_rule in ("nothing", setup.select) else setup.select


def notes_of(row: Key, folds: Sequence[Fold]) -> tuple[str, ...]:
    """Return what a reader of a row has to know: of the model, its networks and the release."""
    networks = [one for fold in folds for one in fold.networks[row]]
    told = (registry.spec(row[0]).note, *(one.note for one in networks), *folds[0].release.notes)
    return tuple(dict.fromkeys(note for note in told if note))


def settings_of(row: Key, folds: Sequence[Fold], finetuning: Finetuning | None = None) -> dict[str, Value]:
    """Return a row's settings; those that differ between folds are listed, fold by fold.

    The settings of a combined row are those of its two parts: "image.lr", "text.epoch".
    """
    model, condition = row
    spec = registry.spec(model)
    if spec.made_of is not None:
        parts = (spec.made_of.first, spec.made_of.second)
        each = {part: settings_of((part, condition), folds, finetuning) for part in parts}
        return {f"{part}.{key}": value for part, values in each.items() for key, value in values.items()}
    every = [as_values(fold.settings.get(row)) for fold in folds]
    found: dict[str, Value] = {}
    for name, value in every[0].items():
        values = [one[name] for one in every]
        found[name] = value if values.count(value) == len(values) else ", ".join(map(str, values))
    if finetuning and "image" in spec.reads:  # these replace the settings of frozen features
        found |= {"finetune": True} | as_values(finetuning.settings)
    return found


def _vectors(one: Checkpoint, data: Data) -> str | None:
    """Return the word vectors of a row: "glove.twitter.25d.12k.txt, 25-d", "random, 100-d"."""
    for name, state in one.encoders.items():
        if name in ("words", "cased_words", "ngrams"):
            start = data.vectors.name if data.vectors else "random"
            return f"{start}, {state['width']}-d"
    return next((found for part in one.parts if (found := _vectors(part, data))), None)


def targets(folds: Sequence[Fold]) -> Tensor:
    """Return the targets of the test posts of all folds."""
    return torch.from_numpy(np.concatenate([one.test.target for one in folds]))


def groups(folds: Sequence[Fold]) -> np.ndarray:
    """Return the duplicate group of each test post of all folds, int64[n]."""
    return np.unique(np.concatenate([one.test.groups for one in folds]), return_inverse=True)[1]


def whole(folds: Sequence[Fold], row: Key, mode: Mode, seeds: Sequence[int]) -> list[Tensor]:
    """Return each seed's probabilities over all test posts, of seeds that no fold had to give up."""
    good = [seed for seed in seeds if all((row, seed, mode) in fold.probabilities for fold in folds)]
    return [torch.cat([fold.probabilities[row, seed, mode] for fold in folds]) for seed in good]


def pairs(folds: Sequence[Fold], setup: Setup) -> tuple[Pair, ...]:
    """Compare neighbouring rows in every mode that both have, the complete input first.

    Neighbours are models that follow one another in one condition, and the two rows of a model that is
    trained with and without unpaired posts. With one modality a combined row is one of its parts: these two
    are not compared. Where a spec names another row for a mode (`compared`), that one is too.
    """
    numbers = {row: number for number, row in enumerate(setup.rows)}
    shared = [one for one in setup.conditions if one.pairs is None and not one.unpaired]
    beside = [pairwise([row for row in setup.rows if row[1] == one]) for one in shared]
    together = [*chain.from_iterable(beside), *_both_ways(setup.rows)]
    found: list[evaluate.Sides] = []
    for mode in MODES:
        named = [one for one in _named(setup.rows, mode) if one[0][1] in shared]
        for a, b in dict.fromkeys([*together, *named]):
            if mode != "both" and (a[0] in _parts(b[0]) or b[0] in _parts(a[0])):
                continue
            # Seed by seed: one that either row had to give up is left out of both.
            seeds = [seed for seed in setup.seeds if all(whole(folds, row, mode, [seed]) for row in (a, b))]
            first, second = (whole(folds, row, mode, seeds) for row in (a, b))
            if seeds:
                found.append(evaluate.Sides(numbers[a], numbers[b], mode, first, second))
    return evaluate.compared(found, targets(folds), groups(folds), folds[0].release.task)


def _parts(model: str) -> tuple[str, ...]:
    """Return what a combined row is made of."""
    made_of = registry.spec(model).made_of
    return () if made_of is None else (made_of.first, made_of.second)


def _both_ways(rows: Sequence[Key]) -> Iterator[tuple[Key, Key]]:
    for model, condition in rows:
        if condition.unpaired:
            alone = model, msgspec.structs.replace(condition, unpaired=False)
            yield alone if alone in rows else (model, USUAL), (model, condition)


def _named(rows: Sequence[Key], mode: Mode) -> Iterator[tuple[Key, Key]]:
    for model, condition in rows:
        other = registry.spec(model).compared.get(mode, ""), condition
        if other in rows:
            yield other, (model, condition)


def predictions(folds: Sequence[Fold]) -> pa.Table:
    """Return every prediction: a row a post, model, seed and mode."""
    tables = []
    for one in folds:
        task, n = one.release.task, len(one.test)
        target = torch.from_numpy(one.test.target)
        labels = task.labels(target if task.kind == "single" else target.bool())
        for ((model, condition), seed, mode), found in one.probabilities.items():
            starts = pa.array(np.arange(n + 1, dtype=np.int32) * len(task.names))
            columns: list[Any] = [
                pa.array(one.test.post_ids.tolist(), pa.string()),
                pa.array(one.test.image_index, pa.int16()),
                pa.array([one.number] * n, pa.int16()),
                pa.array(one.test.groups.tolist(), pa.string()),
                pa.array(labels, pa.list_(pa.string())),
                pa.array([model] * n, pa.string()),
                pa.array([condition.text] * n, pa.string()),
                pa.array([seed] * n, pa.int32()),
                pa.array([mode] * n, pa.string()),
                pa.array(task.labels(task.decide(found)), pa.list_(pa.string())),
                pa.ListArray.from_arrays(starts, pa.array(found.flatten().numpy(), pa.float32())),
            ]
            tables.append(pa.Table.from_arrays(columns, schema=PREDICTIONS))
    return pa.concat_tables([PREDICTIONS.empty_table(), *tables])


def chosen(
    models: Sequence[str],
    preset: Mapping[str, Mapping[str, Value]],
    given: Mapping[str, Mapping[str, Value]],
) -> dict[str, ModelSettings]:
    """Return the settings of each model to train: its defaults, then the preset's, then those `given`."""
    found = {}
    for model in plan.needed(models):
        kind = registry.spec(model).settings
        assert kind is not None
        found[model] = replace(kind(), **(dict(preset.get(model, {})) | dict(given.get(model, {}))))
    return found
