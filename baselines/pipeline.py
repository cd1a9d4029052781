"""The steps of `python -m baselines.run`: load a release, train, evaluate, write table and page."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import torch

from affectory.core import files
from affectory.core.errors import InputError
from affectory.core.output import tell
from affectory.core.progress import Steps
from affectory.encoders.text.vectors import open_vectors
from affectory.encoders.text.words import Vocabulary
from baselines import experiment, frozen, plan
from baselines.data import gold, inputs, subsets
from baselines.data import release as data
from baselines.data.inputs import Data
from baselines.data.release import Release
from baselines.experiment import Fold
from baselines.models import registry
from baselines.models.settings import ModelSettings, Value
from baselines.options import Options, TrainingOptions
from baselines.plan import Setup
from baselines.projection import projections
from baselines.results import evaluate, page, published, tables
from baselines.results.differences import differences
from baselines.results.page import index_page, links
from baselines.results.schema import USUAL, Condition, Dataset, LeftOut, Results, Row
from baselines.results.trained import Trained
from baselines.training import launch
from baselines.training.finetune_runs import Finetuning
from baselines.training.finetune_steps import FinetuneSettings
from baselines.training.progress import Progress
from baselines.training.tune import Search

TOOLS = ("affectory", "datasets", "numpy", "scikit-learn", "torch", "torchvision", "transformers")


def run(options: Options, command: str) -> Trained:
    """Train and evaluate the models, and write the results; return them.

    `command` is recorded in the results. Raises `AffectoryError`.
    """
    device = pick_device(options.device)
    if options.finetune:
        launch.accelerate("--finetune")  # before anything is computed
    with launch.main_process(device):
        return _run(options, command, device)


def loaded(options: TrainingOptions) -> Release:
    """Return the release that the options name. Raises `BaselineError` where there is none."""
    with Steps(f"loading {options.name}"):
        return data.load(
            options.name,
            options.datasets,
            version=options.version,
            cache=options.cache,
            task=options.task,
            labels=options.labels,
        )


def _run(options: Options, command: str, device: torch.device) -> Trained:
    wanted = registry.selected(options.models or of_papers(options.name))
    given = registry.given(options.set)
    preset = published.preset(options.preset, options.name)
    release = loaded(options)
    if options.gold:
        release = gold.joined(release, options.gold)
    elif not options.folds:
        release = gold.held_out(release)
    splits = data.folds(release, options.folds) if options.folds else [data.checked(release)]
    for one in splits:
        check_aim(options, one)
    models, left_out = plan.trainable(
        release,
        wanted,
        finetune=options.finetune,
        hides_labels=bool(options.ratios) and max(options.ratios) < 1,
    )
    for left in left_out:
        tell(f"left out: {left.model}: {left.reason}")
    if not models:
        raise InputError(f"none of {', '.join(wanted)} can be trained on {options.name}")
    check_set(options.set, models, finetune=options.finetune)
    folder = _folder(options, release)
    conditions = _conditions(options, release, models)
    progress = Progress(_networks(options, models, conditions))
    setup = _setup(options, release, models, folder, device, progress, preset, given)
    setup = replace(setup, conditions=conditions, stratified=options.stratified)
    each = [(one, number if options.folds else None) for number, one in enumerate(splits)]
    with progress:
        folds = [experiment.fold(split, number, setup) for split, number in each]
    with Steps("scores, tables and page"):
        results = _results(release, folds, setup, options, command, left_out)
        report = links.report(folder, options.datasets, release.name, release.version)
        results = msgspec.structs.replace(results, report=report)
        _write(folder, release, results, folds)
    return Trained(results, folder)


def check_aim(options: TrainingOptions, release: Release) -> None:
    """Raise `BaselineError` for a --balance or --select that a release has no posts or metric for."""
    release.task.aimed(train_targets(release), balance=options.balance, select=options.select)


def check_set(given: Sequence[str], models: Sequence[str], *, finetune: bool = False) -> None:
    """Raise `InputError` for a setting of a model that isn't trained."""
    trained = plan.needed(models)
    for one in given:
        name = one.partition(".")[0]
        if name in registry.MODELS and name not in trained:
            raise InputError(f"--set {one}: {name} isn't trained here; name it among --models")
        if name in registry.SHARED and not finetune:
            raise InputError(f"--set {one}: it has no effect without --finetune")


def of_papers(name: str) -> list[str]:
    """Return the families whose papers report on a release; the first family where there is none."""
    keys = {paper.key for paper in published.figures(name)}
    return [family for family, key in registry.FAMILIES.items() if key in keys] or [
        next(iter(registry.FAMILIES))
    ]


