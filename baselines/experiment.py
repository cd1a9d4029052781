"""One experiment: a release (or its folds), the six models, seeds; from inputs to rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from baselines.data import inputs
from baselines.data.inputs import Images, Inputs
from baselines.data.release import Part, Release
from baselines.results import evaluate
from baselines.results import papers as paper
from baselines.results.schema import PREDICTIONS, Pair, Row, Scores, Stopped
from baselines.settings import MODELS, TITLES, Settings, TextSettings
from baselines.training import fitting
from baselines.training.checkpoint import Checkpoint, Source
from baselines.training.finetune_fitting import Finetuning
from baselines.training.fitting import Ask

AnySettings = Settings | TextSettings
Chosen = Mapping[str, AnySettings]
#: Gives the settings of each model for some inputs (and the fold's number).
Choose = Callable[[Inputs, int | None], Chosen]


@dataclass(frozen=True)
class Setup:
    """What an experiment is made with."""

    models: tuple[str, ...]
    seeds: tuple[int, ...]
    images: Images
    vectors: Path | None
    width: int
    source: Source | None
    device: torch.device
    folder: Path
    choose: Choose
    tell: Callable[[int | None, Checkpoint, bool], None] = lambda fold, one, stood: None
    finetuning: Finetuning | None = None

    def images_of(self, one: Checkpoint, release: Release) -> Images:
        """Return the features of a release's test images as a network reads them."""
        if self.finetuning is None or one.image_source() is None:
            return self.images
        return self.finetuning.images(one, release)


@dataclass
class Fold:
    """What one fold (or the release as it is split) gave."""

    number: int | None
    test: Part
    settings: Chosen
    networks: dict[str, list[Checkpoint]]
    probabilities: dict[tuple[str, int, str], Tensor]  # model, seed, mode -> float[n, C]
    words: Inputs = field(repr=False)


def train(release: Release, number: int | None, setup: Setup) -> tuple[Ask, dict[str, list[Checkpoint]]]:
    """Train the models on one fold."""
    made = inputs.prepare(release, setup.images, setup.vectors, setup.width)
    settings = setup.choose(made, number)
    ask = Ask(made, settings, setup.seeds, setup.folder, setup.source, setup.device, number)
    train_all = setup.finetuning.train_all if setup.finetuning else fitting.train_all
    return ask, train_all(ask, lambda one, stood: setup.tell(number, one, stood))


def fold(release: Release, number: int | None, setup: Setup) -> Fold:
    """Train and apply the models on one fold. The test posts are looked at here, once, and nowhere before."""
    ask, networks = train(release, number, setup)
    if "late" in setup.models:
        networks["late"] = fitting.late(ask, networks["image"], networks["text"])
    test = release.parts["test"]
    found: dict[tuple[str, int, str], Tensor] = {}
    for model in setup.models:
        tokens = None
        for one in networks[model]:
            if one.problem:
                continue
            if tokens is None or model in ("text", "late"):
                tokens = one.tokens(test.texts.tolist()).numpy()
            batch = inputs.batch(test, setup.images_of(one, release), tokens)
            for mode in evaluate.modes(model):
                found[model, one.seed, mode] = evaluate.probabilities(one.network(), batch, mode)
    return Fold(number, test, ask.settings, networks, found, ask.inputs)


def needed(models: Sequence[str]) -> list[str]:
    """Return the models to train for these: late fusion needs both classifiers."""
    wanted = set(models) | ({"image", "text"} if "late" in models else set())
    return [model for model in MODELS if model in wanted and model != "late"]


def rows(folds: Sequence[Fold], classes: Sequence[str], setup: Setup, tuned: bool) -> list[Row]:
    """Return the table's rows: each seed's score is over the test posts of all folds."""
    label = torch.from_numpy(np.concatenate([one.test.labels for one in folds]))
    return [_row(model, folds, label, classes, setup, tuned) for model in setup.models]


