"""Fusion models that lose an input, as trained and corrected on validation: accuracy less the largest class.

    uv run python -m benchmarks.corrected                             generated sets alone
    uv run python -m benchmarks.corrected --titles reddit-emotion-text
    uv run python -m benchmarks.corrected --sets --release met-meme --weights mobilenet_v2.safetensors

Sets: `corpora`, the sandbox's from the eighth on; `weak-image` and `weak-text`, a folder each of generated
pictures and titles of three classes (60, 30 and 10% of the posts), collected and built as own files are, in
which one of the two tells the class of a tenth of the posts only; `titles`, those of a release, with made-up
images; `release`.

`--draw` gives other weak folders than the one that the figures of docs/performance.md are of, and `--margin`
another threshold: so the threshold can be chosen on posts of their own.

Each row has the accuracy in percent of one mode less that of always answering the largest class of training,
with its 95% interval over seeds and test posts. Complete posts are answered as trained.

`--dropout` is another mechanism to compare with: a network trains on each post three times, whole, without
its text and without its image, which is modality dropout with each of the three as likely.
"""

from __future__ import annotations

import csv
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import tyro

from affectory.encoders.image.backbones import load_backbone
from baselines import experiment
from baselines.data import inputs
from baselines.data import release as data
from baselines.data.batch import MODES, Batch, Mode
from baselines.data.release import Release
from baselines.models import registry
from baselines.training import correction
from baselines.training.checkpoint import Checkpoint
from benchmarks._compared import Outcomes, difference
from benchmarks._corpora import TESTED_ON, WIDTH, Drawn, drawn, titled, train
from benchmarks._measure import machine, run, show
from collectors.sandbox.generated import pictures
from collectors.sandbox.generated.words import title

Set = Literal["corpora", "weak-image", "weak-text"]

MODELS = ("early", "joint", "common", "late", "sm", "cv_ct_cm")

CPU = torch.device("cpu")

#: The three classes, their shares, and what the weak modality tells.
SHARES = {"joy": 0.6, "fear": 0.3, "anger": 0.1}
STRONG, WEAK = 0.7, 0.1

RECIPE = """\
name = "weak"
title = "Benchmark"
summary = "Generated posts."
[source.local]
tables = ["posts.csv"]
id = "id"
title = "text"
label = "emotion"
image = "images/{id}.jpg"
generated = true
[labels]
joy = "joy"
fear = "fear"
anger = "anger"
[[filters]]
use = "image"
[split]
rule = "random"
"""


