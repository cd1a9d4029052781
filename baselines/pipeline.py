"""The steps of `python -m baselines.run`: load a release, train, evaluate, write table and page."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import torch

from affectory.core import files
from affectory.core.errors import InputError
from affectory.encoders.image.backbones import Backbone, load_backbone
from baselines import experiment
from baselines.data import inputs
from baselines.data import release as data
from baselines.data.inputs import Inputs
from baselines.data.release import Release
from baselines.experiment import Chosen, Fold, Setup
from baselines.options import Options
from baselines.results import page, tables
from baselines.results import papers as paper
from baselines.results.projection import projections
from baselines.results.schema import SCHEMA, Dataset, LeftOut, Results, Row
from baselines.training import tune
from baselines.training.checkpoint import Source
from baselines.training.finetune_fitting import Finetuning
from baselines.training.finetune_steps import in_main_process
from baselines.training.progress import Progress

TOOLS = ("affectory", "datasets", "numpy", "torch", "torchvision", "transformers")


def run(options: Options, command: str) -> int:
    """Train and evaluate the models, write and print the results. Return the exit code: 1 if a seed failed.

    `command` is recorded in the results. Under `accelerate launch` all processes train, and only the main one
    evaluates, writes and prints. Raises `AffectoryError`.
    """
    device = pick_device(options.device)
    if not options.finetune or in_main_process(device):
        return _run(options, command, device, is_main=True)
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        return _run(options, command, device, is_main=False)


def _run(options: Options, command: str, device: torch.device, *, is_main: bool) -> int:
    release = data.load(options.name, options.datasets, version=options.version, cache=options.cache)
    splits = data.folds(release, options.folds) if options.folds else [data.checked(release)]
    models, left_out = trainable(release, options.models)
    for one in left_out:
        print(f"left out: {one.model}: {one.reason}")
    if not models:
        raise InputError(f"none of {', '.join(options.models)} can be trained on {options.name}")
    folder = _folder(options, release)
    with Progress(models, options.seeds, options.folds or 1) as progress:
        setup = _setup(options, release, models, folder, device, progress, is_main=is_main)
        each = [(one, number if options.folds else None) for number, one in enumerate(splits)]
        if not is_main:
            for split, number in each:
                experiment.train(split, number, setup)
            return 0
        folds = [experiment.fold(split, number, setup) for split, number in each]
    results = _results(release, folds, setup, options, command, left_out)
    _write(folder, release, results, folds)
    tables.show(results)
    print(f"\npage      {folder / 'results.html'}\ntable     {folder / 'table.md'}")
    return 1 if any(row.stopped for row in results.rows) else 0


def _folder(options: Options, release: Release) -> Path:
    """Return the folder of the results. Fine-tuning and cross-validation have folders of their own."""
    version = release.version + ("-finetuned" if options.finetune else "")
    folder = options.out / options.name / (version + (f"-folds{options.folds}" if options.folds else ""))
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
    *,
    is_main: bool,
) -> Setup:
    backbone = _backbone(options, models)
    images, source, finetuning = inputs.no_images(release), None, None
    if backbone:
        images = inputs.frozen(release, backbone, options.features, device)
        source = Source(options.backbone, options.weights, options.side, backbone.digest, backbone.dim)
    if options.finetune and backbone:
        finetuning = Finetuning(
            backbone, options.finetuning, options.features, device, is_main, progress.finetuned
        )
    return Setup(
        models=models,
        seeds=tuple(range(options.seeds)),
        images=images,
        vectors=options.vectors,
        width=options.width,
        source=source,
        device=device,
        folder=folder / "checkpoints",
        choose=_chooser(options, models, folder, device, progress),
        tell=progress.fitted,
        finetuning=finetuning,
    )


def _backbone(options: Options, models: Sequence[str]) -> Backbone | None:
    """Return the image network; None if no model reads images."""
    if not set(models) <= {"text"}:
        return load_backbone(options.backbone, options.weights, side=options.side)
    if options.finetune:
        raise InputError(
            f"--finetune trains the image network, but --models {' '.join(models)} reads no images: "
            "leave it out, or name another model"
        )
    return None


def pick_device(name: str) -> torch.device:
    """Return the device of this name; `auto` is the fastest one available. Raises `InputError`."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if there[kind]))
    if not there.get(name.partition(":")[0], False):
        able = ", ".join(kind for kind, is_there in there.items() if is_there)
        raise InputError(f"--device {name!r} is not available: this machine has {able}; or choose auto")
    return torch.device(name)


def trainable(release: Release, models: Sequence[str]) -> tuple[tuple[str, ...], tuple[LeftOut, ...]]:
    """Return the models that the release has the inputs for, and the others with the reason."""
    lacks = [
        what for what, there in (("images", release.has_images), ("texts", release.has_texts)) if not there
    ]
    needs = {"image": ("images",), "text": ("texts",)}
    left_out = {
        model: f"{release.name} {release.version} has no {missing[0]}"
        for model in models
        if (missing := [what for what in needs.get(model, ("images", "texts")) if what in lacks])
    }
    kept = tuple(model for model in dict.fromkeys(models) if model not in left_out)
    return kept, tuple(LeftOut(model, reason) for model, reason in left_out.items())


def _chooser(
    options: Options, models: Sequence[str], folder: Path, device: torch.device, progress: Progress
) -> experiment.Choose:
    def choose(made: Inputs, fold: int | None) -> Chosen:
        base = experiment.chosen(models, options.neural, options.text, made)
        if not options.tune:
            return base
        return tune.search(made, base, folder, device, fold, progress.tuned)

    return choose


def _results(
    release: Release,
    folds: Sequence[Fold],
    setup: Setup,
    options: Options,
    command: str,
    left_out: Sequence[LeftOut],
) -> Results:
    counts = release.counts()
    dataset = Dataset(
        release.name, release.version, release.classes, counts, options.folds, release.generated
    )
    rows = experiment.rows(folds, release.classes, setup, options.tune)
    known = paper.figures(release.name)
    if known:
        rows = [_beside(row, known, dataset) for row in rows]
    missing = [fold.words.words.out_of_vocabulary for fold in folds]
    return Results(
        schema=SCHEMA,
        dataset=dataset,
        rows=tuple(rows),
        pairs=tuple(experiment.pairs(folds, setup)),
        command=command.strip(),
        device=_name(setup.device),
        date=datetime.date.today().isoformat(),
        tools={name: importlib.metadata.version(name) for name in TOOLS},
        out_of_vocabulary=None if missing[0] is None else sum(m or 0 for m in missing) / len(missing),
        left_out=tuple(left_out),
        projections=projections(folds[0], setup),
    )


def _beside(row: Row, known: paper.Paper, dataset: Dataset) -> Row:
    differs = paper.differences(
        known,
        backbone=row.backbone,
        weights=row.weights,
        vectors=row.vectors,
        dataset=dataset.name,
        counts=dataset.counts,
        folds=dataset.folds,
        finetuned=bool(row.settings.get("finetune")),
    )
    return msgspec.structs.replace(row, differs=differs)


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {os.cpu_count()} cores of {platform.processor() or platform.machine()}"


def _write(folder: Path, release: Release, results: Results, folds: Sequence[Fold]) -> None:
    predictions = experiment.predictions(folds, release.classes)
    if release.generated:
        predictions = predictions.replace_schema_metadata({"note": release.generated})
    with files.replacing(folder / "predictions.parquet") as temporary:
        pq.write_table(predictions, temporary, compression="zstd")
    results.write(folder)
    tables.write(folder)
    page.write(folder, lambda keys: _shown(release, keys))


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