def _row(
    model: str, folds: Sequence[Fold], label: Tensor, classes: Sequence[str], setup: Setup, tuned: bool
) -> Row:
    networks = [one for fold in folds for one in fold.networks[model]]
    by_mode: dict[str, Scores] = {}
    for mode in evaluate.modes(model):
        if by_seed := whole(folds, model, mode, setup.seeds):
            by_mode[mode] = evaluate.scores(by_seed, label, classes)
    stopped = {one.seed: one.problem for one in networks if one.problem}
    source = setup.source if model != "text" else None
    return Row(
        model=model,
        title=_title(model, folds[0].settings),
        modes=by_mode,
        settings=_settings(model, folds, setup.finetuning),
        tuned=tuned,
        seconds=sum(one.seconds for one in networks),
        backbone=source.name if source else None,
        weights=source.digest if source else None,
        vectors=_vectors(model, folds[0]),
        stopped=tuple(Stopped(seed, reason) for seed, reason in sorted(stopped.items())),
    )


def _title(model: str, settings: Chosen) -> str:
    chosen = settings.get(model)
    pooled = f" ({chosen.fusion})" if model in ("joint", "common") and isinstance(chosen, Settings) else ""
    return TITLES[model] + pooled


def _settings(
    model: str, folds: Sequence[Fold], finetuning: Finetuning | None
) -> dict[str, str | int | float | bool | None]:
    """Return a model's settings; those that differ between folds are listed, fold by fold."""
    every = [asdict(fold.settings[model]) for fold in folds if model in fold.settings]
    found = {}
    for name, value in every[0].items() if every else ():
        values = [one[name] for one in every]
        found[name] = value if values.count(value) == len(values) else ", ".join(map(str, values))
    if finetuning and model != "text":  # its rates, epochs, … stand in place of the frozen ones
        found |= {"finetune": True} | asdict(finetuning.settings)
    return found


def _vectors(model: str, fold: Fold) -> str | None:
    if model == "image":
        return None
    if model in ("text", "late"):
        text = fold.settings["text"]
        assert isinstance(text, TextSettings)
        given = fold.words.vectors
        return f"{given.name if given else 'random'}, {text.dim}-d"
    return fold.words.words.vectors


def whole(folds: Sequence[Fold], model: str, mode: str, seeds: Sequence[int]) -> list[Tensor]:
    """Return each seed's probabilities over all test posts, of seeds that no fold had to give up."""
    good = [seed for seed in seeds if all((model, seed, mode) in fold.probabilities for fold in folds)]
    return [torch.cat([fold.probabilities[model, seed, mode] for fold in folds]) for seed in good]


def pairs(folds: Sequence[Fold], setup: Setup) -> list[Pair]:
    """Compare each row with the next, with both inputs."""
    label = torch.from_numpy(np.concatenate([one.test.labels for one in folds]))
    answered = [
        evaluate.answers(model, by_seed, label)
        for model in setup.models
        if (by_seed := whole(folds, model, "both", setup.seeds))
    ]
    return [evaluate.compare(a, b, "both") for a, b in pairwise(answered)]


def predictions(folds: Sequence[Fold], classes: Sequence[str]) -> pa.Table:
    """Return every prediction: a row a post, model, seed and mode."""
    names = pa.array(classes)
    tables = []
    for one in folds:
        n = len(one.test)
        for (model, seed, mode), found in one.probabilities.items():
            flat = pa.array(found.flatten().numpy(), pa.float32())
            starts = pa.array(np.arange(n + 1, dtype=np.int32) * len(classes))
            columns = [
                pa.array(one.test.post_ids.tolist(), pa.string()),
                pa.array(one.test.image_index, pa.int16()),
                pa.array([one.number] * n, pa.int16()),
                names.take(pa.array(one.test.labels)),
                pa.array([model] * n, pa.string()),
                pa.array([seed] * n, pa.int32()),
                pa.array([mode] * n, pa.string()),
                names.take(pa.array(found.argmax(-1).numpy())),
                pa.ListArray.from_arrays(starts, flat),
            ]
            tables.append(pa.Table.from_arrays(columns, schema=PREDICTIONS))
    return pa.concat_tables([PREDICTIONS.empty_table(), *tables])


def chosen(models: Sequence[str], neural: Settings, text: TextSettings, made: Inputs) -> Chosen:
    """Return the settings of each model to train. fastText's rows are as wide as the vectors given.

    The common space's g is the paper's for this release, unless another is asked for.
    """
    if made.vectors:
        text = replace(text, dim=made.vectors.width)
    known = paper.figures(made.release.name)
    if neural.negatives is None and known:
        neural = replace(neural, negatives=known.negatives)
    return {model: text if model == "text" else neural for model in needed(models)}
