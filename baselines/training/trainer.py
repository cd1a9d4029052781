"""Train models on one set of inputs, or read from disk those that were trained already.

A network is written as soon as it is trained; a run that was killed trains the missing ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from affectory.core.errors import BaselineError
from baselines.data.batch import IMAGE, TEXT, Batch, Mode
from baselines.data.encoders import INPUTS
from baselines.data.inputs import Data
from baselines.models import registry
from baselines.models.base import Fitted, Unfinished
from baselines.models.settings import ModelSettings
from baselines.results.schema import USUAL, Condition
from baselines.training import correction
from baselines.training.checkpoint import Checkpoint, PostsFor, Source, fingerprint, read
from baselines.training.correction import Correction
from baselines.training.jobs import Done, Job, run, stored

#: Hears of each network, and whether it was read from its checkpoint.
Tell = Callable[[Checkpoint, bool], None]


@dataclass(frozen=True)
class Ask:
    """What to train: `settings` by model (without combined rows), for each seed, into `folder`.

    `sources`: where image features come from, by input. `condition`: what training had less or more of.
    `corrected`: whether answers to one modality of two are corrected on validation posts. `epochs`: the
    folder that says how far networks are while they train.
    """

    data: Data
    settings: Mapping[str, ModelSettings]
    seeds: tuple[int, ...]
    folder: Path
    sources: Mapping[str, Source]
    device: torch.device
    fold: int | None = None
    generated: str = ""
    condition: Condition = USUAL
    corrected: bool = True
    epochs: Path | None = None

    def path(self, model: str, seed: int) -> Path:
        """Return a checkpoint's path."""
        fold = "" if self.fold is None else f"-fold{self.fold}"
        condition = f"-{self.condition.slug}" if self.condition.slug else ""
        return self.folder / f"{model}{condition}{fold}-seed{seed}.pt"

    def unfinished(self, model: str, seed: int) -> Path:
        """Return where a network that is trained end to end keeps its last epoch until it is over."""
        path = self.path(model, seed)
        return path.with_name(f"{path.stem}-unfinished.pt")

    def source(self, model: str) -> Source | None:
        """Return where a model's image features come from."""
        return next((self.sources[one] for one in registry.spec(model).inputs if one in self.sources), None)


def train_all(ask: Ask, tell: Tell = lambda one, known: None) -> dict[str, list[Checkpoint]]:
    """Return the checkpoints of each model, by seed."""
    return train_many([ask], tell)[0]


def train_many(
    asks: Sequence[Ask], tell: Tell = lambda one, known: None
) -> list[dict[str, list[Checkpoint]]]:
    """Return the checkpoints of each model, by seed, for each of several asks; all train side by side.

    A model that can't be trained on its posts is given up, and the others are trained. Raises `BaselineError`
    if none can be.
    """
    if not asks:
        return []
    refused: list[Done] = []
    found = [_standing(ask, tell) for ask in asks]
    with ExitStack() as stack:
        jobs: dict[tuple[Path, str], tuple[int, Job]] = {}
        for number, (ask, known) in enumerate(zip(asks, found, strict=True)):
            missing = {
                model: seeds
                for model in ask.settings
                if (seeds := tuple(seed for seed in ask.seeds if seed not in known[model]))
            }
            path = stack.enter_context(stored(ask.data)) if missing else Path()
            for model, seeds in missing.items():
                job = Job(
                    model,
                    registry.entry(model).path,
                    path,
                    ask.settings[model],
                    seeds,
                    _unfinished(ask, model, seeds),
                    ask.epochs,
                )
                jobs[path, model] = number, job
        for done in run([job for _, job in jobs.values()], asks[0].device):
            number = jobs[done.job.data, done.job.key][0]
            ask = asks[number]
            for fitted in done.fitted:
                one = _checkpoint(ask, done, fitted)
                one.write(ask.path(one.model, one.seed))
                ask.unfinished(one.model, one.seed).unlink(missing_ok=True)
                found[number][one.model][one.seed] = one
                tell(one, False)
            if done.problem:
                refused.append(done)
                for seed in done.job.seeds:  # no file: what is wrong may not be in the fingerprint
                    found[number][done.job.key][seed] = _refused(ask, done, seed)
    every = [one for known in found for by_seed in known.values() for one in by_seed.values()]
    if refused and all(one.problem for one in every):
        refused[0].checked()
    return [
        {model: [by_seed[seed] for seed in ask.seeds] for model, by_seed in known.items()}
        for ask, known in zip(asks, found, strict=True)
    ]


def _standing(ask: Ask, tell: Tell) -> dict[str, dict[int, Checkpoint]]:
    """Return the networks of an ask that were trained already, by model and seed."""
    found: dict[str, dict[int, Checkpoint]] = {}
    for model in ask.settings:
        found[model] = {}
        digest = ask.data.digest(registry.spec(model).inputs)
        for seed in ask.seeds:
            one = standing(ask.path(model, seed), _mark(ask, digest, model, seed))
            if one is not None:
                found[model][seed] = one
                tell(one, True)
    return found


