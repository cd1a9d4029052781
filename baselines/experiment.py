"""One experiment: a release (or its folds), models, seeds; from inputs to the rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from affectory.encoders.text.vectors import WordVectors
from baselines.data import inputs
from baselines.data.batch import Batch, Mode
from baselines.data.inputs import Data, Images
from baselines.data.release import Part, Release
from baselines.models import registry
from baselines.models.settings import ModelSettings, Value, as_values
from baselines.results import evaluate
from baselines.results.schema import PREDICTIONS, Pair, Row, Scores, Stopped
from baselines.training import trainer
from baselines.training.checkpoint import Checkpoint, Source
from baselines.training.finetune_runs import Finetuning
from baselines.training.trainer import Ask

#: Gives the settings of each model for some inputs and a fold.
Choose = Callable[[Data, int | None], Mapping[str, ModelSettings]]


@dataclass(frozen=True)
class Setup:
    """What an experiment is made with."""

    models: tuple[str, ...]
    seeds: tuple[int, ...]
    images: Images | None
    vectors: WordVectors | None
    width: int
    source: Source | None
    device: torch.device
    folder: Path
    preset: str
    tuned: bool
    choose: Choose
    tell: Callable[[int | None, Checkpoint, bool], None] = lambda fold, one, known: None
    finetuning: Finetuning | None = None


@dataclass
class Fold:
    """What one fold (or the release as it is split) gave."""

    number: int | None
    release: Release
    settings: Mapping[str, ModelSettings]
    networks: dict[str, list[Checkpoint]]
    probabilities: dict[tuple[str, int, Mode], Tensor]  # model, seed, mode -> float[n, C]
    data: Data = field(repr=False)

    @property
    def test(self) -> Part:
        """The test posts."""
        return self.release.parts["test"]


def needed(models: Sequence[str]) -> list[str]:
    """Return the models to train for these, in the registry's order: a combined row needs its two parts."""
    wanted: set[str] = set()
    for model in models:
        made_of = registry.spec(model).made_of
        wanted |= {model} if made_of is None else set(needed([made_of.first, made_of.second]))
    return [model for model in registry.MODELS if model in wanted]


def train(release: Release, number: int | None, setup: Setup) -> tuple[Ask, dict[str, list[Checkpoint]]]:
    """Train the models on one fold."""
    wanted = {name for model in needed(setup.models) for name in registry.spec(model).inputs}
    data = inputs.prepare(release, wanted, setup.images, setup.vectors, setup.width)
    ask = Ask(
        data,
        setup.choose(data, number),
        setup.seeds,
        setup.folder,
        setup.source,
        setup.device,
        number,
        release.generated,
    )

    def tell(one: Checkpoint, known: bool) -> None:
        setup.tell(number, one, known)

    if setup.finetuning:
        return ask, setup.finetuning.train_all(ask, release, tell)
    return ask, trainer.train_all(ask, tell)


def fold(release: Release, number: int | None, setup: Setup) -> Fold:
    """Train and apply the models on one fold. The test posts are looked at here, once, and nowhere before."""
    ask, networks = train(release, number, setup)
    for model in setup.models:
        if registry.spec(model).made_of is not None:
            networks[model] = trainer.combined(ask, model, networks)
    posts = TestPosts(release, setup)
    found: dict[tuple[str, int, Mode], Tensor] = {}
    for model in setup.models:
        for one in networks[model]:
            for mode in () if one.problem else registry.spec(model).modes:
                found[model, one.seed, mode] = release.task.probabilities(one.logits(posts, mode))
    return Fold(number, release, ask.settings, networks, found, ask.data)


class TestPosts:
    """The test posts as each network reads them; what two networks read alike is encoded once."""

    def __init__(self, release: Release, setup: Setup, part: Part | None = None) -> None:
        self.release, self.setup = release, setup
        self.part = release.parts["test"] if part is None else part
        self._encoded: dict[tuple[str, int], Tensor] = {}

    def __call__(self, one: Checkpoint) -> Batch:
        """Return the test posts with the inputs of a network."""
        encoders = one.loaded_encoders()
        found = inputs.batch(self.part, {})
        for name, encoder in encoders.items():
            if encoder.modality == "image":
                features = self._images(one).of(self.part)
                found.inputs[name] = torch.from_numpy(features)
                continue
            key = name, hash(repr(one.encoders[name]))
            if key not in self._encoded:
                self._encoded[key] = torch.from_numpy(encoder.encode(self.part.texts.tolist()))
            found.inputs[name] = self._encoded[key]
        return found

    def _images(self, one: Checkpoint) -> Images:
        """Return the features of the test images, by the image network that was trained with this one."""
        if self.setup.finetuning is not None:
            return self.setup.finetuning.images(one, self.release)
        assert self.setup.images is not None
        return self.setup.images


