"""TF-IDF of words, word bigrams and 2 to 5 characters, and a logistic regression.

The usual linear reference of text classification, hard to beat on a few thousand short texts (Wang and
Manning 2012, Baselines and Bigrams: Simple, Good Sentiment and Topic Classification).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from affectory.core.errors import BaselineError
from affectory.encoders.text.tfidf import NgramRange, Tfidf
from baselines.data.batch import TEXT, Batch
from baselines.data.inputs import Data
from baselines.data.task import Task
from baselines.models.base import Fitted, Model, Spec
from baselines.models.settings import setting
from baselines.models.today.regression import Posts, RegressionSettings, check, readable, search


@dataclass(frozen=True, slots=True)
class TfidfSettings(RegressionSettings):
    """Of the n-grams, under scikit-learn's names, and of the regression."""

    words: int = setting(2, "words of the longest word n-gram", least=1)
    shortest: int = setting(2, "characters of the shortest character n-gram", least=1)
    longest: int = setting(5, "characters of the longest one", least=1)
    analyzer: Literal["char_wb", "char"] = setting("char_wb", "character n-grams within words, or across")
    word_min_df: int = setting(1, "training texts that a word n-gram must be in", least=1)
    char_min_df: int = setting(2, "training texts that a character n-gram must be in", least=1)
    sublinear_tf: bool = setting(True, "1 + ln(count) in place of the count")

    def __post_init__(self) -> None:
        RegressionSettings.__post_init__(self)
        if self.shortest > self.longest:
            raise BaselineError(f"shortest = {self.shortest} is above longest = {self.longest}: no n-gram")

    @property
    def ngrams(self) -> NgramRange:
        """What has a column."""
        return NgramRange(
            self.words,
            self.shortest,
            self.longest,
            self.analyzer,
            self.word_min_df,
            self.char_min_df,
            self.sublinear_tf,
        )


class TfidfLinear(Model):
    """A linear layer on TF-IDF: Σ value · W[column] + b. float[B, L, 2] -> float[B, C].

    `weight`: float[D, C], a row for each column. A post without text gets the bias alone.
    """

    def __init__(self, task: Task, width: int) -> None:
        super().__init__(task)
        self.weight = nn.Parameter(torch.zeros(width, len(task.names)))
        self.bias = nn.Parameter(torch.zeros(len(task.names)))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        columns, values = batch.inputs["tfidf"].unbind(-1)
        values = values * batch.present[:, TEXT].unsqueeze(-1)
        summed = nn.functional.embedding_bag(
            columns.long(), self.weight, per_sample_weights=values.to(self.weight.dtype), mode="sum"
        )
        return {"y": summed + self.bias}


def build(task: Task, encoders: Mapping[str, Any], settings: TfidfSettings) -> TfidfLinear:
    """Return a model of zeros, for the parameters of a checkpoint."""
    return TfidfLinear(task, encoders["tfidf"].width)


def fit(data: Data, settings: TfidfSettings, seeds: Sequence[int], device: torch.device) -> list[Fitted]:
    """Train on the labelled posts with a text, on the CPU, whatever `device` is; once for all seeds.

    Raises `BaselineError` where such a post is missing for a class.
    """
    rows = {"train": readable(data.train, ("text",)), "validation": readable(data.validation, ("text",))}
    target = {split: getattr(data, split).target[mine] for split, mine in rows.items()}
    check("tfidf", ("text",), target["train"], target["validation"], data.task)
    texts = {split: [data.texts[split][row] for row in mine.tolist()] for split, mine in rows.items()}
    encoder = Tfidf.fit(texts["train"], settings.ngrams)
    train, validation = (Posts(matrix(encoder, texts[split]), target[split]) for split in rows)
    layer = search(train, validation, data.task, settings)
    state = {"weight": _parameter(layer.weight.T), "bias": _parameter(layer.bias)}
    return layer.for_seeds(seeds, state, {"tfidf": encoder.state()})


def matrix(encoder: Tfidf, texts: Sequence[str]) -> Any:
    """Return the TF-IDF of texts as a sparse matrix of SciPy, float64[n, D]."""
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

    starts, ids, values = encoder.sparse(texts)
    return csr_matrix((values, ids, starts), shape=(len(texts), encoder.width))


def _parameter(values: Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


SPEC = Spec(
    name="tfidf",
    title=lambda settings: "TF-IDF, logistic regression",
    reads=("text",),
    inputs=("tfidf",),
    settings=TfidfSettings,
    build=build,
    fit=fit,
    grid={"analyzer": ("char_wb", "char")},
    cost=4,
    seeds_together=True,
)
