"""A small search over what the papers leave open, judged on validation; the test posts are never read.

Each model's spec has its candidates. Each is trained with one seed and judged by its mean log-likelihood,
which on a few hundred posts tells candidates apart that the accuracy doesn't, or by the score of --select.
The result is kept beside the results, and taken again for the same inputs and candidates.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import msgspec
import torch

from affectory.core import files
from affectory.core.errors import BaselineError
from baselines.data.inputs import Data
from baselines.models import registry
from baselines.models.base import Fitted, Spec
from baselines.models.settings import ModelSettings, Value, as_values
from baselines.results.schema import USUAL, Condition
from baselines.training.jobs import Job, run, stored


class Candidate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A choice of settings and how it did on validation."""

    settings: dict[str, Value]
    likelihood: float | None  # mean log-likelihood, nats; None: the loss became NaN or infinite
    score: float | None  # the task's headline metric
    selected: float | None = None  # the score of --select


class Found(msgspec.Struct, frozen=True):
    """The candidates of one model, the best first."""

    digest: str  # of inputs and candidates
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Search:
    """Where a search keeps its result, and who hears of it.

    `fixed`: the settings that the user has set, by model; they aren't searched. `tell` hears the model, and
    how many of how many candidates are done.
    """

    folder: Path
    device: torch.device
    fixed: Mapping[str, Collection[str]]
    tell: Callable[[str, int, int], None] = lambda model, done, total: None

    def best(
        self,
        data: Data,
        base: Mapping[str, ModelSettings],
        fold: int | None = None,
        condition: Condition = USUAL,
    ) -> dict[str, ModelSettings]:
        """Return the best settings of each model. Raises `BaselineError` where every candidate failed."""
        parts = ["tuned", condition.slug, "" if fold is None else f"fold{fold}"]
        path = self.folder / f"{'-'.join(part for part in parts if part)}.json"
        known = _read(path)
        grids = {
            model: grid(registry.spec(model), settings, self.fixed.get(model, ()))
            for model, settings in base.items()
        }
        digests = {
            model: _digest(data.digest(registry.spec(model).inputs), model, candidates)
            for model, candidates in grids.items()
        }
        open_ = [model for model in grids if model not in known or known[model].digest != digests[model]]
        known |= self._tried(data, {model: grids[model] for model in open_}, digests)
        self.folder.mkdir(parents=True, exist_ok=True)
        files.write(path, msgspec.json.format(msgspec.json.encode(known, order="sorted"), indent=1))
        return {model: _chosen(model, settings, known[model]) for model, settings in base.items()}

    def _tried(
        self, data: Data, grids: Mapping[str, list[ModelSettings]], digests: Mapping[str, str]
    ) -> dict[str, Found]:
        """Train every candidate; return them ranked."""
        results: dict[str, list[Candidate]] = {model: [] for model in grids}
        with stored(data) as path:
            jobs = [
                Job(model, registry.entry(model).path, path, one, (0,))
                for model, candidates in grids.items()
                for one in candidates
            ]
            for done in run(jobs, self.device):
                model, fitted = done.job.key, done.checked().fitted[0]
                results[model].append(_candidate(done.job.settings, fitted))
                self.tell(model, len(results[model]), len(grids[model]))
        return {
            model: Found(digests[model], tuple(sorted(tried, key=lambda one, m=model: _rank(m, one))))  # type: ignore[misc]
            for model, tried in results.items()
        }


def grid(spec: Spec, base: ModelSettings, fixed: Collection[str] = ()) -> list[ModelSettings]:
    """Return the candidates of a model: `base` with other values of what is searched and not `fixed`."""
    if callable(spec.grid):
        changes = spec.grid(base)
    else:
        changes = [dict(zip(spec.grid, values, strict=True)) for values in product(*spec.grid.values())]
    kept = [{key: value for key, value in change.items() if key not in fixed} for change in changes]
    return list(dict.fromkeys(replace(base, **change) for change in kept))


def _read(path: Path) -> dict[str, Found]:
    """Return what an earlier search found; nothing where the file is of another form."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Found])
    except (OSError, msgspec.MsgspecError):
        return {}


def _chosen(model: str, settings: ModelSettings, found: Found) -> ModelSettings:
    best = found.candidates[0]
    if best.likelihood is None:
        raise BaselineError(
            f"--tune: the loss of {model} became NaN or infinite for every candidate; look at its features, "
            f"or try a smaller --set {model}.lr without --tune"
        )
    return replace(settings, **best.settings)


def _candidate(settings: ModelSettings, fitted: Fitted) -> Candidate:
    if fitted.problem:
        return Candidate(as_values(settings), None, None)
    selected = None if math.isnan(fitted.selected) else fitted.selected
    return Candidate(as_values(settings), fitted.likelihood, fitted.score, selected)


def _rank(model: str, one: Candidate) -> tuple[float, float, str]:
    """Rank candidates by what the user selects, or else the spec; one without a finite loss ranks last."""
    told = str(sorted(one.settings.items(), key=str))
    if one.likelihood is None or one.score is None:
        return math.inf, math.inf, told
    if one.selected is not None:
        return -one.selected, -one.likelihood, told
    by_score = registry.spec(model).ranks_by == "score"
    first, second = (one.score, one.likelihood) if by_score else (one.likelihood, one.score)
    return -first, -second, told


def _digest(data: str, model: str, candidates: Sequence[ModelSettings]) -> str:
    return hashlib.sha256(f"{torch.__version__} {data} {model} {candidates!r}".encode()).hexdigest()
