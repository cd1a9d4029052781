"""Measure training of a family's models from cached features, and compare it with a plain loop.

    uv run python -m benchmarks.train
    uv run python -m benchmarks.train --family multitask

`ours`   all models of the family, five seeds each, with early stopping, on generated data: of Reddit's size
         2,600 training posts, 2048-d features, titles as long as Reddit's; for the multitask family (Table 2
         of Pagé Fortin and Chaib-draa) 6,500 pairs, 1024-d features, texts of 6 to 31 words, 300-d vectors
`plain`  the same number of epochs, in a loop over a `DataLoader` for each model and seed, with PyTorch's
         dropout, embedding, `Conv1d` and optimiser. The text-based model too has mini-batches of 64 texts,
         whereas fastText and ours make a step for each text. Late fusion trains nothing

The peak memory is that of ours, of this program and its processes together.

Run it on a machine that does nothing else.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import tyro
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from affectory.encoders.text.subwords import Subwords
from baselines import experiment
from baselines.data import inputs
from baselines.data.batch import PADDING, Batch
from baselines.data.encoders import Images
from baselines.data.inputs import Data
from baselines.data.release import SPLITS, Part, Release
from baselines.data.task import SingleLabel
from baselines.models import registry
from baselines.models.base import total
from baselines.models.kernels import max_of_words_plain
from baselines.training import trainer
from baselines.training.trainer import Ask
from benchmarks._measure import machine, peak_memory


class Shape(NamedTuple):
    """The size of the generated data. An eighth as many posts are for validation, and for test."""

    inputs: tuple[str, ...]
    posts: int  # of training
    width: int  # of the features
    words: int  # different ones, at most
    lengths: tuple[int, int]  # words of a text, beside the one that tells the class
    vectors: int  # the width of the word vectors


SHAPES = {
    "duong2017": Shape(("image", "words"), 2600, 2048, 6000, (3, 20), 200),
    "multitask": Shape(("image", "cased_words"), 6500, 1024, 10_000, (5, 31), 300),
}
TASK = SingleLabel(("joy", "fear", "anger", "disgust"))
CPU = torch.device("cpu")


def made_up(shape: Shape) -> Data:
    """Return posts whose features and words tell a little of their class."""
    posts, width = shape.posts, shape.width
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 0.06, (len(TASK.names), width))
    parts, features = {}, {}
    for number, split in enumerate(SPLITS):
        n = posts if split == "train" else posts // 8
        labels = rng.integers(0, len(TASK.names), n)
        features[split] = (rng.normal(0, 1, (n, width)) + centres[labels]).astype(np.float16)
        lengths = rng.integers(*shape.lengths, n)
        texts = [
            " ".join([f"c{label}w{rng.integers(40)}", *(f"w{i}" for i in rng.zipf(1.3, k) % shape.words)])
            for label, k in zip(labels, lengths, strict=True)
        ]
        ids = np.array([f"{split}{i}" for i in range(n)])
        parts[split] = Part(
            post_ids=ids,
            image_index=np.zeros(n, np.int16),
            texts=np.array(texts, object),
            target=labels,
            labelled=np.ones(n, np.bool_),
            digests=ids.astype(object),
            groups=ids,
            where=np.column_stack([np.full(n, number), np.arange(n)]),
        )
    release = Release("made-up", "0.0.0", TASK, parts, rows=None)
    return inputs.prepare(release, shape.inputs, {"image": Images(width, features)}, width=shape.vectors)


def ours(data: Data, family: str, seeds: int) -> tuple[float, dict[str, list[int]]]:
    """Train all models of a family; return the seconds, and the epochs that each network took."""
    models = registry.selected([family])
    settings: dict[str, Any] = experiment.chosen(models, {}, {})
    with tempfile.TemporaryDirectory() as folder:
        ask = Ask(data, settings, tuple(range(seeds)), Path(folder), {}, CPU)
        began = time.perf_counter()
        found = trainer.train_all(ask)
        found |= trainer.combined(ask, models, found)
        seconds = time.perf_counter() - began
    epochs = {}
    for model in models:
        epochs[model] = [one.epoch for one in found[model]]
        if registry.spec(model).stages:  # trained on past the best epoch
            last = settings[model].epochs
            epochs[model] = [min(one.epoch + settings[model].patience, last) for one in found[model]]
        own = sum(one.seconds for one in found[model])
        print(f"{model:<8}{own:>8.1f} s of one core   epochs {', '.join(map(str, epochs[model]))}")
    return seconds, {model: each for model, each in epochs.items() if registry.spec(model).made_of is None}


class PlainText(nn.Module):
    """The text's encoder in the library's own parts: dense gradients of all words."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.lookup = nn.Embedding.from_pretrained(
            encoder.lookup.weight.detach().clone(), freeze=False, padding_idx=PADDING
        )
        self.dropout = encoder.dropout

    def forward(self, tokens: Tensor) -> Tensor:
        """Return float[B, d] for int64[B, L]."""
        return max_of_words_plain(self.lookup, tokens, self.dropout if self.training else 0.0)