def _folder(options: Options, release: Release) -> Path:
    """Return the folder of the results. Fine-tuning, gold labels and cross-validation have their own."""
    version = release.version + ("-finetuned" if options.finetune else "") + ("-gold" if options.gold else "")
    return made_folder(options, version + (f"-folds{options.folds}" if options.folds else ""))


def made_folder(options: TrainingOptions, name: str) -> Path:
    """Make a folder of results and return it. Raises `InputError` where that can't be done."""
    folder = options.out / options.name / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {str(options.out)!r} can't be written to: {error.strerror}") from None
    return folder


def _setup(
    options: Options,
    release: Release,
    models: tuple[str, ...],
    folder: Path,
    device: torch.device,
    progress: Progress,
    preset: published.Settings,
    given: dict[str, dict[str, Value]],
) -> Setup:
    wanted = {name for model in plan.needed(models) for name in registry.spec(model).inputs}
    seen = frozen.images(options, release, wanted, device)
    if options.finetune and seen.backbone is None:
        raise InputError(
            f"--finetune trains the image network, but --models {' '.join(models)} reads no images: "
            "leave it out, or name another model"
        )
    made = setup_of(options, release, models, folder, device, progress, preset, given, seen)
    if options.finetune and seen.backbone:
        settings = FinetuneSettings(**given.get("finetune", {}))  # type: ignore[arg-type]
        made = replace(
            made,
            finetuning=Finetuning(seen.backbone, settings, options.features, device, progress.finetuned),
        )
    if not options.tune:
        return made
    search = Search(folder, device, given, progress.tuned)

    def choose(
        data: Data, fold: int | None, some: Sequence[str], condition: Condition
    ) -> Mapping[str, ModelSettings]:
        return search.best(data, made.choose(data, fold, some, condition), fold, condition)

    return replace(made, tuned=True, choose=choose)


def setup_of(
    options: TrainingOptions,
    release: Release,
    models: tuple[str, ...],
    folder: Path,
    device: torch.device,
    progress: Progress,
    preset: published.Settings,
    given: Mapping[str, Mapping[str, Value]],
    seen: frozen.Seen,
) -> Setup:
    """Return what models are trained with: inputs, word vectors and settings. `seen`: what they see."""
    wanted = {name for model in plan.needed(models) for name in registry.spec(model).inputs}
    texts = frozen.texts(options, release, wanted, device)
    base = experiment.chosen(models, preset, given)
    return Setup(
        models=models,
        seeds=tuple(range(options.seeds)),
        images=seen.encoders,
        vectors=open_vectors(options.vectors, options.features) if options.vectors else None,
        width=options.width or inputs.WIDTH,
        texts=texts,
        sources=seen.sources,
        device=device,
        folder=folder / "checkpoints",
        preset=options.preset,
        tuned=False,
        corrected=options.preset == published.OURS and not options.as_trained,
        balance=options.balance,
        select=options.select,
        choose=lambda data, fold, some, condition: {model: base[model] for model in some},
        tell=progress.fitted,
        epochs=progress.epochs,
    )


def _conditions(options: Options, release: Release, models: Sequence[str]) -> tuple[Condition, ...]:
    """Return the conditions of the rows: the usual one, and those of models that learn from unpaired posts.

    All pairs are the usual condition, so a share of 1 adds nothing.
    """
    both_ways = [model for model in models if registry.spec(model).posts == "both ways"]
    if options.pairs and not both_ways:
        able = [one for one in registry.MODELS if registry.spec(one).posts == "both ways"]
        raise InputError(
            f"--pairs: none of {', '.join(models)} learns from unpaired posts; name {', '.join(able)}"
        )
    if options.ratios:
        shares = sorted(set(options.ratios), reverse=True)
        return tuple(USUAL if share == 1 else Condition(labelled=share) for share in shares)
    found = [USUAL]
    for share in sorted({share for share in options.pairs if share < 1}):
        found += [Condition(pairs=share), Condition(pairs=share, unpaired=True)]
    if both_ways and subsets.has_unpaired(release):
        found.append(Condition(unpaired=True))
    return tuple(found)


def _networks(options: Options, models: Sequence[str], conditions: Sequence[Condition]) -> dict[str, int]:
    """Return how many networks of each model are trained."""
    each = options.seeds * (options.folds or 1)
    shared = [one for one in conditions if one.pairs is None and not one.unpaired]
    return {
        model: each * (len(conditions) if registry.spec(model).posts == "both ways" else len(shared))
        for model in plan.needed(models)
    }


