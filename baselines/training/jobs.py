"""Fits side by side: a seed a process on a CPU, all seeds of a model together on a GPU.

A worker reads what it trains on from a file, once, and works on one core.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch

from affectory.core.errors import BaselineError
from affectory.core.processes import Pool
from affectory.encoders.text.subwords import Subwords
from affectory.encoders.text.words import Vectors
from baselines.data.batch import Batch
from baselines.data.inputs import Inputs
from baselines.data.release import Part
from baselines.models.duong2017.fasttext import fit_text
from baselines.results.schema import Stopped
from baselines.settings import Settings, TextSettings
from baselines.training.loop import Data, Fitted, fit


@dataclass(frozen=True, slots=True)
class Job:
    """A model to train with some seeds on what a file holds (`stored`)."""

    key: str  # what the caller knows it by
    model: str
    data: Path
    settings: Settings | TextSettings
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """A job that has ended."""

    job: Job
    fitted: tuple[Fitted, ...]
    seconds: float


class _Texts(NamedTuple):
    texts: list[str]
    labels: list[int]


@contextmanager
def stored(inputs: Inputs) -> Iterator[Path]:
    """Write what the models are trained on to a file that lives as long as the block."""
    with tempfile.TemporaryDirectory(prefix="affectory-") as folder:
        path = Path(folder) / "data.pt"
        parts = inputs.release.parts
        torch.save(
            {
                "train": tuple(inputs.batches["train"]),
                "validation": tuple(inputs.batches["validation"]),
                "vectors": torch.from_numpy(inputs.words.start),
                "classes": len(inputs.release.classes),
                "texts": {split: _with_text(parts[split]) for split in ("train", "validation")},
                "given": _given(inputs.vectors),
            },
            path,
        )
        yield path


def _given(vectors: Vectors | None) -> tuple[str, list[str], torch.Tensor] | None:
    if vectors is None:
        return None
    rows = torch.from_numpy(np.stack(list(vectors.rows.values()) or [np.zeros(vectors.width, np.float32)]))
    return vectors.name, list(vectors.rows), rows


def _with_text(part: Part) -> tuple[list[str], list[int]]:
    rows = part.take(part.texts != "")
    return rows.texts.tolist(), rows.labels.tolist()


def run(jobs: Sequence[Job], device: torch.device, processes: int | None = None) -> Iterator[Done]:
    """Run jobs and yield each as it ends: on a GPU one after the other, on a CPU in `processes`.

    Raises `BaselineError` where a process is killed from outside, as by a kernel without memory.
    """
    if not jobs:
        return
    if device.type != "cpu":
        yield from (work(job, device) for job in jobs)
        return
    dealt = [
        replace(job, seeds=seeds)
        for job in sorted(jobs, key=lambda job: _COST.index(job.model))
        # fastText's seeds are cheaper together: its steps are tiny.
        for seeds in ([job.seeds] if job.model == "text" else [(seed,) for seed in job.seeds])
    ]
    number = min(processes or os.cpu_count() or 1, len(dealt))
    with Pool(
        number,
        preload=["baselines.training.jobs"],
        prepare=partial(torch.set_num_threads, 1),
        cleanup=partial(_delete, {job.data for job in jobs}),
    ) as pool:
        try:
            waiting = [pool.submit(work, job, torch.device("cpu")) for job in dealt]
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


#: The longest first, so that no core waits in the end.
_COST = ("text", "common", "joint", "early", "image")


def work(job: Job, device: torch.device) -> Done:
    """Run one job in this process."""
    began = perf_counter()
    found = _read(job.data)
    if isinstance(job.settings, TextSettings):
        texts = {split: _Texts(*found["texts"][split]) for split in ("train", "validation")}
        vectors = None
        if found["given"]:
            name, words, rows = found["given"]
            vectors = Vectors(name, rows.shape[1], dict(zip(words, rows.numpy(), strict=False)))
        fitted = _fit_text(
            **texts, classes=found["classes"], vectors=vectors, settings=job.settings, seeds=job.seeds
        )
    else:
        data = Data(Batch(*found["train"]), Batch(*found["validation"]), found["vectors"], found["classes"])
        fitted = fit(job.model, data, job.settings, job.seeds, device)
    return Done(job, tuple(fitted), perf_counter() - began)


@lru_cache(maxsize=1)
def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(path, weights_only=True, mmap=True)
    return found


def _fit_text(
    train: _Texts,
    validation: _Texts,
    classes: int,
    vectors: Vectors | None,
    settings: TextSettings,
    seeds: Sequence[int],
) -> list[Fitted]:
    """Train fastText, which knows no early stopping; validation tells settings apart."""
    subwords = Subwords.fit(train.texts, settings, vectors.rows if vectors else ())
    models = fit_text(subwords, train.texts, train.labels, classes, seeds, vectors=vectors)
    tokens = torch.from_numpy(subwords.encode_all(validation.texts))
    label = torch.tensor(validation.labels)
    batch = Batch(torch.zeros(len(label), 1), tokens, torch.ones(len(label), 2, dtype=torch.bool), label)
    fitted = []
    for seed, model in zip(seeds, models, strict=True):
        if isinstance(model, Stopped):
            fitted.append(Fitted(seed, {}, 0, math.nan, -math.inf, model.reason))
            continue
        with torch.no_grad():
            logs = torch.log_softmax(model(batch).double(), -1)
        accuracy = float((logs.argmax(-1) == label).double().mean())
        likelihood = float(logs[torch.arange(len(label)), label].mean())
        fitted.append(Fitted(seed, model.state_dict(), settings.epoch, accuracy, likelihood))
    return fitted
