"""The steps of `python -m baselines.missing`: masks, training at each rate, scores, table and page.

A network is trained for each model, seed, modality and rate above 0; the scores of complete test posts and of
those with losses come from the same networks. A model is trained again only where it reads what is missing.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from msgspec import to_builtins
from torch import Tensor

from affectory.core import mirrors, output
from affectory.core.errors import InputError
from affectory.core.output import Outcome, tell
from affectory.core.progress import Steps
from baselines import experiment, frozen, pipeline, plan
from baselines.data import gold, masks, text_only
from baselines.data import release as data
from baselines.data.batch import Modality, Mode
from baselines.data.masks import MODALITIES, Masks, has
from baselines.data.release import Part, Release
from baselines.experiment import Fold, PartPosts
from baselines.models import registry
from baselines.options import MissingOptions
from baselines.plan import Key, Setup
from baselines.results import evaluate, missing_tables, published
from baselines.results.areas import Scores, mixed
from baselines.results.missing_schema import (
    PROTOCOLS,
    Gone,
    Line,
    Missing,
    Model,
    Point,
    Protocol,
    Scored,
)
from baselines.results.page import index_page, links
from baselines.results.page import rates as page
from baselines.results.schema import USUAL, Condition, Figure, LeftOut, Stopped
from baselines.training import launch
from baselines.training.progress import Progress


def run(options: MissingOptions, command: str) -> Outcome:
    """Train and score the models, and write the results; return them. The exit code is 1 if a seed failed.

    `command` is recorded in the results. Raises `AffectoryError`.
    """
    device = pipeline.pick_device(options.device)
    with launch.main_process(device):
        return _run(options, command, device)


def _run(options: MissingOptions, command: str, device: torch.device) -> Outcome:
    wanted = registry.selected(options.models or pipeline.of_papers(options.name))
    given = registry.given(options.set)
    preset = published.preset(options.preset, options.name)
    release = data.checked(gold.held_out(pipeline.loaded(options)), "or build a larger release")
    pipeline.check_aim(options, release)
    seeds, rates = tuple(range(options.seeds)), tuple(sorted(set(options.rates)))
    drawn = masks.read(options.masks, release, seeds, rates) if options.masks else None
    drawn = drawn or masks.drawn(release, seeds)
    models, left_out = plan.trainable(release, wanted)
    never = plan.gaps(release, models, [USUAL], drawn, seeds)
    left_out += tuple(LeftOut(model, never[model, USUAL]) for model in models if (model, USUAL) in never)
    models = tuple(model for model in models if (model, USUAL) not in never)
    for one in left_out:
        tell(f"left out: {one.model}: {one.reason}")
    if not models:
        raise InputError(f"none of {', '.join(wanted)} can be trained on {options.name}")
    pipeline.check_set(options.set, models)
    modalities = tuple(one for one in MODALITIES if _occurs(release, one))
    losses = [Condition(missing=one, rate=rate) for one in modalities for rate in rates if rate]
    conditions = (USUAL, *losses)
    gaps = plan.gaps(release, models, conditions, drawn, seeds)
    folder = pipeline.made_folder(options, f"{release.version}-missing")
    drawn.write(folder / "masks.json")
    progress = Progress(_networks(models, conditions, gaps, len(seeds)))
    inputs = {name for model in plan.needed(models) for name in registry.spec(model).inputs}
    seen = frozen.images(options, release, inputs, device)
    setup = pipeline.setup_of(options, release, models, folder, device, progress, preset, given, seen)
    setup = replace(setup, conditions=conditions, masks=drawn, gaps=gaps)
    with progress:
        fold = experiment.fold(release, None, setup)
    observed = Observed(release, fold, setup, drawn, rates, modalities)
    with Steps("scores at each rate"):
        found = _results(observed, options, command, left_out)
    found.write(folder)
    missing_tables.write(folder)
    page.write(folder)
    index = index_page.write(folder.parent.parent)
    text = output.drawn(lambda console: missing_tables.show(found, console))
    paths = {
        "page": str(folder / "missing.html"),
        "table": str(folder / "missing.md"),
        "all runs": str(index),
    }
    return Outcome(
        "\n".join([text, "", *(f"{what:<9} {path}" for what, path in paths.items())]),
        {"results": to_builtins(found), **paths},
        exit_code=1 if any(model.stopped for model in found.models) else 0,
    )


def _occurs(release: Release, modality: Modality) -> bool:
    """Return whether a release has posts with a modality."""
    return any(has(part, modality).any() for part in release.parts.values())


def _networks(
    models: Sequence[str], conditions: Sequence[Condition], gaps: Mapping[Key, str], seeds: int
) -> dict[str, int]:
    """Return how many networks of each model are trained."""
    return {
        model: seeds * sum(plan.concerns(one, model) and (model, one) not in gaps for one in conditions)
        for model in plan.needed(models)
    }


#: What is scored: a row, and the modality and the rate at which test posts lost it; None without losses.
Place = tuple[Key, tuple[Modality, float] | None]


@dataclass(frozen=True)
class Observed:
    """The networks of a run, applied to test posts with and without losses."""

    release: Release
    fold: Fold
    setup: Setup
    masks: Masks
    rates: tuple[float, ...]
    modalities: tuple[Modality, ...]

    @cached_property
    def gaps(self) -> dict[Key, str]:
        """The rows without a network, with the reason: also those of which every seed was given up."""
        found = dict(self.setup.gaps)
        for row in self.setup.rows:
            problems = [one.problem for one in self.fold.networks[row]]
            if all(problems):
                found[row] = f"given up: {problems[0]}"
        return found

    def seeds(self, model: str) -> list[int]:
        """Return the seeds that no row of a model had to give up."""
        rows = [row for row in self.setup.rows if row[0] == model and row not in self.gaps]
        lost = {one.seed for row in rows for one in self.fold.networks[row] if one.problem}
        return [seed for seed in self.setup.seeds if seed not in lost and rows]

    def place(self, model: str, modality: Modality, protocol: Protocol, rate: float) -> Place | None:
        """Return what is scored for a model at a rate; None at a gap.

        Losses of a modality that the model doesn't read change nothing.
        """
        if not rate or modality not in registry.spec(model).reads:
            return None if (model, USUAL) in self.gaps else ((model, USUAL), None)
        condition = USUAL if protocol == "test" else Condition(missing=modality, rate=rate)
        row = model, condition
        if row in self.gaps:
            return None
        return row, None if protocol == "train" else (modality, rate)

    def gap(self, model: str, modality: Modality, protocol: Protocol, rate: float) -> str:
        """Return why a model has no score at a rate; "" if it has one."""
        if self.place(model, modality, protocol, rate):
            return ""
        condition = Condition(missing=modality, rate=rate)
        return self.gaps.get((model, condition)) or self.gaps[model, USUAL]

    @cached_property
    def trivial(self) -> Tensor:
        """The prediction that reads no post, float[C]."""
        return self.release.task.trivial(pipeline.train_targets(self.release))[1]

    def answers(self, place: Place, seeds: Sequence[int]) -> list[Tensor]:
        """Return each seed's probabilities of the test posts, float[n, C]."""
        row, losses = place
        test, spec = self.fold.test, registry.spec(row[0])
        found = []
        for seed in seeds:
            present = np.column_stack([has(test, "image"), has(test, "text")])
            if losses:
                present[:, MODALITIES.index(losses[0])] &= ~self.masks.lost(test, *losses, seed)
            by_mode: dict[Mode, Tensor] = {
                mode: self.fold.probabilities[row, seed, mode] for mode in spec.modes
            }
            found.append(mixed(by_mode, present, spec.reads, self.trivial))
        return found

    def grid(self) -> Iterator[tuple[str, Modality, Protocol]]:
        """Yield what has a line."""
        for model in self.setup.models:
            for modality in self.modalities:
                for protocol in PROTOCOLS:
                    yield model, modality, protocol