def rows(folds: Sequence[Fold], setup: Setup) -> list[Row]:
    """Return the table's rows: each seed's score is over the test posts of all folds."""
    return [_row(model, folds, setup) for model in setup.models]


def _row(model: str, folds: Sequence[Fold], setup: Setup) -> Row:
    spec = registry.spec(model)
    networks = [one for fold in folds for one in fold.networks[model]]
    by_mode: dict[str, Scores] = {}
    for mode in spec.modes:
        if by_seed := whole(folds, model, mode, setup.seeds):
            by_mode[mode] = evaluate.scores(by_seed, targets(folds), groups(folds), folds[0].release.task)
    stopped = {one.seed: one.problem for one in networks if one.problem}
    source = setup.source if "image" in spec.reads else None
    return Row(
        model=model,
        title=spec.title(folds[0].settings.get(model)),
        family=registry.entry(model).family,
        modes=by_mode,
        settings=_settings(model, folds, setup.finetuning),
        preset=setup.preset,
        tuned=setup.tuned,
        seconds=sum(one.seconds for one in networks),
        backbone=source.name if source else None,
        weights=source.digest if source else None,
        vectors=_vectors(networks[0], folds[0].data),
        stopped=tuple(Stopped(seed, reason) for seed, reason in sorted(stopped.items())),
        notes=tuple(dict.fromkeys(one.note for one in networks if one.note)),
    )


def _settings(model: str, folds: Sequence[Fold], finetuning: Finetuning | None) -> dict[str, Value]:
    """Return a model's settings; those that differ between folds are listed, fold by fold.

    The settings of a combined row are those of its two parts: "image.lr", "text.epoch".
    """
    spec = registry.spec(model)
    if spec.made_of is not None:
        parts = (spec.made_of.first, spec.made_of.second)
        each = {part: _settings(part, folds, finetuning) for part in parts}
        return {f"{part}.{key}": value for part, values in each.items() for key, value in values.items()}
    every = [as_values(fold.settings.get(model)) for fold in folds]
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


def whole(folds: Sequence[Fold], model: str, mode: Mode, seeds: Sequence[int]) -> list[Tensor]:
    """Return each seed's probabilities over all test posts, of seeds that no fold had to give up."""
    good = [seed for seed in seeds if all((model, seed, mode) in fold.probabilities for fold in folds)]
    return [torch.cat([fold.probabilities[model, seed, mode] for fold in folds]) for seed in good]


def pairs(folds: Sequence[Fold], setup: Setup) -> tuple[Pair, ...]:
    """Compare each row with the next, with both inputs."""
    scored = {
        number: by_seed
        for number, model in enumerate(setup.models)
        if (by_seed := whole(folds, model, "both", setup.seeds))
    }
    return evaluate.compared(
        [(a, b, scored[a], scored[b]) for a, b in pairwise(scored)],
        targets(folds),
        groups(folds),
        folds[0].release.task,
    )


def predictions(folds: Sequence[Fold]) -> pa.Table:
    """Return every prediction: a row a post, model, seed and mode."""
    tables = []
    for one in folds:
        task, n = one.release.task, len(one.test)
        target = torch.from_numpy(one.test.target)
        labels = task.labels(target if task.kind == "single" else target.bool())
        for (model, seed, mode), found in one.probabilities.items():
            starts = pa.array(np.arange(n + 1, dtype=np.int32) * len(task.names))
            columns: list[Any] = [
                pa.array(one.test.post_ids.tolist(), pa.string()),
                pa.array(one.test.image_index, pa.int16()),
                pa.array([one.number] * n, pa.int16()),
                pa.array(labels, pa.list_(pa.string())),
                pa.array([model] * n, pa.string()),
                pa.array([""] * n, pa.string()),
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
    for model in needed(models):
        kind = registry.spec(model).settings
        assert kind is not None
        found[model] = replace(kind(), **(dict(preset.get(model, {})) | dict(given.get(model, {}))))
    return found