def _unfinished(ask: Ask, model: str, seeds: Sequence[int]) -> dict[int, Unfinished]:
    """Return where networks that are trained end to end keep their last epoch, by seed."""
    if registry.spec(model).end_to_end is None:
        return {}
    digest = ask.data.digest(registry.spec(model).inputs)
    return {seed: Unfinished(ask.unfinished(model, seed), _mark(ask, digest, model, seed)) for seed in seeds}


def _mark(ask: Ask, digest: str, model: str, seed: int) -> str:
    how = "corrected" if corrects(ask, model) else "as trained"
    return fingerprint(f"{digest} {how}", model, ask.settings[model], seed)


def corrects(ask: Ask, model: str) -> bool:
    """Return whether a model's answers to one modality are corrected: those of a model that reads two."""
    return ask.corrected and len(registry.spec(model).reads) > 1


def standing(path: Path, mark: str) -> Checkpoint | None:
    """Return the checkpoint at a path if it has this fingerprint; None for any other: it is written anew."""
    try:
        one = read(path) if path.exists() else None
        if one is None or one.fingerprint != mark:
            return None
        if not one.problem:
            one.network()  # its parameters are those of the model as it is now
        return one
    except BaselineError:
        return None  # of another version, or no checkpoint, or of an earlier form of the model


def _checkpoint(ask: Ask, done: Done, fitted: Fitted) -> Checkpoint:
    model = done.job.key
    spec = registry.spec(model)
    data = ask.data.of(spec.inputs)
    own = {name: encoder.state() for name, encoder in data.encoders.items() if INPUTS[name].later}
    one = Checkpoint(
        model=model,
        task=ask.data.task,
        settings=done.job.settings,
        seed=fitted.seed,
        state=fitted.state,
        encoders=own if fitted.encoders is None else fitted.encoders,
        fingerprint=_mark(ask, ask.data.digest(spec.inputs), model, fitted.seed),
        epoch=fitted.epoch,
        score=fitted.score,
        likelihood=fitted.likelihood,
        seconds=done.seconds / len(done.fitted),
        problem=fitted.problem,
        note=fitted.note,
        history=fitted.history,
        losses=fitted.losses,
        source=ask.source(model),
        generated=ask.generated,
        condition=ask.condition.text,
    )
    if not corrects(ask, model):
        return one
    return replace(one, corrections=corrections(one, lambda part: _validation(part, data), data.train))


def _refused(ask: Ask, done: Done, seed: int) -> Checkpoint:
    """Return the checkpoint of a model that can't be trained on its posts."""
    nothing = Fitted(seed, {}, 0, float("nan"), float("-inf"), problem=done.problem)
    return _checkpoint(replace(ask, corrected=False), replace(done, fitted=(nothing,)), nothing)


def corrections(one: Checkpoint, posts: PostsFor, train: Batch) -> dict[Mode, Correction]:
    """Return how a row's answers to one modality of two are corrected.

    `posts` gives the validation posts as a network reads them. `train`: the training posts. Where these have
    no pair, answers to pairs are corrected too.
    """
    if one.problem:
        return {}
    columns: dict[Mode, list[int]] = {"image": [IMAGE], "text": [TEXT]}
    if not bool(train.present[train.labelled].all(1).any()):
        columns["both"] = [IMAGE, TEXT]
    validation = posts(one.parts[0] if one.parts else one)
    learnt: dict[Mode, Correction] = {}
    for mode, needed in columns.items():
        held = validation.present[:, needed].all(1)
        logits = one.logits(posts, mode)[held]
        learnt[mode] = correction.learnt(
            one.task, train.target[train.labelled], logits, validation.target[held]
        )
    return learnt


def _validation(one: Checkpoint, data: Data) -> Batch:
    """Return the validation posts as a network reads them."""
    own = data.validation.inputs
    texts = data.texts["validation"]
    found = {
        name: own[name] if name in own else torch.from_numpy(encoder.encode(texts))
        for name, encoder in one.loaded_encoders().items()  # some are made in training
    }
    return data.validation._replace(inputs=found)


def combined(
    ask: Ask,
    models: Iterable[str],
    trained: Mapping[str, Sequence[Checkpoint]],
    validation: PostsFor | None = None,
) -> dict[str, list[Checkpoint]]:
    """Return the checkpoints of combined rows, by seed: of the models that are made of two `trained` ones.

    Their answers to one modality are corrected if `validation` gives the validation posts.
    """
    found: dict[str, list[Checkpoint]] = {}
    for model in models:
        made_of = registry.spec(model).made_of
        if made_of is None or not {made_of.first, made_of.second} <= set(trained):
            continue
        pairs = zip(trained[made_of.first], trained[made_of.second], strict=True)
        found[model] = [_combined(ask, model, *parts, validation) for parts in pairs]
    return found


def _combined(
    ask: Ask, model: str, first: Checkpoint, second: Checkpoint, validation: PostsFor | None
) -> Checkpoint:
    """Return a combined row's checkpoint, written like the others."""
    one = Checkpoint(
        model,
        ask.data.task,
        None,
        first.seed,
        {},
        problem=first.problem or second.problem,
        parts=(first, second),
        generated=ask.generated,
        condition=ask.condition.text,
    )
    if validation is not None and corrects(ask, model):
        one = replace(one, corrections=corrections(one, validation, ask.data.train))
    one.write(ask.path(model, one.seed))
    return one