def _results(
    observed: Observed, options: MissingOptions, command: str, left_out: Sequence[LeftOut]
) -> Missing:
    release, setup, task = observed.release, observed.setup, observed.release.task
    places = {
        place: None
        for model, modality, protocol in observed.grid()
        for rate in (0.0, *observed.rates)
        if (place := observed.place(model, modality, protocol, rate)) and observed.seeds(model)
    }
    target, groups = experiment.targets([observed.fold]), experiment.groups([observed.fold])
    scores = Scores.of(
        {place: observed.answers(place, observed.seeds(place[0][0])) for place in places},
        observed.trivial,
        target,
        groups,
        task,
    )
    return Missing(
        dataset=pipeline.described(release),
        rates=observed.rates,
        modalities=observed.modalities,
        models=tuple(_model(observed, scores, model) for model in setup.models),
        lines=tuple(_line(observed, scores, *one) for one in observed.grid()),
        gone=_gone(observed, mirrors.local(options.datasets) / options.name / release.version),
        trivial=evaluate.trivial(pipeline.train_targets(release), target, task),
        headline=task.headline,
        metrics=dict(task.titles),
        masks=hashlib.sha256((setup.folder.parent / "masks.json").read_bytes()).hexdigest(),
        seeds=setup.seeds,
        preset=setup.preset,
        networks=_frozen(setup),
        command=command.strip(),
        device=pipeline.device_name(setup.device),
        date=datetime.date.today().isoformat(),
        tools=pipeline.tools(),
        left_out=tuple(left_out),
        report=links.report(setup.folder.parent, options.datasets, release.name, release.version),
    )