def weak(modality: Literal["image", "text"], posts: int, draw: int, folder: Path) -> Drawn:
    """Write a folder of posts, collect and build it; return it with random features of its pixels."""
    rng = random.Random(draw)
    classes, shares = list(SHARES), list(SHARES.values())
    (folder / "own" / "images").mkdir(parents=True)
    (folder / "datasets" / "weak").mkdir(parents=True)
    (folder / "datasets" / "weak" / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    with (folder / "own" / "posts.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "text", "emotion"])
        for number in range(posts):
            emotion = rng.choices(classes, shares)[0]
            # What doesn't tell the class is drawn like the classes themselves.
            cues = {
                one: emotion
                if rng.random() < (WEAK if one == modality else STRONG)
                else rng.choices(classes, shares)[0]
                for one in ("image", "text")
            }
            picture = pictures.draw(f"{modality}{number}", cues["image"], (96, 72))  # type: ignore[arg-type]
            picture.save(folder / "own" / "images" / f"{number}.jpg")
            table.writerow([number, title(cues["text"], rng), emotion])  # type: ignore[arg-type]
    place = ["--datasets", str(folder / "datasets"), "--store", str(folder / "store")]
    for command in (
        ["-m", "collectors.local", "weak", "--path", str(folder / "own"), *place],
        ["-m", "curation.build", "weak", *place],
    ):
        done = run([sys.executable, *command])
        if done.status != 0:
            sys.exit(f"{' '.join(command)} ended with {done.status}:\n{done.output}{done.errors}")
    release = data.checked(data.load("weak", folder / "datasets", cache=folder / "cache"))
    return _seen(release)


def _seen(release: Release) -> Drawn:
    """Return a release with random features of its images' pixels."""
    everything = release.everything()
    found = inputs.pixels(release, 16)
    shown = np.concatenate([found.of(release.parts[split]) for split in data.SPLITS])
    flat = shown.reshape(len(shown), -1).astype(np.float32)
    flat = (flat - flat.mean(0)) / flat.std(0).clip(1e-3)
    mixing = np.random.default_rng(0).normal(0, flat.shape[1] ** -0.5, (flat.shape[1], WIDTH))
    features = np.maximum(flat @ mixing, 0).astype(np.float16)
    return _made(release, inputs.extracted(release, everything, features))


def _made(release: Release, images: Any) -> Drawn:
    wanted = ("image", "words", "cased_words")
    return Drawn(release, images, inputs.prepare(release, wanted, {"image": images}))


def built(name: str, datasets: Path, weights: str | None, features: Path) -> Drawn:
    """Return a release with features of MobileNetV2."""
    release = data.checked(data.load(name, datasets, task="single"))
    network = load_backbone("mobilenet_v2", weights)
    return _made(release, inputs.frozen(release, network, features, CPU))


def outcomes(made: Drawn, networks: Sequence[Checkpoint], mode: Mode) -> Outcomes:
    """Return whether each network is right about each test post, float64[S, n]."""
    task, target = made.release.task, torch.from_numpy(made.test.target)
    each = [task.decide(task.probabilities(one.logits(made.posts, mode))) == target for one in networks]
    return torch.stack(each).double().numpy()


def dropping(made: Drawn) -> Drawn:
    """Return the same set with each training post three times: whole, and with one modality alone."""
    modes = [made.data.train.only(mode) for mode in MODES]
    return replace(made, data=replace(made.data, train=Batch.joined(modes)))


def lines(corpora: Sequence[Drawn], models: Sequence[str], seeds: int) -> Iterator[list[Any]]:
    """Yield a line for each model and mode, over the test posts of all corpora."""
    nothing: list[Any] = []
    found: dict[str, list[Any]] = {model: [] for model in models}
    for made in corpora:
        target = made.test.target
        largest = np.bincount(made.release.parts["train"].target).argmax()
        nothing.append(np.tile((target == largest).astype(np.float64), (seeds, 1)))
        networks = train(made, experiment.chosen(models, {}, {}), range(seeds), corrected=True)
        for model in models:
            found[model].append((made, networks[model]))
    base = np.concatenate(nothing, 1)
    for model in models:
        for mode in MODES:
            cells = []
            for kept in (False, True):
                every = [
                    outcomes(made, [one if kept else replace(one, corrections={}) for one in each], mode)
                    for made, each in found[model]
                ]
                points, compared = difference(base, np.concatenate(every, 1))
                low, high = (compared.low, compared.high) if compared else (np.nan, np.nan)
                cells.append(f"{points:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})")
            yield [registry.spec(model).name, mode, *cells]


def main(
    sets: tuple[Set, ...] = ("corpora", "weak-image", "weak-text"),
    titles: str | None = None,
    release: str | None = None,
    weights: str | None = None,
    datasets: Path = Path("datasets"),
    features: Path = Path("data/features"),
    seeds: int = 5,
    posts: int = 900,
    corpora: int = 4,
    draw: int = 8,
    margin: float = correction.MARGIN,
    models: tuple[str, ...] = MODELS,
    dropout: bool = False,
) -> None:
    """Compare answers to one modality, as trained and corrected.

    Args:
        sets: Generated sets.
        titles: A release of texts, with made-up images.
        release: A release of one label a post, with MobileNetV2's features.
        weights: MobileNetV2's weights.
        datasets: Where releases are.
        features: The cache of features.
        seeds: Seeds of each model.
        posts: Posts of each generated set.
        corpora: How many corpora, from the eighth.
        draw: The seed of the weak folders.
        margin: By how many standard errors a modality must beat the training shares on validation.
        models: The models, by name.
        dropout: Train on each post also without its image and without its text.
    """
    correction.MARGIN = margin
    print(machine(), f"torch {torch.__version__}")
    for name in (*sets, *(["titles"] if titles else []), *(["release"] if release else [])):
        with tempfile.TemporaryDirectory() as folder:
            if name == "corpora":
                made = [drawn(one, posts) for one in list(TESTED_ON)[:corpora]]
            elif name == "titles":
                made = [titled(str(titles), datasets)]
            elif name == "release":
                made = [built(str(release), datasets, weights, features)]
            else:
                made = [weak("image" if name == "weak-image" else "text", posts, draw, Path(folder))]
            made = [dropping(one) if dropout else one for one in made]
            tested = sum(len(one.test) for one in made)
            show(
                f"{name}: accuracy less the largest class, points, {tested} test posts, {seeds} seeds",
                ["model", "given", "as trained (95% interval)", "corrected (95% interval)"],
                list(lines(made, models, seeds)),
            )


if __name__ == "__main__":
    tyro.cli(main)
