"""Choose the models' defaults on validation posts of the sandbox's corpora 0 to 7; no test post is read.

    uv run python -m benchmarks.settings                       (about an hour on two cores)
    uv run python -m benchmarks.settings --models text
    uv run python -m benchmarks.settings --models si st sm cv_ct_cm

A setting's score is the mean log-likelihood of the validation posts, over corpora and seeds, as a difference
from the best row; for fastText, which is overconfident, the accuracy. Learning rate and word rate are
searched together, then the mini-batch, then the patience, each from the best of the step before; the weight
decay alone, from the defaults. The multitask family is trained by Adam, and has other candidates than that of
Duong et al. Common space fusion has a third of the learning rate in the table, since its loss has the weight
λ = 3. The candidates of `--tune` are values that are best on a corpus. The tables are in
docs/settings.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Literal

import numpy as np
import torch
import tyro

from baselines.models import registry
from baselines.models.settings import as_values
from baselines.training.jobs import Job, run, stored
from benchmarks._corpora import CHOSEN_ON, Drawn, drawn
from benchmarks._measure import machine, show

LRS, WORD_RATES, BATCHES, PATIENCES = (
    (0.05, 0.1, 0.2, 0.4),
    (1.0, 4.0, 16.0, 32.0, 64.0),
    (32, 64, 128),
    (3, 5, 10),
)
DECAYS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1)
NGRAMS = ((1, 0, 0), (2, 0, 0), (1, 3, 6), (2, 2, 5))
SCHEDULES = tuple(product((0.1, 0.25, 0.5, 1.0), (5, 10, 20, 50)))

NEURAL = ("image", "early", "joint", "common")
MULTITASK = ("si", "st", "sm", "cv_ct_cm")

#: Candidates of the multitask family: Adam's steps are of one size, however small the gradient.
ADAM_LRS, ADAM_WORD_RATES = (0.0003, 0.001, 0.003), (0.3, 1.0, 3.0)

#: Scores of candidates, by model: [candidate, corpus].
Scores = dict[str, np.ndarray]


def scored(corpora: Sequence[Drawn], candidates: dict[str, list[Any]], seeds: int) -> Scores:
    """Train every candidate on every corpus; return its likelihood (or accuracy) on validation."""
    found = {model: np.full((len(each), len(corpora)), np.nan) for model, each in candidates.items()}
    for column, corpus in enumerate(corpora):
        with stored(corpus.data) as path:
            jobs = [
                Job(model, registry.entry(model).path, path, one, tuple(range(seeds)))
                for model, each in candidates.items()
                for one in each
            ]
            values: dict[tuple[str, str], list[float]] = {}
            for done in run(jobs, torch.device("cpu")):
                by_score = registry.spec(done.job.key).ranks_by == "score"
                key = done.job.key, repr(done.job.settings)
                for one in done.checked().fitted:
                    value = one.score if by_score else one.likelihood
                    values.setdefault(key, []).append(-np.inf if one.problem else value)
        for model, each in candidates.items():
            found[model][:, column] = [np.mean(values[model, repr(one)]) for one in each]
    return found


def step(
    title: str, corpora: Sequence[Drawn], changes: Sequence[dict[str, Any]], base: dict[str, Any], seeds: int
) -> dict[str, Any]:
    """Try changes of the settings of all neural models; print the table, and return the best settings."""
    models = list(base)
    candidates = {model: [_changed(base[model], change, model) for change in changes] for model in models}
    unique = {model: list(dict.fromkeys(each)) for model, each in candidates.items()}
    scores = scored(corpora, unique, seeds)
    rows, totals = [], []
    for number, change in enumerate(changes):
        cells = []
        for model in models:
            place = unique[model].index(candidates[model][number])
            cells.append(float(scores[model][place].mean() - scores[model].mean(1).max()))
        totals.append(float(np.mean(cells)))
        named = ", ".join(f"{key} {value:g}" for key, value in change.items())
        rows.append([named, *(f"{cell:.3f}" for cell in (*cells, totals[-1]))])
    show(
        f"{title}: mean log-likelihood of validation, less the best of the column",
        ["settings", *models, "mean"],
        rows,
    )
    for model in models:
        best = [as_values(unique[model][i]) for i in scores[model].argmax(0)]
        keys = [key for key in changes[0] if key in best[0]]
        print(
            f"best per corpus, {model}: "
            + "; ".join(" ".join(f"{one[key]:g}" for key in keys) for one in best)
        )
    chosen = int(np.argmax(totals))
    print(f"chosen: {changes[chosen]}\n", flush=True)
    return {model: candidates[model][chosen] for model in models}


def _changed(settings: Any, change: dict[str, Any], model: str) -> Any:
    """Change what the model has of these settings."""
    own = {key: value for key, value in change.items() if hasattr(settings, key)}
    if "lr" in own and model == "common":
        own["lr"] /= 3
    return replace(settings, **own)


def neural(
    corpora: Sequence[Drawn],
    models: Sequence[str],
    seeds: int,
    lrs: Sequence[float] = LRS,
    word_rates: Sequence[float] = WORD_RATES,
) -> None:
    """Choose the settings that the neural models of a family share."""
    kinds = {model: registry.spec(model).settings for model in models}
    base: dict[str, Any] = {model: kind() for model, kind in kinds.items() if kind is not None}
    changes = [{"lr": lr, "word_rate": rate} for lr, rate in product(lrs, word_rates)]
    base = step("Learning rate and word rate", corpora, changes, base, seeds)
    base = step("Mini-batch", corpora, [{"batch": batch} for batch in BATCHES], base, seeds)
    step("Patience", corpora, [{"patience": patience} for patience in PATIENCES], base, seeds)


def decay(corpora: Sequence[Drawn], models: Sequence[str], seeds: int) -> None:
    """Compare weight decays, with the defaults of everything else."""
    kinds = {model: registry.spec(model).settings for model in models}
    base: dict[str, Any] = {model: kind() for model, kind in kinds.items() if kind is not None}
    step("Weight decay", corpora, [{"weight_decay": value} for value in DECAYS], base, seeds)


def text(corpora: Sequence[Drawn], seeds: int) -> None:
    """Choose fastText's n-grams and schedule."""
    kind = registry.spec("text").settings
    assert kind is not None
    changes = [
        {"wordNgrams": n, "minn": low, "maxn": high, "lr": lr, "epoch": epoch}
        for (n, low, high), (lr, epoch) in product(NGRAMS, SCHEDULES)
    ]
    candidates = [replace(kind(), **change) for change in changes]
    scores = scored(corpora, {"text": candidates}, seeds)["text"]
    rows = []
    for n, low, high in NGRAMS:
        for lr in (0.1, 0.25, 0.5, 1.0):
            cells = [
                100 * float(scores[i].mean())
                for i, change in enumerate(changes)
                if (change["wordNgrams"], change["minn"], change["maxn"], change["lr"]) == (n, low, high, lr)
            ]
            rows.append([f"wordNgrams {n}, minn {low}, maxn {high}, lr {lr:g}", *cells])
    show("fastText: validation accuracy", ["settings", "5 epochs", "10", "20", "50"], rows)
    print("best per corpus: " + "; ".join(str(changes[i]) for i in scores.argmax(0)))
    print(f"chosen: {changes[int(scores.mean(1).argmax())]}\n", flush=True)


def main(
    steps: tuple[Literal["rates", "decay"], ...] = ("rates", "decay"),
    models: tuple[str, ...] = (*NEURAL, "text", *MULTITASK),
    seeds: int = 1,
    corpora: int = 8,
    posts: int = 2000,
) -> None:
    """Choose the defaults.

    Args:
        models: The models whose settings are chosen.
        steps: For the neural models: rates, mini-batch and patience; the weight decay.
        seeds: Seeds per candidate.
        corpora: The number of corpora, from 0; at most 8.
        posts: Posts of each corpus.
    """
    print(machine(), f"torch {torch.__version__}")
    made = [drawn(number, posts) for number in list(CHOSEN_ON)[:corpora]]
    wanted = [model for model in models if model in NEURAL]
    if wanted and "rates" in steps:
        neural(made, wanted, seeds)
    if wanted and "decay" in steps:
        decay(made, wanted, seeds)
    if wanted := [model for model in models if model in MULTITASK]:
        neural(made, wanted, seeds, ADAM_LRS, ADAM_WORD_RATES)
    if "text" in models:
        text(made, seeds)


if __name__ == "__main__":
    tyro.cli(main)