def pick_device(name: str) -> torch.device:
    """Return the device of this name; `auto` is the fastest one available. Raises `InputError`."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if there[kind]))
    if not there.get(name.partition(":")[0], False):
        able = ", ".join(kind for kind, is_there in there.items() if is_there)
        raise InputError(f"--device {name!r} is not available: this machine has {able}; or choose auto")
    return torch.device(name)


def _results(
    release: Release,
    folds: Sequence[Fold],
    setup: Setup,
    options: Options,
    command: str,
    left_out: Sequence[LeftOut],
) -> Results:
    dataset = described(release, options.folds)
    rows = [_beside(row, dataset) for row in experiment.rows(folds, setup)]
    every = [one for fold in folds for one in fold.data.encoders.values()]
    shares = [one.out_of_vocabulary for one in every if isinstance(one, Vocabulary)]
    unknown = [one for one in shares if one is not None]
    return Results(
        dataset=dataset,
        rows=tuple(rows),
        pairs=experiment.pairs(folds, setup),
        trivial=evaluate.trivial(train_targets(release), experiment.targets(folds), release.task),
        metrics=dict(release.task.titles),
        command=command.strip(),
        device=device_name(setup.device),
        date=datetime.date.today().isoformat(),
        tools=tools(),
        out_of_vocabulary=sum(unknown) / len(unknown) if unknown else None,
        left_out=tuple(left_out),
        projections=projections(folds[0], setup),
    )


def described(release: Release, folds: int | None = None) -> Dataset:
    """Return what results say of a release."""
    return Dataset(
        name=release.name,
        version=release.version,
        task=release.task.kind,
        labels=release.task.names,
        counts=release.counts(),
        posts={split: release.rows_of(split) for split in data.SPLITS},
        unlabelled=len(release.parts["train"]) - release.rows_of("train"),
        folds=folds,
        generated=release.generated,
    )


def train_targets(release: Release) -> torch.Tensor:
    """Return the targets of the labelled training posts."""
    train = release.parts["train"]
    return torch.from_numpy(train.target[train.labelled])


def tools() -> dict[str, str]:
    """Return the versions of what a run is made with."""
    return {name: importlib.metadata.version(name) for name in TOOLS}


def _beside(row: Row, dataset: Dataset) -> Row:
    """Return the row with what it does otherwise than its paper."""
    key = registry.FAMILIES.get(row.family)
    known = next((paper for paper in published.figures(dataset.name) if paper.key == key), None)
    if known is None:
        return row
    return msgspec.structs.replace(row, differs=differences(known, row, dataset))


def device_name(device: torch.device) -> str:
    """Return the name of a device: that of a GPU, or the processor with its cores."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {os.cpu_count()} cores of {platform.processor() or platform.machine()}"


def _write(folder: Path, release: Release, results: Results, folds: Sequence[Fold]) -> None:
    predictions = experiment.predictions(folds)
    if release.generated:
        predictions = predictions.replace_schema_metadata({"note": release.generated})
    with files.replacing(folder / "predictions.parquet") as temporary:
        pq.write_table(predictions, temporary, compression="zstd")
    masks = [{"fold": fold.number, **asdict(mask)} for fold in folds for mask in fold.masks]
    (folder / "masks.json").unlink(missing_ok=True)
    if masks:  # which training pairs lost their image or their text
        files.write(folder / "masks.json", msgspec.json.format(msgspec.json.encode(masks), indent=1))
    results.write(folder)
    tables.write(folder)
    page.write(folder, lambda keys: _shown(release, keys))
    index_page.write(folder.parent.parent)


def _shown(release: Release, keys: Sequence[page.Key]) -> Mapping[page.Key, page.Shown]:
    """Return text, image and source of the posts that the page shows."""
    from datasets import Image

    everything = release.everything()
    there = zip(everything.post_ids.tolist(), everything.image_index.tolist(), strict=True)
    place = {key: row for row, key in enumerate(there)}
    raw = {s: rows.cast_column("image", Image(decode=False)) for s, rows in release.rows.items()}
    found = {}
    for key in keys:
        split, row = everything.where[place[key]].tolist()
        one = raw[data.SPLITS[split]][row]
        found[key] = page.Shown(
            text=one["text"] or "",
            image=one["image"]["bytes"] if one["image"] else None,
            over_18=bool(one["over_18"]),
            permalink=one["permalink"] or "",
            credit=one["attribution"] or "",
        )
    return found
