"""Text-based classification: fastText (Joulin et al. 2016), trained as its C++ does.

Duong et al. 2017, section 5.3, name fastText without pretrained vectors, and no setting of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from affectory.core.errors import BaselineError
from affectory.encoders.text.subwords import Ngrams, Subwords
from baselines.data.batch import PADDING, TEXT, Batch
from baselines.data.inputs import Data
from baselines.data.task import Task
from baselines.models.base import Fitted, Model, Spec
from baselines.models.duong2017 import fasttext
from baselines.models.settings import ModelSettings, setting

#: fastText's own width of a row.
DIM = 100


@dataclass(frozen=True, slots=True)
class TextSettings(ModelSettings):
    """fastText's settings, under its own names."""

    lr: float = setting(0.25, "first learning rate; it goes down to 0", above=0)
    dim: int | None = setting(None, "width of a row; none: the width of --vectors, or 100", least=1)
    epoch: int = setting(20, "times each text is read", least=1)
    minCount: int = setting(1, "a word that is rarer has no row", least=1)
    wordNgrams: int = setting(1, "words of the longest word n-gram", least=1)
    minn: int = setting(3, "characters of the shortest character n-gram", least=0)
    maxn: int = setting(6, "characters of the longest one; 0: none", least=0)
    bucket: int = setting(2_000_000, "numbers that n-grams are hashed to", least=1)
    lrUpdateRate: int = setting(100, "tokens between two changes of the learning rate", least=1)

    def __post_init__(self) -> None:
        ModelSettings.__post_init__(self)
        if self.maxn and self.minn > self.maxn:
            raise BaselineError(f"minn = {self.minn!r} is above maxn = {self.maxn!r}: no n-gram is that long")

    @property
    def ngrams(self) -> Ngrams:
        """What has a row."""
        return Ngrams(self.minCount, self.wordNgrams, self.minn, self.maxn, self.bucket)


class TextBased(Model):
    """The mean of the rows of a text's words and n-grams, then a linear layer without bias.

    P(y|s) = softmax(B · 1/n Σ A[tokens]); of several labels the sigmoid. `rows`: float[R, d], A, row 0 for
    padding; `output`: float[C, d], B. int64[B, L] -> float[B, C]. A post without text has hidden zero, so
    every class is as likely.
    """

    def __init__(self, task: Task, rows: Tensor, output: Tensor) -> None:
        super().__init__(task)
        self.rows = nn.Parameter(rows)
        self.output = nn.Parameter(output)

    def hidden(self, batch: Batch) -> Tensor:
        """Return the mean rows, float[B, d]; zeros where there is no text."""
        tokens = batch.inputs["ngrams"]
        real = (tokens != PADDING) & batch.present[:, TEXT].unsqueeze(-1)
        tokens = tokens.masked_fill(~real, PADDING)
        return nn.functional.embedding_bag(tokens, self.rows, mode="mean", padding_idx=PADDING)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        return {"y": self.hidden(batch) @ self.output.T}

    def add_words(self, vectors: Tensor) -> None:
        """Append rows of words that training never saw."""
        self.rows = nn.Parameter(torch.cat([self.rows, vectors.to(self.rows.dtype)]))


def build(task: Task, encoders: Mapping[str, Any], settings: TextSettings) -> TextBased:
    """Return a model of zeros, for the parameters of a checkpoint."""
    subwords = encoders["ngrams"]
    return TextBased(
        task,
        torch.zeros(len(subwords), subwords.width),
        torch.zeros(len(task.names), subwords.width),
    )


def fit(data: Data, settings: TextSettings, seeds: Sequence[int], device: torch.device) -> list[Fitted]:
    """Train on the labelled posts with a text. fastText has no early stopping; validation compares settings.

    It runs on the CPU, whatever `device` is. Raises `BaselineError` for vectors of another width than `dim`.
    """
    held = (data.train.labelled & data.train.present[:, TEXT]).numpy()
    texts = [data.texts["train"][row] for row in np.flatnonzero(held).tolist()]
    target = data.train.target.numpy()[held]
    width = settings.dim or (data.vectors.width if data.vectors else DIM)
    subwords = Subwords.fit(texts, settings.ngrams, data.vectors.rows if data.vectors else ())
    subwords = replace(subwords, width=width, source=data.vectors.source if data.vectors else None)
    trained = fasttext.fit(subwords, texts, target, data.task, settings, seeds, data.vectors)
    posts = data.validation._replace(
        inputs={"ngrams": torch.from_numpy(subwords.encode(data.texts["validation"]))}
    )
    posts = posts.take(posts.present[:, TEXT].nonzero().flatten())
    encoders = {"ngrams": subwords.state()}
    fitted = []
    for seed, one in zip(seeds, trained, strict=True):
        if isinstance(one, str):
            fitted.append(Fitted(seed, {}, 0, float("nan"), float("-inf"), one))
            continue
        rows, output = map(torch.from_numpy, one)
        with torch.no_grad():
            logits = TextBased(data.task, rows, output)(posts)["y"].double()
        score, likelihood, selected = data.task.judged(logits, posts.target)
        state = {"rows": rows, "output": output}
        fitted.append(
            Fitted(seed, state, settings.epoch, score, likelihood, encoders=encoders, selected=selected)
        )
    return fitted


def grid(settings: TextSettings) -> list[dict[str, Any]]:
    """Return the candidates of `--tune`: the two best schedules of each n-grams (docs/settings.md)."""
    schedules = {
        (1, 0, 0): ((0.5, 5), (0.1, 20)),
        (2, 0, 0): ((0.25, 10), (1.0, 5)),
        (1, 3, 6): ((0.25, 20), (0.1, 50)),
        (2, 2, 5): ((1.0, 10), (0.5, 20)),
    }
    return [
        {"wordNgrams": n, "minn": low, "maxn": high, "lr": lr, "epoch": epoch}
        for (n, low, high), each in schedules.items()
        for lr, epoch in each
    ]


SPEC = Spec(
    name="text",
    title=lambda settings: "Text-based",
    reads=("text",),
    inputs=("ngrams",),
    settings=TextSettings,
    build=build,
    fit=fit,
    grid=grid,
    cost=5,
    seeds_together=True,
    ranks_by="score",
    selects="nothing",
)
