"""Train the six models on one set of inputs, or take from disk those that stand there already.

A network is written as soon as it is trained; a run that was killed trains the missing ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from affectory.core.errors import BaselineError
from baselines.data.inputs import Inputs
from baselines.settings import Settings, TextSettings
from baselines.training import jobs
from baselines.training.checkpoint import Checkpoint, Source, fingerprint, read
from baselines.training.loop import Fitted

Tell = Callable[[Checkpoint, bool], None]


@dataclass(frozen=True)
class Ask:
    """What to train: `settings` by model (without `late`), for each seed, into `folder`."""

    inputs: Inputs
    settings: Mapping[str, Settings | TextSettings]
    seeds: tuple[int, ...]
    folder: Path
    source: Source | None
    device: torch.device
    fold: int | None = None

    def path(self, model: str, seed: int) -> Path:
        """Return a checkpoint's path."""
        fold = "" if self.fold is None else f"-fold{self.fold}"
        return self.folder / f"{model}{fold}-seed{seed}.pt"


def train_all(ask: Ask, tell: Tell = lambda one, stood: None) -> dict[str, list[Checkpoint]]:
    """Return the checkpoints of each model, by seed. `tell` hears of each, and whether it stood already."""
    data = ask.inputs.digest()
    found: dict[str, dict[int, Checkpoint]] = {model: {} for model in ask.settings}
    wanted: list[jobs.Job] = []
    marks = {
        (model, seed): fingerprint(data, model, settings, seed)
        for model, settings in ask.settings.items()
        for seed in ask.seeds
    }
    for model in ask.settings:
        for seed in ask.seeds:
            one = standing(ask.path(model, seed))
            if one is not None and one.fingerprint == marks[model, seed]:
                found[model][seed] = one
                tell(one, True)
    with jobs.stored(ask.inputs) as path:
        for model, settings in ask.settings.items():
            missing = tuple(seed for seed in ask.seeds if seed not in found[model])
            if missing:
                wanted.append(jobs.Job(model, model, path, settings, missing))
        for done in jobs.run(wanted, ask.device):
            for fitted in done.fitted:
                one = _checkpoint(ask, done, fitted, marks[done.job.model, fitted.seed])
                one.write(ask.path(one.model, one.seed))
                found[one.model][one.seed] = one
                tell(one, False)
    return {model: [by_seed[seed] for seed in ask.seeds] for model, by_seed in found.items()}


def standing(path: Path) -> Checkpoint | None:
    """Return the checkpoint at a path, or None."""
    try:
        return read(path) if path.exists() else None
    except BaselineError:
        return None  # of another version, or no checkpoint: written anew


def _checkpoint(ask: Ask, done: jobs.Done, fitted: Fitted, mark: str) -> Checkpoint:
    settings, model = done.job.settings, done.job.model
    words: Sequence[str | int] = () if model == "image" else ask.inputs.words.words
    if isinstance(settings, TextSettings):
        words = ask.inputs.subwords(settings).learnt
    return Checkpoint(
        model=model,
        classes=ask.inputs.release.classes,
        settings=settings,
        seed=fitted.seed,
        state=fitted.state,
        fingerprint=mark,
        epoch=fitted.epoch,
        accuracy=fitted.accuracy,
        likelihood=fitted.likelihood,
        seconds=done.seconds / len(done.fitted),
        problem=fitted.problem,
        words=tuple(words),
        source=None if model == "text" else ask.source,
        generated=ask.inputs.release.generated,
    )


def late(ask: Ask, images: Sequence[Checkpoint], texts: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Return the late fusions of the two classifiers, seed by seed, written like the others."""
    fused = []
    for image, text in zip(images, texts, strict=True):
        problem = image.problem or text.problem
        one = Checkpoint(
            "late",
            image.classes,
            None,
            image.seed,
            {},
            problem=problem,
            parts=(image, text),
            generated=image.generated,
        )
        one.write(ask.path("late", one.seed))
        fused.append(one)
    return fused
