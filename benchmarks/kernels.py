"""Measure the fast forms of `baselines.models.kernels` and `training.optimisers` against their plain forms.

    uv run python -m benchmarks.kernels

Each is a training step's part on one core, at the sizes of Reddit's titles: 64 texts of up to 24 words, 200-d
vectors of 6,000 words. The two take turns; `ratio` is the median of the turns' ratios. A fast form that isn't
at least 1.3 times as fast goes. (In evaluation the plain maximum is as fast, and is used.)

`text branch`  the maximum over words with dropout, forward and backward, and the step of its optimiser
`dropout`      the mask of dropout
`sgd`          the step of an optimiser on the parameters of joint fusion without the words
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
import tyro
from torch import Tensor, nn

from baselines.models import kernels
from baselines.training.optimisers import Sgd
from benchmarks._measure import machine, show

WORDS, WIDTH, POSTS, LONGEST = 6000, 200, 64, 24


def lookup(sparse: bool) -> nn.Embedding:
    """Return random word vectors."""
    torch.manual_seed(0)
    return nn.Embedding(WORDS, WIDTH, padding_idx=0, sparse=sparse)


def texts() -> Tensor:
    """Return texts of 3 to `LONGEST` words, int64[POSTS, LONGEST]."""
    drawer = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, WORDS, (POSTS, LONGEST), generator=drawer)
    lengths = torch.randint(3, LONGEST + 1, (POSTS, 1), generator=drawer)
    return tokens.where(torch.arange(LONGEST) < lengths, 0)


def branch(fast: bool) -> Callable[[], object]:
    """Return a training step of the text branch."""
    words, tokens = lookup(sparse=fast), texts()
    if fast:
        own = Sgd(words.parameters(), lr=0.1)

        def step() -> None:
            kernels.max_of_words(words, tokens, 0.25).sum().backward()
            own.step()
    else:
        plain = torch.optim.SGD(words.parameters(), lr=0.1)

        def step() -> None:
            plain.zero_grad()
            kernels.max_of_words_plain(words, tokens, 0.25).sum().backward()
            plain.step()

    return step


def dropout(fast: bool) -> Callable[[], object]:
    """Return a draw of dropout's mask."""
    like = torch.ones(POSTS, LONGEST, WIDTH)
    if fast:
        return lambda: kernels.dropout_mask(like, 0.25)
    return lambda: nn.functional.dropout(like, 0.25)


def sgd(fast: bool) -> Callable[[], object]:
    """Return a step of an optimiser."""
    sizes = ((WIDTH, 2048), (WIDTH,), (100, WIDTH), (100,), (4, 100), (4,))
    parameters = [nn.Parameter(torch.randn(size)) for size in sizes]
    gradients = [torch.randn(size) for size in sizes]
    kind = Sgd(parameters, lr=0.1) if fast else torch.optim.SGD(parameters, lr=0.1, foreach=False)

    def step() -> None:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        kind.step()

    return step


PARTS = {"text branch": branch, "dropout": dropout, "sgd": sgd}


def timed(step: Callable[[], object], steps: int) -> float:
    """Return the seconds of a step."""
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - began) / steps


def main(turns: int = 11, steps: int = 100) -> None:
    """Measure each part.

    Args:
        turns: How often the two forms take turns.
        steps: Steps a turn.
    """
    torch.set_num_threads(1)
    rows = []
    for name, part in PARTS.items():
        fast, plain = part(True), part(False)
        timed(fast, 5), timed(plain, 5)
        pairs = [(timed(plain, steps), timed(fast, steps)) for _ in range(turns)]
        ratios = [slow / quick for slow, quick in pairs]
        rows.append([name, *(1e3 * median(column) for column in zip(*pairs, strict=True)), median(ratios)])
    print(machine(), f"torch {torch.__version__}")
    show("One core, milliseconds", ["part", "plain", "fast", "ratio"], rows)


if __name__ == "__main__":
    tyro.cli(main)
