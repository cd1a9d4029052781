"""Compare the text-based model with fastText's C++ on a release, with the same settings.

    uv run python -m benchmarks.text_model                  (about three minutes)
    uv run python -m benchmarks.text_model --name met-meme --seeds 3 --epoch 5

Both read the same prepared texts in the same order, on one thread. `ours` and `C++` are the accuracy on the
test posts in percent, a mean over the seeds; `alike` is the share of test posts for which both predict the
same class, over all pairs of one of our seeds and one of the C++'s. Our seeds are trained together, the C++'s
one after the other.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import torch
import tyro
from numpy.typing import NDArray

from affectory.core.command import finish
from affectory.encoders.text.subwords import Subwords, words
from baselines.data.batch import Batch
from baselines.data.release import Part, load
from baselines.data.task import Task
from baselines.models.duong2017 import fasttext as own
from baselines.models.duong2017.text import TextBased, TextSettings
from benchmarks._measure import machine, show

SETTINGS = {
    "words": TextSettings(minn=0, maxn=0),
    "word bigrams": TextSettings(wordNgrams=2, minn=0, maxn=0),
    "bigrams, characters 3-5": TextSettings(wordNgrams=2, minn=3, maxn=5),
}

#: How labels are marked in the C++'s file. `words` leaves no "/" inside a token: no word looks like one.
LABEL = "/label/"

Guesses = NDArray[np.int64]  # [S, posts]


@dataclass(frozen=True, slots=True)
class Options:
    """Train the text-based model and fastText's C++ on a release.

    Args:
        name: The release.
        datasets: Where releases are.
        seeds: Seeds of each.
        epoch: Times that each text is read.
        lr: The first learning rate.
        dim: The width of a row.
    """

    name: str = "reddit-emotion-text"
    datasets: Path = Path("datasets")
    seeds: int = 5
    epoch: int = 50
    lr: float = 1.0
    dim: int = 100


def ours(train: Part, test: Part, settings: TextSettings, task: Task, seeds: Sequence[int]) -> Guesses:
    """Return what our models predict for the test posts."""
    subwords = replace(Subwords.fit(train.texts, settings.ngrams), width=settings.dim or 100)
    trained = own.fit(subwords, train.texts.tolist(), train.target, task, settings, seeds)
    tokens = torch.from_numpy(subwords.encode(test.texts.tolist()))
    present = torch.ones(len(test), 2, dtype=torch.bool)
    batch = Batch({"ngrams": tokens}, present, torch.from_numpy(test.target), present[:, 0])
    models = [TextBased(task, *map(torch.from_numpy, one)) for one in trained if not isinstance(one, str)]
    return np.stack([model(batch)["y"].argmax(-1).numpy() for model in models])


def theirs(train: Part, test: Part, settings: TextSettings, seeds: Sequence[int]) -> Guesses:
    """Return what the C++'s models predict for the test posts."""
    read = train.take(own.reading_order(len(train)))
    models = [train_cpp(read.texts, read.target, settings, seed=seed) for seed in seeds]
    # Its Python `predict` raises under NumPy 2; the call under it doesn't, and answers [(.97, "/label/3")].
    found = [[model.f.predict(_line(text), 1, 0.0, "strict") for text in test.texts] for model in models]
    return np.array([[int(best[0][1].removeprefix(LABEL)) for best in of_seed] for of_seed in found])


def train_cpp(texts: Sequence[str], labels: Sequence[int], settings: TextSettings, **others: Any) -> Any:
    """Train fastText's C++ on texts, read from top to bottom by one thread; `others` overrides."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.writelines(f"{LABEL}{label} {_line(text)}" for text, label in zip(texts, labels, strict=True))
        file.flush()
        given = asdict(settings) | {"thread": 1} | others
        return fasttext.train_supervised(file.name, label=LABEL, verbose=0, **given)


def _line(text: str) -> str:
    return " ".join(words(text)[:-1]) + "\n"


def main(options: Options) -> int:
    """Print the table; return the exit code."""
    torch.set_num_threads(1)
    release = load(options.name, options.datasets)
    train, test = (part.take(part.texts != "") for part in (release.parts["train"], release.parts["test"]))
    seeds = range(options.seeds)
    rows = []
    for title, kind in SETTINGS.items():
        settings = replace(kind, lr=options.lr, epoch=options.epoch, dim=options.dim)
        times = [time.perf_counter()]
        mine = ours(train, test, settings, release.task, seeds)
        times.append(time.perf_counter())
        peer = theirs(train, test, settings, seeds)
        times.append(time.perf_counter())
        right = [100 * float((guesses == test.target).mean()) for guesses in (mine, peer)]
        alike = 100 * float((mine[:, None] == peer[None]).mean())
        rows.append([title, *right, right[0] - right[1], alike, *np.diff(times).tolist()])
    print(machine())
    show(
        f"{release.name} {release.version}: {len(train):,} training and {len(test):,} test posts, "
        f"{len(seeds)} seeds; dim {options.dim}, {options.epoch} epochs, lr {options.lr:g}",
        ["settings", "ours", "C++", "difference", "alike", "ours, s", "C++, s"],
        rows,
    )
    return 0


if __name__ == "__main__":
    sys.exit(finish(lambda: main(tyro.cli(Options, description=__doc__))))
