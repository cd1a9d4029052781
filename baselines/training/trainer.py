"""Train models on one set of inputs, or read from disk those that were trained already.

A network is written as soon as it is trained; a run that was killed trains the missing ones. On a CPU each
process trains one seed on one core and reads what it trains on from a file; on a GPU the seeds of a model are
trained together.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from time import perf_counter

import torch

from affectory.core.errors import BaselineError
from affectory.core.processes import Pool
from baselines.data.inputs import Data
from baselines.models import registry
from baselines.models.base import Combination, Fitted
from baselines.models.settings import ModelSettings
from baselines.training.checkpoint import Checkpoint, Source, fingerprint, read
from baselines.training.loop import fit

#: Hears of each network, and whether it was read from its checkpoint.
Tell = Callable[[Checkpoint, bool], None]


@dataclass(frozen=True)
class Ask:
    """What to train: `settings` by model (without combined rows), for each seed, into `folder`."""

    data: Data
    settings: Mapping[str, ModelSettings]
    seeds: tuple[int, ...]
    folder: Path
    source: Source | None
    device: torch.device
    fold: int | None = None
    generated: str = ""

    def path(self, model: str, seed: int) -> Path:
        """Return a checkpoint's path."""
        fold = "" if self.fold is None else f"-fold{self.fold}"
        return self.folder / f"{model}{fold}-seed{seed}.pt"


def train_all(ask: Ask, tell: Tell = lambda one, known: None) -> dict[str, list[Checkpoint]]:
    """Return the checkpoints of each model, by seed."""
    found: dict[str, dict[int, Checkpoint]] = {model: {} for model in ask.settings}
    digests = {model: ask.data.digest(registry.spec(model).inputs) for model in ask.settings}
    marks = {
        (model, seed): fingerprint(digests[model], model, settings, seed)
        for model, settings in ask.settings.items()
        for seed in ask.seeds
    }
    for model in ask.settings:
        for seed in ask.seeds:
            one = standing(ask.path(model, seed))
            if one is not None and one.fingerprint == marks[model, seed]:
                found[model][seed] = one
                tell(one, True)
    with stored(ask.data) as path:
        wanted = [
            Job(model, registry.entry(model).path, path, settings, missing)
            for model, settings in ask.settings.items()
            if (missing := tuple(seed for seed in ask.seeds if seed not in found[model]))
        ]
        for done in run(wanted, ask.device):
            for fitted in done.fitted:
                mark = marks[done.job.key, fitted.seed]
                one = _checkpoint(ask, done, fitted, mark)
                one.write(ask.path(one.model, one.seed))
                found[one.model][one.seed] = one
                tell(one, False)
    return {model: [by_seed[seed] for seed in ask.seeds] for model, by_seed in found.items()}


def standing(path: Path) -> Checkpoint | None:
    """Return the checkpoint at a path; None where there is none that this program reads."""
    try:
        return read(path) if path.exists() else None
    except BaselineError:
        return None  # of another version, or no checkpoint: written anew


def _checkpoint(ask: Ask, done: Done, fitted: Fitted, mark: str) -> Checkpoint:
    model = done.job.key
    spec = registry.spec(model)
    data = ask.data.of(spec.inputs)
    own = {name: encoder.state() for name, encoder in data.encoders.items()}
    return Checkpoint(
        model=model,
        task=ask.data.task,
        settings=done.job.settings,
        seed=fitted.seed,
        state=fitted.state,
        encoders=own if fitted.encoders is None else fitted.encoders,
        fingerprint=mark,
        epoch=fitted.epoch,
        score=fitted.score,
        likelihood=fitted.likelihood,
        seconds=done.seconds / len(done.fitted),
        problem=fitted.problem,
        note=fitted.note,
        source=ask.source if "image" in spec.reads else None,
        generated=ask.generated,
    )


def combined(ask: Ask, model: str, trained: Mapping[str, Sequence[Checkpoint]]) -> list[Checkpoint]:
    """Return a combined row's checkpoints, seed by seed, written like the others."""
    made_of = registry.spec(model).made_of
    assert isinstance(made_of, Combination)
    found = []
    for first, second in zip(trained[made_of.first], trained[made_of.second], strict=True):
        one = Checkpoint(
            model,
            ask.data.task,
            None,
            first.seed,
            {},
            problem=first.problem or second.problem,
            parts=(first, second),
            generated=ask.generated,
        )
        one.write(ask.path(model, one.seed))
        found.append(one)
    return found


@dataclass(frozen=True, slots=True)
class Job:
    """A model to train with some seeds on what a file holds (`stored`); `spec` is where its spec is."""

    key: str  # what the caller knows it by
    spec: str
    data: Path
    settings: ModelSettings
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """A job that has ended."""

    job: Job
    fitted: tuple[Fitted, ...]
    seconds: float


@contextmanager
def stored(data: Data) -> Iterator[Path]:
    """Write what the models are trained on to a file that lives as long as the block."""
    with tempfile.TemporaryDirectory(prefix="affectory-") as folder:
        path = Path(folder) / "data.pt"
        torch.save(data.packed(), path)
        yield path


def run(jobs: Sequence[Job], device: torch.device, processes: int | None = None) -> Iterator[Done]:
    """Run jobs and yield each as it ends: on a GPU one after the other, on a CPU in `processes`.

    Raises `BaselineError` where a process is killed from outside, as by a kernel without memory.
    """
    if not jobs:
        return
    if device.type != "cpu":
        yield from (work(job, device) for job in jobs)
        return
    split = [
        replace(job, seeds=seeds)
        for job in sorted(jobs, key=lambda job: -registry.loaded(job.spec).cost)  # the longest first
        for seeds in (
            [job.seeds] if registry.loaded(job.spec).seeds_together else [(seed,) for seed in job.seeds]
        )
    ]
    number = min(processes or os.cpu_count() or 1, len(split))
    with Pool(
        number,
        preload=["baselines.training.trainer"],
        prepare=partial(torch.set_num_threads, 1),
        cleanup=partial(_delete, {job.data for job in jobs}),
    ) as pool:
        try:
            waiting = [pool.submit(work, job, torch.device("cpu")) for job in split]
            for future in as_completed(waiting):
                yield future.result()
        except BrokenProcessPool:
            raise BaselineError(
                "a process that trained was killed, most often for lack of memory: close other programs and "
                "repeat the command, which continues from the checkpoints"
            ) from None


def _delete(files: Set[Path]) -> None:
    """Delete the files of `stored` and their folders: a run that was killed can't."""
    for file in files:
        with suppress(OSError):
            file.unlink()
            file.parent.rmdir()


def work(job: Job, device: torch.device) -> Done:
    """Run one job in this process."""
    began = perf_counter()
    spec = registry.loaded(job.spec)
    fitted = fit(spec, _read(job.data).of(spec.inputs), job.settings, job.seeds, device)
    return Done(job, tuple(fitted), perf_counter() - began)


@lru_cache(maxsize=1)
def _read(path: Path) -> Data:
    return Data.unpacked(torch.load(path, weights_only=True, mmap=True))
