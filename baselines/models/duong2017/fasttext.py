"""fastText's training as its C++ (0.9.2) does it on one thread, several seeds at a time.

    rows, output = fit(subwords, texts, target, SingleLabel(names), TextSettings(), seeds=[0])[0]

One text is one step, and each step needs the one before: there is nothing to gather into mini-batches. So
the seeds are stacked: all read the texts in the same order, as the C++'s do, and one step updates all of
them. The steps are tiny: NumPy's calls cost half of what PyTorch's do, and a GPU would mostly wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from affectory.core.errors import BaselineError
from affectory.encoders.text.subwords import UNSEEN, Subwords, words
from affectory.encoders.text.vectors import Vectors
from baselines.data.task import Task

Floats = NDArray[np.float32]


class Schedule(Protocol):
    """The settings that `fit` reads."""

    @property
    def lr(self) -> float: ...
    @property
    def epoch(self) -> int: ...
    @property
    def lrUpdateRate(self) -> int: ...


def fit(
    subwords: Subwords,
    texts: Sequence[str],
    target: NDArray[Any],
    task: Task,
    settings: Schedule,
    seeds: Sequence[int],
    vectors: Vectors | None = None,
) -> list[tuple[Floats, Floats] | str]:
    """Return for each seed the rows A, float[R, d], and the output B, float[C, d], or why it was given up.

    `target`: int64[n], or float[n, C] of several labels, which are trained one against all (`-loss ova`).
    The task's weights, which the C++ doesn't have, multiply the gradient of a post's or a label's loss.
    The texts are read in `reading_order`. What a seed changes is the first rows (`first_rows`).
    """
    order = reading_order(len(texts))
    found = task.weights(torch.from_numpy(target))
    weights = None if found is None else found.numpy()
    lines = [
        Line.of(subwords, texts[i], _hot(target[i], len(task.names)), 1.0 if weights is None else weights[i])
        for i in order
    ]
    rows = np.empty((len(subwords), len(seeds), subwords.width), np.float32)
    for i, seed in enumerate(seeds):
        rows[:, i] = first_rows(subwords, seed, vectors)
    output = np.zeros((len(seeds), len(task.names), subwords.width), np.float32)
    lost = train(lines, rows, output, settings, softmax if task.kind == "single" else sigmoid)
    return [
        f"the loss became NaN or infinite in epoch {lost[i]}: try an lr below {settings.lr:g}"
        if i in lost
        else (rows[:, i].copy(), output[i].copy())
        for i in range(len(seeds))
    ]


def _hot(target: Any, classes: int) -> Floats:
    """Return a post's target as float[C], 1 for its class or each of its labels."""
    if np.ndim(target):
        return np.asarray(target, np.float32)
    return np.eye(classes, dtype=np.float32)[target]


def reading_order(number: int) -> NDArray[np.int64]:
    """Return the order in which the texts are read in every epoch: shuffled, the same for each seed.

    The C++ reads a file from top to bottom again and again; fastText's own scripts shuffle it once before.
    """
    return np.random.default_rng(0).permutation(number)


def first_rows(subwords: Subwords, seed: int, vectors: Vectors | None = None) -> Floats:
    """Draw the first rows, float[R, d]: uniform within ±1/d, or a word's vector; padding and unseen zero.

    So does the C++ with ten threads or more. With fewer it draws a tenth of the matrix for each, from the
    top, and leaves the rest at zero. Raises `BaselineError` for vectors of another width than the rows.
    """
    dim = subwords.width
    if vectors and vectors.width != dim:
        raise BaselineError(
            f"{vectors.name!r} holds vectors of width {vectors.width}, and dim is {dim}: "
            f"set dim to {vectors.width}, or take vectors of width {dim}"
        )
    rows = np.random.default_rng(seed).random((len(subwords), dim), np.float32)
    rows *= 2 / dim
    rows -= 1 / dim
    rows[: UNSEEN + 1] = 0
    for word, vector in (vectors.rows if vectors else {}).items():
        if (place := subwords.place(word)) is not None:
            rows[place] = vector
    return rows


