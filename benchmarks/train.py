"""Measure training of all six models from cached features, and compare it with a plain loop.

    uv run python -m benchmarks.train

`ours`   six models, five seeds each, with early stopping, on generated data of Reddit's size: 2,600 training
         posts, 2048-d features, titles as long as Reddit's
`plain`  the same number of epochs, in a loop over a `DataLoader` for each model and seed, with PyTorch's
         dropout, embedding and optimiser. The text-based model too has mini-batches of 64 texts, whereas
         fastText and ours make a step for each text. Late fusion trains nothing

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

from baselines import models
from baselines.data import inputs
from baselines.data.batch import PADDING, Batch
from baselines.data.release import SPLITS, Part, Release
from baselines.experiment import chosen
from baselines.models.duong2017 import losses
from baselines.models.duong2017.parts import pool
from baselines.settings import MODELS, NEURAL, Settings, TextSettings
from baselines.settings import TEXT as TEXT_SETTINGS
from baselines.training import fitting
from baselines.training.fitting import Ask
from benchmarks._measure import machine

POSTS = 2600  # of training; an eighth as many are for validation, and for test
CLASSES = ("joy", "fear", "anger", "disgust")
CPU = torch.device("cpu")


def made_up(posts: int, width: int) -> inputs.Inputs:
    """Return posts whose features and words tell a little of their class."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 0.06, (len(CLASSES), width))
    parts, features = {}, {}
    for number, split in enumerate(SPLITS):
        n = posts if split == "train" else posts // 8
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
    epochs["text"] = [TEXT_SETTINGS.epoch] * seeds
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


class PlainTextBased(nn.Module):
    """fastText's model in the library's own parts."""

    def __init__(self, rows: int, settings: TextSettings) -> None:
        super().__init__()
        self.rows = nn.EmbeddingBag(rows, settings.dim, mode="mean", padding_idx=PADDING)
        self.output = nn.Linear(settings.dim, len(CLASSES), bias=False)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return logits, float[B, C]."""
        logits: torch.Tensor = self.output(self.rows(batch.tokens))
        return logits


def loop(
    model: Any, name: str, batches: dict[str, Batch], lr: float, epochs: int, word_rate: float = 1.0
) -> None:
    """Train a model with a loop over a `DataLoader`, on all cores."""
    words = [value for key, value in model.named_parameters() if "lookup" in key]
    others = [value for key, value in model.named_parameters() if "lookup" not in key]
    groups = [{"params": others, "lr": lr}, {"params": words, "lr": lr * word_rate}]
    optimiser = torch.optim.SGD(groups if words else others, lr=lr)
    size = Settings().batch
    loader = DataLoader(TensorDataset(*batches["train"]), size, shuffle=True)
    for _ in range(epochs):
        model.train()
        for fields in loader:
            batch = Batch(*fields)
            if name == "text":
                loss = nn.functional.cross_entropy(model(batch), batch.label)
            else:
                loss = plain_loss(model, batch, batches["train"], model.negatives_per_post)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        model.eval()
        with torch.no_grad():
            for fields in DataLoader(TensorDataset(*batches["validation"]), size):
                model(Batch(*fields))


def plain(made: inputs.Inputs, epochs: dict[str, list[int]]) -> float:
    """Train the same, one model and seed after the other; return the seconds."""
    vectors, settings, began = torch.from_numpy(made.words.start), Settings(), time.perf_counter()
    for name, of_seeds in epochs.items():
        for seed, number in enumerate(of_seeds):
            torch.manual_seed(seed)
            batches = made.batches
            if name == "text":
                subwords = made.subwords(TEXT_SETTINGS)
                texts = {split: made.release.parts[split].texts.tolist() for split in SPLITS}
                tokens = {split: torch.from_numpy(subwords.encode_all(texts[split])) for split in SPLITS}
                batches = {split: batches[split]._replace(tokens=tokens[split]) for split in SPLITS}
                loop(PlainTextBased(len(subwords), TEXT_SETTINGS), name, batches, TEXT_SETTINGS.lr, number)
                continue
            model: Any = models.make(name, batches["train"].image.shape[1], vectors, len(CLASSES), settings)
            model.measure(batches["train"])
            if name != "image":
                model.text = PlainText(vectors, settings)
            loop(model, name, batches, settings.lr * model.pace, number, settings.word_rate)
        print(f"{name:<8}{time.perf_counter() - began:>8.1f} s so far, the plain way", flush=True)
    return time.perf_counter() - began


def main(seeds: int = 5, turns: int = 3, posts: int = POSTS, width: int = 2048) -> None:
    """Measure training.

    Args:
        seeds: Seeds of each model.
        turns: How often the two take turns; 0 measures ours alone, once.
        posts: Training posts.
        width: The width of the features.
    """
    print(machine(), f"torch {torch.__version__}, {os.cpu_count()} cores")
    made = made_up(posts, width)
    ratios = []
    for _ in range(max(1, turns)):
        mine, epochs = ours(made, seeds)
        print(f"six models, {seeds} seeds: {mine:.1f} s", flush=True)
        if turns:
            theirs = plain(made, epochs)
            ratios.append(theirs / mine)
            print(f"the plain way: {theirs:.1f} s, {ratios[-1]:.1f} times", flush=True)
    if ratios:
        print(f"median: {median(ratios):.1f} times")


if __name__ == "__main__":
    tyro.cli(main)