class PlainTextual(nn.Module):
    """The textual network in the library's own parts: every text as long as the longest, dense gradients."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        vectors = network.lookup.weight.detach().clone()
        self.lookup = nn.Embedding.from_pretrained(vectors, freeze=False, padding_idx=PADDING)
        self.dropout = nn.Dropout(network.dropout)
        shapes = [weight.shape for weight in network.convolutions.weights]
        self.convolutions = nn.ModuleList(nn.Conv1d(d, filters, width) for width, filters, d in shapes)
        self.last = network.last

    def forward(self, tokens: Tensor) -> Tensor:
        """Return float[B, 300] for int64[B, L]."""
        lengths = (tokens != PADDING).sum(1, keepdim=True)
        words = self.dropout(self.lookup(tokens)).transpose(1, 2)
        pooled = []
        for convolution in self.convolutions:
            found = convolution(words).relu()
            windows = (lengths - convolution.kernel_size[0] + 1).clamp(min=1)
            real = (torch.arange(found.shape[2]) < windows).unsqueeze(1)
            pooled.append(found.masked_fill(~real, -torch.inf).amax(2))
            pooled.append((found * real).sum(2) / windows)
            pooled.append(found.masked_fill(~real, torch.inf).amin(2))
        return torch.relu(self.last(torch.cat(pooled, 1)))


class PlainTextBased(nn.Module):
    """fastText's model in the library's own parts."""

    def __init__(self, rows: int, dim: int) -> None:
        super().__init__()
        self.rows = nn.EmbeddingBag(rows, dim, mode="mean", padding_idx=PADDING)
        self.output = nn.Linear(dim, len(TASK.names), bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits, float[B, C]."""
        logits: Tensor = self.output(self.rows(tokens))
        return logits


def others(batch: Batch, train: Batch, number: int) -> dict[str, Tensor]:
    """Draw texts of other classes for each post."""
    fits = (train.target != batch.target.unsqueeze(-1)).double()
    words = train.inputs["words"][torch.multinomial(fits, number)]
    return {"other_texts": words, "pattern": torch.arange(batch.size)}


def loop(model: Any, train: Batch, validation: Batch, settings: Any, epochs: int, stage: Any) -> None:
    """Train a model with a loop over a `DataLoader`, on all cores."""
    names = list(train.inputs)
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[stage.optimiser.kind]
    optimiser = kind(
        [
            {
                "params": [value],
                "lr": next((g.lr for g in stage.optimiser.groups if g.part in key), stage.optimiser.lr),
            }
            for key, value in model.named_parameters()
        ],
        lr=stage.optimiser.lr,
    )
    loader = DataLoader(TensorDataset(*train.inputs.values(), *train[1:]), settings.batch, shuffle=True)
    judged = DataLoader(TensorDataset(*validation.inputs.values(), *validation[1:]), settings.batch)
    for _ in range(epochs):
        model.train()
        for fields in loader:
            batch = Batch(dict(zip(names, fields, strict=False)), *fields[len(names) :])
            if stage.other_texts:
                batch.inputs.update(others(batch, train, stage.other_texts))
            loss = total(model.terms(batch))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        model.eval()
        with torch.no_grad():
            for fields in judged:
                model(Batch(dict(zip(names, fields, strict=False)), *fields[len(names) :]))


def loop_text(data: Data, settings: Any, epochs: int) -> None:
    """Train fastText's model with a loop over a `DataLoader`."""
    subwords = Subwords.fit(data.texts["train"], settings.ngrams)
    tokens = {split: torch.from_numpy(subwords.encode(texts)) for split, texts in data.texts.items()}
    model = PlainTextBased(len(subwords), settings.dim or 100)
    optimiser = torch.optim.SGD(model.parameters(), lr=settings.lr)
    loader = DataLoader(TensorDataset(tokens["train"], data.train.target), 64, shuffle=True)
    for _ in range(epochs):
        for ids, target in loader:
            loss = nn.functional.cross_entropy(model(ids), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.no_grad():
            model(tokens["validation"])


def plain(data: Data, epochs: dict[str, list[int]]) -> float:
    """Train the same, one model and seed after the other; return the seconds."""
    began = time.perf_counter()
    for name, of_seeds in epochs.items():
        spec = registry.spec(name)
        assert spec.settings is not None
        settings: Any = spec.settings()
        for seed, number in enumerate(of_seeds):
            torch.manual_seed(seed)
            if spec.stages is None or spec.build is None:
                loop_text(data, settings, number)
                continue
            own = data.of(spec.inputs)
            model: Any = spec.build(TASK, own.encoders, settings)
            model.measure(own.train)
            if hasattr(model, "text"):
                model.text = PlainText(model.text)
            if hasattr(model, "textual"):
                model.textual = PlainTextual(model.textual)
            loop(model, own.train, own.validation, settings, number, spec.stages(settings)[0])
        print(f"{name:<8}{time.perf_counter() - began:>8.1f} s so far, the plain way", flush=True)
    return time.perf_counter() - began


def main(
    family: Literal["duong2017", "multitask"] = "duong2017",
    seeds: int = 5,
    turns: int = 3,
    posts: int | None = None,
    width: int | None = None,
) -> None:
    """Measure training.

    Args:
        family: The family of models.
        seeds: Seeds of each model.
        turns: How often the two take turns; 0 measures ours alone, once.
        posts: Training posts.
        width: The width of the features.
    """
    print(machine(), f"torch {torch.__version__}, {os.cpu_count()} cores")
    shape = SHAPES[family]
    data = made_up(shape._replace(posts=posts or shape.posts, width=width or shape.width))
    ratios = []
    for _ in range(max(1, turns)):
        with peak_memory() as memory:
            mine, epochs = ours(data, family, seeds)
        print(f"{family}, {seeds} seeds: {mine:.1f} s, peak memory {max(memory):,.0f} MB", flush=True)
        if turns:
            theirs = plain(data, epochs)
            ratios.append(theirs / mine)
            print(f"the plain way: {theirs:.1f} s, {ratios[-1]:.1f} times", flush=True)
    if ratios:
        print(f"median: {median(ratios):.1f} times")


if __name__ == "__main__":
    tyro.cli(main)