class Line(NamedTuple):
    """A text as the trainer reads it."""

    ids: NDArray[np.int64]  # [n], each once
    shares: Floats  # [n, 1], how often each occurs / number of ids with repeats; their sum is 1
    target: Floats  # [C]
    tokens: int  # words, `</s>` and the labels: the C++ measures progress in them
    weight: float | Floats = 1.0  # of the loss: [1], or [C] of several labels

    @classmethod
    def of(cls, subwords: Subwords, text: str, target: Floats, weight: float | Floats = 1.0) -> Line:
        """Encode a text."""
        ids = subwords.ids(text)
        once, counts = np.unique(np.array(ids, np.int64), return_counts=True)
        shares = (counts / max(1, len(ids))).astype(np.float32)
        return cls(once, shares[:, None], target, len(words(text)) + int(target.sum()), weight)


def schedule(tokens: Sequence[int], settings: Schedule) -> Iterator[tuple[int, float]]:
    """Yield the line to read and the learning rate of each step, as the C++'s `trainThread` does.

    The rate goes from `lr` to 0 with the share of the tokens that were read; it changes, and the end is
    noticed, whenever `lrUpdateRate` tokens have gathered: so the last epoch may run on into the next.
    """
    total = settings.epoch * sum(tokens)
    read = gathered = 0
    for line in cycle(range(len(tokens))):
        if read >= total:
            return
        yield line, settings.lr * (1 - read / total)
        gathered += tokens[line]
        if gathered > settings.lrUpdateRate:
            read, gathered = read + gathered, 0


def softmax(score: Floats) -> Floats:
    """Return P of one class, float[S, C]; `score` is overwritten."""
    score -= score.max(1, keepdims=True)
    np.exp(score, out=score)
    score /= score.sum(1, keepdims=True)
    return score


def sigmoid(score: Floats) -> Floats:
    """Return P of each label, float[S, C]; `score` is overwritten."""
    np.negative(score, out=score)
    np.exp(score, out=score)
    score += 1
    np.reciprocal(score, out=score)
    return score


def train(
    lines: Sequence[Line],
    rows: Floats,
    output: Floats,
    settings: Schedule,
    activation: Callable[[Floats], Floats],
) -> dict[int, int]:
    """Train `rows`, float[R, S, d], and `output`, float[S, C, d], in place.

    Returns the seeds, by position, whose loss became NaN or infinite, with the epoch.
    """
    lost: dict[int, int] = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for number, (at, lr) in enumerate(schedule([line.tokens for line in lines], settings), 1):
            step(lines[at], lr, rows, output, activation)
            if number % len(lines) == 0:
                lost = _lost(output, min(number // len(lines), settings.epoch)) | lost
                if len(lost) == len(output):
                    return lost
    return _lost(output, settings.epoch) | lost


def _lost(output: Floats, epoch: int) -> dict[int, int]:
    return dict.fromkeys(np.flatnonzero(~np.isfinite(output).all((1, 2))).tolist(), epoch)


def step(
    line: Line, lr: float, rows: Floats, output: Floats, activation: Callable[[Floats], Floats] = softmax
) -> None:
    """Take one step of gradient descent on the negative log-likelihood, for every seed, in place.

    h = Σ share · A[id]; α = lr · weight (target - P(B h)); then A[id] += share · Bᵀα and B += α hᵀ.
    """
    mine = rows[line.ids]  # [n, S, d]
    flat = mine.reshape(len(mine), -1)
    hidden = (line.shares.T @ flat).reshape(len(output), -1)  # [S, d]
    alpha = activation(np.matmul(output, hidden[:, :, None])[:, :, 0])  # [S, C]
    alpha -= line.target
    alpha *= -lr * line.weight
    flat += line.shares * np.matmul(alpha[:, None], output).reshape(1, -1)
    output += alpha[:, :, None] * hidden[:, None]
    rows[line.ids] = mine
