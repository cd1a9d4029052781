"""Measure training of RAW-N-COOK from cached features, and compare it with a plain loop.

    uv run python -m benchmarks.train_memes

`ours`   both autoencoders, 100 epochs on 6,000 unlabelled pairs of 768 features each, then the classifier, 50
         epochs on 2,400 labelled ones; all seeds, a process a core
`plain`  the same modules, epochs and validation in a loop over a `DataLoader` of mini-batches of 40, with
         PyTorch's Adam and StepLR, on all cores, one seed after the other

The two take turns. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import tyro
from torch.utils.data import DataLoader, TensorDataset

from affectory.encoders.text.frozen import FrozenText
from baselines.data.batch import Batch
from baselines.data.encoders import Images
from baselines.data.inputs import Data
from baselines.data.task import SeveralLabels
from baselines.models import registry
from baselines.models.base import total
from baselines.models.semimemes2023.crom_ae import reconstruction
from baselines.models.semimemes2023.features import PAIR
from baselines.models.semimemes2023.settings import RawNCookSettings
from baselines.training import trainer
from baselines.training.loop import new
from baselines.training.trainer import Ask
from benchmarks._measure import machine

TASK = SeveralLabels(("shaming", "stereotype", "objectification", "violence"))
CPU = torch.device("cpu")


def made_up(unlabelled: int, labelled: int, width: int) -> Data:
    """Return pairs whose features tell a little of their labels; half as many as are labelled validate."""
    rng = np.random.default_rng(0)
    held = rng.normal(0, 0.1, (2, len(TASK.names), width))

    def batch(n: int, known: int) -> Batch:
        target = (rng.random((n, len(TASK.names))) < 0.25).astype(np.float32)
        image, text = (target @ one + rng.normal(0, 1, (n, width)) for one in held)
        inputs = dict(zip(PAIR, (torch.from_numpy(one).half() for one in (image, text)), strict=True))
        present = torch.ones(n, 2, dtype=torch.bool)
        return Batch(inputs, present, torch.from_numpy(target), torch.arange(n) < known)

    train, validation = batch(labelled + unlabelled, labelled), batch(labelled // 2, labelled // 2)
    text = FrozenText("made-up", "made-up", "mean", "features", 77, width, "made-up-0-0", "nowhere")
    encoders = {"pair_image": Images(width), "pair_text": text}
    texts = {"train": [""] * train.size, "validation": [""] * validation.size}
    return Data(TASK, train, validation, encoders, texts)


def ours(data: Data, settings: RawNCookSettings, seeds: int) -> float:
    """Train all seeds; return the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        ask = Ask(data, {"raw_n_cook": settings}, tuple(range(seeds)), Path(folder), {}, CPU)
        began = time.perf_counter()
        trainer.train_all(ask)
        return time.perf_counter() - began


def loader(posts: Batch, rows: torch.Tensor, size: int, *, shuffle: bool) -> Any:
    """Return a `DataLoader` of some posts."""
    some = posts.take(rows)
    return DataLoader(TensorDataset(*some.inputs.values(), *some[1:]), size, shuffle=shuffle)


def plain(data: Data, settings: RawNCookSettings, seeds: int) -> float:
    """Train the same, one seed after the other; return the seconds."""
    began = time.perf_counter()
    known = data.train.labelled
    judged = loader(data.validation, torch.arange(data.validation.size), settings.batch, shuffle=False)
    for seed in range(seeds):
        model: Any = new(registry.spec("raw_n_cook"), data, settings, seed)
        stages = (
            (model.crom_ae, ~known, settings.ae_epochs, settings.ae_lr, settings.ae_decay, True),
            (model.classifier, known, settings.epochs, settings.lr, 0.85, False),
        )
        for trained, rows, epochs, lr, decay, cooks in stages:
            for parameter in model.parameters():
                parameter.requires_grad_(False)
            for parameter in trained.parameters():
                parameter.requires_grad_(True)
            weight_decay = settings.ae_weight_decay if cooks else 0.0
            optimiser = torch.optim.Adam(trained.parameters(), lr=lr, weight_decay=weight_decay)
            schedule = torch.optim.lr_scheduler.StepLR(optimiser, 1, decay)
            steps = loader(data.train, rows.nonzero().flatten(), settings.batch, shuffle=True)
            for _ in range(epochs):
                model.train()
                for fields in steps:
                    batch = Batch(dict(zip(PAIR, fields, strict=False)), *fields[2:])
                    loss = total(reconstruction(model, batch) if cooks else model.terms(batch))
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                schedule.step()
                model.eval()
                with torch.no_grad():
                    for fields in judged:
                        model(Batch(dict(zip(PAIR, fields, strict=False)), *fields[2:]))
    return time.perf_counter() - began


def memes(
    seeds: int = 5,
    turns: int = 3,
    unlabelled: int = 6000,
    labelled: int = 2400,
    width: int = 768,
    ae_epochs: int = 100,
    epochs: int = 50,
) -> float:
    """Measure training; return the median of the ratios plain / ours.

    Args:
        seeds: Seeds.
        turns: How often the two take turns.
        unlabelled: Unlabelled training posts.
        labelled: Labelled training posts.
        width: The width of both modalities' features.
        ae_epochs: Epochs of the autoencoders.
        epochs: Epochs of the classifier.
    """
    data = made_up(unlabelled, labelled, width)
    settings = RawNCookSettings(ae_epochs=ae_epochs, epochs=epochs)
    ratios = []
    for _ in range(turns):
        mine = ours(data, settings, seeds)
        print(f"RAW-N-COOK, {seeds} seeds: {mine:.1f} s", flush=True)
        theirs = plain(data, settings, seeds)
        ratios.append(theirs / mine)
        print(f"the plain way: {theirs:.1f} s, {ratios[-1]:.1f} times", flush=True)
    print(f"median: {median(ratios):.1f} times")
    return median(ratios)


def main() -> None:
    """Measure training of RAW-N-COOK."""
    print(machine(), f"torch {torch.__version__}, {os.cpu_count()} cores")
    tyro.cli(memes)


if __name__ == "__main__":
    main()