def _frozen(setup: Setup) -> dict[str, str]:
    """Return the frozen networks of a run by input, each with the digest of its weights."""
    found = {name: f"{source.name} {source.digest}" for name, source in setup.sources.items()}
    found |= {name: f"{text.name} {text.digest}" for name, text in setup.texts.items()}
    return found | ({"vectors": setup.vectors.name} if setup.vectors else {})


def _model(observed: Observed, scores: Scores[Place], model: str) -> Model:
    spec, key = registry.spec(model), (model, USUAL)
    rows = [row for row in observed.setup.rows if row[0] == model]
    networks = [one for row in rows for one in observed.fold.networks[row]]
    stopped = {(one.seed, one.condition): one.problem for one in networks if one.problem}
    return Model(
        model=model,
        title=spec.title(observed.fold.settings.get(key)),
        family=registry.entry(model).family,
        reads=spec.reads,
        complete=scores.figures.get((key, None), {}),
        settings=experiment.settings_of(key, [observed.fold]),
        seconds=sum(one.seconds for one in networks),
        stopped=tuple(
            Stopped(seed, f"{condition or 'no losses'}: {problem}")
            for (seed, condition), problem in sorted(stopped.items())
        ),
        notes=experiment.notes_of(key, [observed.fold]),
    )


def _line(
    observed: Observed, scores: Scores[Place], model: str, modality: Modality, protocol: Protocol
) -> Line:
    seeds = observed.seeds(model)
    places = [observed.place(model, modality, protocol, rate) for rate in observed.rates]
    points = tuple(
        Point(
            rate,
            scores.figures.get(place, {}) if place else {},
            observed.gap(model, modality, protocol, rate),
        )
        for rate, place in zip(observed.rates, places, strict=True)
    )
    area = scores.area(places, observed.rates, len(seeds)) if seeds else None
    return Line(model, modality, protocol, points, area)


def _gone(observed: Observed, folder: Path) -> Gone:
    """Score the models that read texts on posts whose image is gone, and on the texts of the test posts."""
    release, setup, fold = observed.release, observed.setup, observed.fold
    found = text_only.gone(release, folder)
    texts = np.flatnonzero(has(fold.test, "text"))
    seeds = {
        model: own
        for model in setup.models
        if "text" in registry.spec(model).reads and (own := observed.seeds(model))
    }
    if found.part is None or not seeds:
        return Gone(0, len(texts), found.left_out, note=found.note or "no model of the run reads texts")
    posts = PartPosts(release, setup, found.part)
    answers = {
        model: [
            release.task.probabilities(one.logits(posts, "text"))
            for one in fold.networks[model, USUAL]
            if one.seed in own
        ]
        for model, own in seeds.items()
    }
    tests = {
        model: [fold.probabilities[(model, USUAL), seed, "text"][texts] for seed in own]
        for model, own in seeds.items()
    }
    gone = _on(observed, answers, found.part)
    at_random = _on(observed, tests, fold.test.take(texts))
    scored = tuple(Scored(model, gone[model], at_random[model]) for model in gone)
    return Gone(len(found.part), len(texts), found.left_out, scored)


def _on(observed: Observed, rows: Mapping[str, Sequence[Tensor]], part: Part) -> dict[str, Figure]:
    """Return the headline metric of each model on some posts; "" is the trivial prediction."""
    task = observed.release.task
    groups = np.unique(part.groups, return_inverse=True)[1]
    scores = Scores.of(rows, observed.trivial, torch.from_numpy(part.target), groups, task)
    found = {model: scores.figures[model][task.headline] for model in rows}
    return found | {"": evaluate.figure(scores.trivial)}
