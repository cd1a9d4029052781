"""A small search over what the papers leave open, judged on validation; the test posts are never read.

Each candidate is trained with one seed and judged by its mean log-likelihood: on a few hundred posts that
tells candidates apart that the accuracy doesn't. What was found is kept beside the results, and taken again
for the same inputs and candidates.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import torch

from affectory.core import files
from affectory.core.errors import BaselineError
from baselines.data.inputs import Inputs
from baselines.settings import Settings, TextSettings
from baselines.training import jobs

#: Learning rates and weight decays of the neural models. Small sets want small steps and much decay: there
#: the best epoch of a larger rate is over before it is seen.
RATES, DECAYS = (0.05, 0.2), (0.0, 0.003, 0.01, 0.03)

#: `Settings.word_rate`: of many words that tell little, a high one learns each by heart.
WORD_RATES = (4.0, 16.0)

#: fastText's n-grams (wordNgrams, minn, maxn), and its rates with epochs.
NGRAMS = ((1, 3, 6), (2, 2, 5))
SCHEDULES = ((0.25, 10), (0.25, 20), (0.5, 10), (1.0, 5))


class Candidate(msgspec.Struct, frozen=True):
    """A choice of settings and how it did on validation."""

    settings: dict[str, str | int | float | bool | None]
    likelihood: float | None  # mean log-likelihood, nats; None: its loss became NaN or infinite
    accuracy: float | None


class Found(msgspec.Struct, frozen=True):
    """The candidates of one model, the best first."""

    digest: str  # of inputs and candidates
    candidates: tuple[Candidate, ...]


def grid(model: str, base: Settings | TextSettings) -> list[Settings | TextSettings]:
    """Return the candidates of a model: `base` with other values of what is searched."""
    if isinstance(base, TextSettings):
        return [
            replace(base, wordNgrams=n, minn=low, maxn=high, epoch=epoch, lr=lr)
            for (n, low, high), (lr, epoch) in product(NGRAMS, SCHEDULES)
        ]
    word_rates = WORD_RATES if model != "image" else (base.word_rate,)
    return [
        replace(base, lr=lr, weight_decay=decay, word_rate=words)
        for lr, decay, words in product(RATES, DECAYS, word_rates)
    ]


def search(
    inputs: Inputs,
    base: Mapping[str, Settings | TextSettings],
    folder: Path,
    device: torch.device,
    fold: int | None = None,
    tell: Callable[[str, int, int], None] = lambda model, done, total: None,
) -> dict[str, Settings | TextSettings]:
    """Return the best settings of each model; `tell` hears the model, and how many of how many are done."""
    chosen: dict[str, Settings | TextSettings] = {}
    data = inputs.digest()
    path = folder / ("tuned.json" if fold is None else f"tuned-fold{fold}.json")
    known = msgspec.json.decode(path.read_bytes(), type=dict[str, Found]) if path.exists() else {}
    with jobs.stored(inputs) as stored:
        waiting: list[jobs.Job] = []
        grids = {model: grid(model, settings) for model, settings in base.items()}
        digests = {model: _digest(data, model, candidates) for model, candidates in grids.items()}
        for model, candidates in grids.items():
            if model in known and known[model].digest == digests[model]:
                continue
            known.pop(model, None)
            waiting += [
                jobs.Job(f"{model}/{i}", model, stored, one, (0,)) for i, one in enumerate(candidates)
            ]
        results: dict[str, list[Candidate]] = {job.model: [] for job in waiting}
        for done in jobs.run(waiting, device):
            model, fitted = done.job.model, done.fitted[0]
            scores = (None, None) if fitted.problem else (fitted.likelihood, fitted.accuracy)
            results[model].append(Candidate(asdict(done.job.settings), *scores))
            tell(model, len(results[model]), len(grids[model]))
    for model, tried in results.items():
        ranked = sorted(tried, key=lambda one: (_loss(model, one), str(one.settings)))
        known[model] = Found(digests[model], tuple(ranked))
    folder.mkdir(parents=True, exist_ok=True)
    files.write(path, msgspec.json.format(msgspec.json.encode(known, order="sorted"), indent=1))
    for model, settings in base.items():
        best = known[model].candidates[0]
        if best.likelihood is None:
            raise BaselineError(f"{model}: no candidate of the search came to a number: look at its features")
        found: dict[str, Any] = best.settings
        chosen[model] = replace(settings, **found)
    return chosen


def _loss(model: str, one: Candidate) -> tuple[float, float]:
    """Rank the neural models by likelihood; fastText, which is sure of itself where it errs, by accuracy.

    A candidate whose loss became NaN or infinite ranks last.
    """
    if one.likelihood is None or one.accuracy is None:
        return math.inf, math.inf
    return (-one.accuracy, -one.likelihood) if model == "text" else (-one.likelihood, -one.accuracy)


def _digest(data: str, model: str, candidates: Sequence[Settings | TextSettings]) -> str:
    return hashlib.sha256(f"{torch.__version__} {data} {model} {candidates!r}".encode()).hexdigest()
