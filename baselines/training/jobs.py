"""Jobs of training: on a CPU in several processes, on a GPU one after the other.

    with stored(data) as path:
        for done in run([Job("joint", entry.path, path, settings, seeds=(0, 1))], device):
            done.fitted

On a CPU each process trains one seed on one core and reads what it trains on from a file; on a GPU the seeds
of a model are trained together.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from time import perf_counter

import torch

from affectory.core.errors import BaselineError
from affectory.core.processes import Pool
from baselines.data.inputs import Data
from baselines.models import registry
from baselines.models.base import Fitted, Unfinished
from baselines.models.settings import ModelSettings
from baselines.training import launch
from baselines.training.checkpoint import save
from baselines.training.epochs import under_way
from baselines.training.loop import fit


@dataclass(frozen=True, slots=True)
class Job:
    """A model to train with some seeds on what a file holds (`stored`); `spec` is where its spec is."""

    key: str  # what the caller knows it by
    spec: str
    data: Path
    settings: ModelSettings
    seeds: tuple[int, ...]
    unfinished: Mapping[int, Unfinished] = field(default_factory=dict)
    epochs: Path | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A job that has ended: the networks, or why the model can't be trained on these posts."""

    job: Job
    fitted: tuple[Fitted, ...]
    seconds: float
    problem: str = ""

    def checked(self) -> Done:
        """Return the same; raise `BaselineError` for a model that can't be trained."""
        if self.problem:
            raise BaselineError(self.problem)
        return self


@contextmanager
def stored(data: Data) -> Iterator[Path]:
    """Write what the models are trained on to a file that lives as long as the block."""
    with tempfile.TemporaryDirectory(prefix="affectory-") as folder:
        path = Path(folder) / "data.pt"
        save(data.packed(), path)
        yield path


def run(jobs: Sequence[Job], device: torch.device, processes: int | None = None) -> Iterator[Done]:
    """Run jobs and yield each as it ends: on a GPU one after the other, on a CPU in `processes`.

    Of several processes that were started together, all train a network end to end (`launch`).

    Raises `BaselineError` where a process is killed from outside, as by a kernel without memory.
    """
    if not jobs:
        return
    here = [job for job in jobs if device.type != "cpu" or (launch.is_launched() and _end_to_end(job))]
    for job in here:
        parts = [(seed,) for seed in job.seeds] if _end_to_end(job) else [job.seeds]
        yield from (work(replace(job, seeds=seeds), device) for seeds in parts)
    jobs = [job for job in jobs if job not in here]
    if not jobs:
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
        preload=["baselines.training.jobs"],
        prepare=partial(torch.set_num_threads, 1),
        cleanup=partial(_delete, {job.data for job in jobs}, {job.epochs for job in jobs if job.epochs}),
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


def _end_to_end(job: Job) -> bool:
    return registry.loaded(job.spec).end_to_end is not None


def _delete(files: Set[Path], folders: Set[Path]) -> None:
    """Delete the files of `stored` with their folders, and the other folders: a run that was killed can't."""
    for file in files:
        with suppress(OSError):
            file.unlink()
            file.parent.rmdir()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def work(job: Job, device: torch.device) -> Done:
    """Run one job in this process."""
    began = perf_counter()
    spec = registry.loaded(job.spec)
    data = _read(job.data).of(spec.inputs)
    try:
        with under_way(job.epochs, job.key, job.seeds) as tell:
            fitted = fit(spec, data, job.settings, job.seeds, device, tell, job.unfinished)
    except BaselineError as error:
        return Done(job, (), perf_counter() - began, str(error))
    return Done(job, tuple(fitted), perf_counter() - began)


@lru_cache(maxsize=1)
def _read(path: Path) -> Data:
    return Data.unpacked(torch.load(path, weights_only=True, mmap=True))
