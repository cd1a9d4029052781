"""Measure the fast forms of `baselines.models.kernels` and `training.optimisers` against their plain forms.

    uv run python -m benchmarks.kernels

Each is a training step's part on one core, at the sizes of Reddit's titles: 64 texts of up to 24 words, 200-d
vectors of 6,000 words. The two take turns; `ratio` is the median of the turns' ratios. A fast form that isn't
at least 1.3 times as fast goes. (In evaluation the plain maximum is as fast, and is used.)

`text branch`  the maximum over words with dropout, forward and backward, and the step of its optimiser
`dropout`      the mask of dropout
`sgd`          the step of an optimiser on the parameters of joint fusion without the words
`convolutions` those of the textual network of Pagé Fortin and Chaib-draa, forward and backward, on 300-d
               vectors of 10,000 words
`adam`         a step of Adam on the parameters of the multitask model without the words
`lazy adam`    its step on the words: lazy, beside the library's dense one
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
import tyro
from torch import Tensor, nn

from baselines.models import kernels
from baselines.models.pagefortin2019.convolutions import convolved, convolved_plain
from baselines.training.optimisers import Adam, Sgd
from benchmarks._measure import machine, show

WORDS, WIDTH, POSTS, LONGEST = 6000, 200, 64, 24

#: Words and width of the vectors of the multitask family.
LARGE = (10_000, 300)


def lookup(sparse: bool, words: int = WORDS, width: int = WIDTH) -> nn.Embedding:
    """Return random word vectors."""
    torch.manual_seed(0)
    return nn.Embedding(words, width, padding_idx=0, sparse=sparse)


def texts(words: int = WORDS) -> Tensor:
    """Return texts of 3 to `LONGEST` words, int64[POSTS, LONGEST]."""
    drawer = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, words, (POSTS, LONGEST), generator=drawer)
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
    kind = Sgd(parameters, lr=0.1) if fast else torch.optim.SGD(parameters, lr=0.1, foreach=False)
    return moved(kind, parameters, [torch.randn(size) for size in sizes])


def moved(kind: Any, parameters: list[nn.Parameter], gradients: list[Tensor]) -> Callable[[], object]:
    """Return a step of an optimiser with these gradients."""

    def step() -> None:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        kind.step()

    return step


def convolutions(fast: bool) -> Callable[[], object]:
    """Return the convolutions of a training step."""
    words, tokens = lookup(True, *LARGE), texts(LARGE[0])
    weights = [nn.Parameter(torch.randn(width, 100, LARGE[1]) / 30) for width in (3, 4, 5)]
    biases = [nn.Parameter(torch.zeros(100)) for _ in weights]
    form = convolved if fast else convolved_plain

    def step() -> None:
        form(words, tokens, weights, biases, 0.25).sum().backward()
        for one in (words.weight, *weights, *biases):
            one.grad = None

    return step


def adam(fast: bool) -> Callable[[], object]:
    """Return a step of an optimiser."""
    sizes = ((1200, 300), (300, 900), (300, 1024), (224, 600), (224, 300), (224, 300), (128, 224))
    parameters = [nn.Parameter(torch.randn(size)) for size in sizes]
    kind = Adam(parameters, lr=0.001) if fast else torch.optim.Adam(parameters, lr=0.001)
    return moved(kind, parameters, [torch.randn(size) for size in sizes])


def lazy_adam(fast: bool) -> Callable[[], object]:
    """Return a step of the embeddings' optimiser."""
    words = lookup(fast, *LARGE)
    words(texts(LARGE[0])).sum().backward()
    assert words.weight.grad is not None
    kind = Adam([words.weight], lr=0.001) if fast else torch.optim.Adam([words.weight], lr=0.001)
    return moved(kind, [words.weight], [words.weight.grad])


PARTS = {
    "text branch": branch,
    "dropout": dropout,
    "sgd": sgd,
    "convolutions": convolutions,
    "adam": adam,
    "lazy adam": lazy_adam,
}


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
