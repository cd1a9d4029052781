"""Training from cached features: all six models, and beside the plain way.

    uv run python -m benchmarks.train

`ours`   six models, five seeds each, with early stopping, on a made-up set of Reddit's size: 2,600 training
         posts, 2048-d features, titles as long as Reddit's
`plain`  the four neural models for as many epochs each, one loop over a `DataLoader` for each model and seed,
         with the library's own dropout and embedding

Run it on a machine that does nothing else.
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
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from baselines import fitting, inputs, losses, models
from baselines.batch import PADDING, Batch
from baselines.data import SPLITS, Part, Release
from baselines.experiment import chosen
from baselines.fitting import Ask
from baselines.models.parts import pool
from baselines.settings import MODELS, NEURAL, Settings
from baselines.settings import TEXT as TEXT_SETTINGS
from benchmarks.machine import machine

SIZES = {"train": 2600, "validation": 327, "test": 325}
CLASSES = ("joy", "fear", "anger", "disgust")
CPU = torch.device("cpu")


def made_up(width: int = 2048) -> inputs.Inputs:
    """Return posts whose features and words tell a little of their class."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 0.06, (len(CLASSES), width))
    parts, features = {}, {}
    for number, split in enumerate(SPLITS):
        n = SIZES[split]
        labels = rng.integers(0, len(CLASSES), n)
        features[split] = (rng.normal(0, 1, (n, width)) + centres[labels]).astype(np.float16)
        lengths = rng.integers(3, 20, n)
        texts = [
            " ".join([f"c{label}w{rng.integers(40)}", *(f"w{i}" for i in rng.zipf(1.3, k) % 6000)])
            for label, k in zip(labels, lengths, strict=True)
        ]
        ids = np.array([f"{split}{i}" for i in range(n)])
        where = np.column_stack([np.full(n, number), np.arange(n)])
        parts[split] = Part(
            ids, np.zeros(n, np.int16), np.array(texts, object), labels, ids.astype(object), ids, where
        )
    release = Release("made-up", "0.0.0", CLASSES, parts, rows=None)
    return inputs.prepare(release, inputs.Images(width, features), None, 200)


def ours(made: inputs.Inputs, seeds: int) -> tuple[float, dict[str, list[int]]]:
    """Train all six models; return the seconds, and the epochs that each network took."""
    settings = chosen(MODELS, Settings(), TEXT_SETTINGS, made)
    with tempfile.TemporaryDirectory() as folder:
        ask = Ask(made, settings, tuple(range(seeds)), Path(folder), None, CPU)
        began = time.perf_counter()
        found = fitting.train_all(ask)
        found["late"] = fitting.late(ask, found["image"], found["text"])
        seconds = time.perf_counter() - began
    last = Settings().patience, Settings().epochs
    epochs = {name: [min(one.epoch + last[0], last[1]) for one in found[name]] for name in NEURAL}
    for model in MODELS:
        own = sum(one.seconds for one in found[model])
        print(f"{model:<8}{own:>8.1f} s of one core   epochs {', '.join(map(str, epochs.get(model, [])))}")
    return seconds, epochs


class PlainText(nn.Module):
    """The text's encoder in the library's own parts: dense gradients of all words, a float a decision."""

    def __init__(self, vectors: torch.Tensor, settings: Settings) -> None:
        super().__init__()
        self.lookup = nn.Embedding.from_pretrained(vectors.clone(), freeze=False, padding_idx=PADDING)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return float[B, d] for int64[B, L]."""
        real = (tokens != PADDING).unsqueeze(-1)
        return pool(self.dropout(self.lookup(tokens)), real, -2, "max")


def plain_loss(model: Any, batch: Batch, train: Batch, negatives: int) -> torch.Tensor:
    """The model's loss; the common space's texts of other classes are any of the training posts', encoded."""
    if not negatives:
        loss: torch.Tensor = model.loss(batch, batch.label.new_zeros(len(batch.label), 0))
        return loss
    others = (train.label != batch.label.unsqueeze(-1)).double()
    drawn = model.text(train.tokens[torch.multinomial(others, negatives)].flatten(0, 1))
    image, text = model.vectors(batch)
    likelihood = nn.functional.cross_entropy(model.fuse(image, text, batch.present), batch.label)
    apart = losses.common_space(image, text, drawn.unflatten(0, (-1, negatives)))
    return model.weight * likelihood + apart.mean()


def plain(made: inputs.Inputs, epochs: dict[str, list[int]]) -> float:
    """Train the same with a loop over a `DataLoader` for each model and seed, on all cores; give seconds."""
    batches, vectors = made.batches, torch.from_numpy(made.words.start)
    settings, began = Settings(), time.perf_counter()
    for name in NEURAL:
        for seed, number in enumerate(epochs[name]):
            torch.manual_seed(seed)
            model: Any = models.make(name, batches["train"].image.shape[1], vectors, len(CLASSES), settings)
            model.measure(batches["train"])
            if name != "image":
                model.text = PlainText(vectors, settings)
            optimiser = torch.optim.SGD(model.parameters(), lr=settings.lr * model.pace)
            loader = DataLoader(TensorDataset(*batches["train"]), settings.batch, shuffle=True)
            for _ in range(number):
                model.train()
                for fields in loader:
                    loss = plain_loss(model, Batch(*fields), batches["train"], model.negatives_per_post)
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                model.eval()
                with torch.no_grad():
                    for fields in DataLoader(TensorDataset(*batches["validation"]), settings.batch):
                        model(Batch(*fields))
    return time.perf_counter() - began


def main(seeds: int = 5, turns: int = 3) -> None:
    """Measure training.

    Args:
        seeds: Seeds of each model.
        turns: How often the two take turns; 0 measures ours alone, once.
    """
    print(machine(), f"torch {torch.__version__}, {os.cpu_count()} cores")
    made = made_up()
    ratios = []
    for _ in range(max(1, turns)):
        mine, epochs = ours(made, seeds)
        print(f"six models, {seeds} seeds: {mine:.1f} s", flush=True)
        if turns:
            theirs = plain(made, epochs)
            ratios.append(theirs / mine)
            print(f"four of them the plain way: {theirs:.1f} s, {ratios[-1]:.1f} times", flush=True)
    if ratios:
        print(f"median: {median(ratios):.1f} times")


if __name__ == "__main__":
    tyro.cli(main)
