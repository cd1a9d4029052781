"""Train the text-based model as fastText's C++ (0.9.2) does on one thread, several seeds at a time.

    subwords = Subwords.fit(texts, TextSettings(lr=1.0, epoch=50, wordNgrams=2))
    models = fit_text(subwords, texts, labels, classes=4, seeds=range(5))

One text is one step, and each step needs the one before: there is nothing to gather into batches. So the
seeds are stacked: all read the texts in the same order, as the C++'s do, and one step moves all of them.
The steps are tiny: NumPy's calls cost half of what PyTorch's do, and a GPU would wait most of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from affectory.core.errors import BaselineError
from affectory.encoders.text.subwords import UNSEEN, Subwords, words
from affectory.encoders.text.words import Vectors
from baselines.models.duong2017.text import TextBased
from baselines.results.schema import Stopped
from baselines.settings import TextSettings

Floats = NDArray[np.float32]


def fit_text(
    subwords: Subwords,
    texts: Sequence[str],
    labels: Sequence[int],
    classes: int,
    seeds: Sequence[int],
    *,
    vectors: Vectors | None = None,
    tell: Callable[[int], None] = lambda epoch: None,
) -> list[TextBased | Stopped]:
    """Train a model for each seed; `Stopped` for one whose loss became NaN or infinite.

    The texts are read in `reading_order`. What a seed changes is the rows to begin with (`first_rows`).
    `tell` is called after each epoch with its number, from 1.
    """
    settings = subwords.settings
    lines = [Line.of(subwords, texts[i], int(labels[i])) for i in reading_order(len(texts))]
    rows = np.empty((len(subwords), len(seeds), settings.dim), np.float32)
    for i, seed in enumerate(seeds):
        rows[:, i] = first_rows(subwords, seed, vectors)
    output = np.zeros((len(seeds), classes, settings.dim), np.float32)
    lost = read(lines, rows, output, settings, tell)
    return [
        Stopped(seed, f"its loss became NaN or infinite in epoch {lost[i]}: try an lr below {settings.lr:g}")
        if i in lost
        else TextBased(torch.from_numpy(rows[:, i].copy()), torch.from_numpy(output[i].copy()))
        for i, seed in enumerate(seeds)
    ]


def reading_order(number: int) -> NDArray[np.int64]:
    """Return the order in which the texts are read in every epoch: shuffled, the same for each seed.

    The C++ reads a file from top to bottom again and again; fastText's own scripts shuffle it once before.
    """
    return np.random.default_rng(0).permutation(number)


def first_rows(subwords: Subwords, seed: int, vectors: Vectors | None = None) -> Floats:
    """Draw the input matrix, float[R, d]: uniform within ±1/d, or a word's vector; padding and unseen zero.

    So does the C++ with ten threads or more. With fewer it draws a tenth of the matrix for each, from the
    top, and leaves the rest at zero. Raises `BaselineError` for vectors of another width than `dim`.
    """
    dim = subwords.settings.dim
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
    label: int
    tokens: int  # words, `</s>` and the label: the C++ measures progress in them

    @classmethod
    def of(cls, subwords: Subwords, text: str, label: int) -> Line:
        """Encode a text."""
        ids = subwords.encode(text)
        once, counts = np.unique(np.array(ids, np.int64), return_counts=True)
        shares = (counts / max(1, len(ids))).astype(np.float32)
        return cls(once, shares[:, None], label, len(words(text)) + 1)


def schedule(tokens: Sequence[int], settings: TextSettings) -> Iterator[tuple[int, float]]:
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


def read(
    lines: Sequence[Line],
    rows: Floats,
    output: Floats,
    settings: TextSettings,
    tell: Callable[[int], None] = lambda epoch: None,
) -> dict[int, int]:
    """Train `rows`, float[R, S, d], and `output`, float[S, C, d], in place.

    Returns the seeds, by position, whose numbers are none any more, and in which epoch they went.
    """
    lost: dict[int, int] = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for number, (at, lr) in enumerate(schedule([line.tokens for line in lines], settings), 1):
            step(lines[at], lr, rows, output)
            if number % len(lines) == 0:
                epoch = min(number // len(lines), settings.epoch)
                lost = _lost(output, epoch) | lost
                tell(epoch)
                if len(lost) == len(output):
                    return lost
    return _lost(output, settings.epoch) | lost


def _lost(output: Floats, epoch: int) -> dict[int, int]:
    return dict.fromkeys(np.flatnonzero(~np.isfinite(output).all((1, 2))).tolist(), epoch)


def step(line: Line, lr: float, rows: Floats, output: Floats) -> None:
    """Take one step of gradient descent on -log P(label | text), for every seed, in place.

    h = Σ share · A[id]; α = lr (1[label] - softmax(B h)); then A[id] += share · Bᵀα and B += α hᵀ.
    """
    mine = rows[line.ids]  # [n, S, d]
    flat = mine.reshape(len(mine), -1)
    hidden = (line.shares.T @ flat).reshape(len(output), -1)  # [S, d]
    score = np.matmul(output, hidden[:, :, None])[:, :, 0]  # [S, C]
    alpha = np.exp(score - score.max(1, keepdims=True))
    alpha *= -lr / alpha.sum(1, keepdims=True)
    alpha[:, line.label] += lr
    flat += line.shares * np.matmul(alpha[:, None], output).reshape(1, -1)
    output += alpha[:, :, None] * hidden[:, None]
    rows[line.ids] = mine
