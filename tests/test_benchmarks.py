"""Every benchmark runs, shortened; what it measures here means nothing."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks import _stages, reckoning
from benchmarks.ocr import normalised, rates
from benchmarks.scale import Cell, slopes
from tests.curation.stores import Picture

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow

#: Options that shorten each benchmark, and a part of what it prints. RELEASE is a small release.
RUNS = {
    "audit": (["--rows", "300", "--workers", "1"], "planted faults"),
    "corrected": (["--sets", "weak-text", "--posts", "120", "--seeds", "1"], "corrected (95% interval)"),
    "crash": (["--posts", "100", "--kills", "2"], "differences to an undisturbed crawl: 0"),
    "crash build": (["--stage", "build", "--posts", "60", "--kills", "2"], "build: 0"),
    "crash purge": (["--stage", "purge", "--posts", "60", "--kills", "2"], "purge: 0"),
    "crash hydrate": (["--stage", "hydrate", "--posts", "60", "--kills", "2"], "hydrate: 0"),
    "crash train": (["--stage", "train", "--posts", "60", "--kills", "2"], "train: 0"),
    "curate text": (["--only", "text", "--posts", "200", "400"], "slope of log time"),
    "curate images": (["--only", "images", "--image-number", "70", "--rounds", "1"], "70 images of 86 kB"),
    "deduplicators": (["--files", "8", "--hashes", "200", "--titles", "200", "--rounds", "1"], "200 titles"),
    "duplicates quality": (
        ["--quality", "--memes", "PICTURES", "--sheet", "NEW"],
        "% of 3 edited memes grouped",
    ),
    "duplicates hashes": (["--only", "hashes", "--rows", "2000"], "code of weight 6"),
    "duplicates views": (["--only", "views", "--rows", "2000"], "pdq with views"),
    "duplicates titles": (["--only", "titles", "--rows", "2000"], "titles"),
    "dump": (["--lines", "400", "--compared", "100", "--turns", "1"], "400 lines of 1,"),
    "features": (["--backbones", "mobilenet_v2", "--images", "4", "--rounds", "1"], "mobilenet_v2"),
    "fetch throughput": (
        ["--only", "throughput", "--images", "80", "--pairs", "1", "--patience", "0"],
        "throughput: 80 images of 87 kB",
    ),
    "fetch limited": (["--only", "limited", "--limited-images", "40"], "40 of 40"),
    "fetch drip": (["--only", "drip", "--good-images", "20"], "20 stored"),
    "fetch bomb": (["--only", "bomb"], "2 too many pixels"),
    "fetch pending": (
        ["--only", "pending", "--images", "40", "--pairs", "1", "--patience", "0", "--pending", "200"],
        "of the same crawl",
    ),
    "flickr": (["--photos", "100", "--kills", "2"], "differences to an undisturbed crawl: 0"),
    "hostile": (
        ["--only", "starve", "dead_host", "bomb", "redirect", "change", "lost_file", "gallery", "deletion"],
        "only its tombstone is left",
    ),
    "kernels": (["--turns", "1", "--steps", "2"], "convolutions"),
    "language": (["--limit", "100", "--rounds", "1"], "75 foreign ones in 15 languages"),
    "local": (["--rows", "200"], "collect again"),
    "unpaired": (
        ["--corpora", "1", "--posts", "100", "--seeds", "1", "--shares", "0.5"],
        "Cm on",
    ),
    "unlabelled": (
        ["--corpora", "1", "--posts", "100", "--seeds", "1", "--ratios", "0.5"],
        "Holm's p",
    ),
    "masks": ([], "88 of 100"),
    "memes": (["--posts", "200", "--models", "cmml_clip", "lxmert"], "200 generated memes"),
    "missing": (["--corpora", "1", "--posts", "120", "--seeds", "1"], "points more than common"),
    "reading": (["--posts", "80", "--images", "40", "--rounds", "1"], "pyarrow and Pillow"),
    "ocr": (["--memes", "NONE"], "nothing to compare"),
    "references": (
        ["RELEASE", "--weights", "random", "--side", "32", "--backbone", "resnet18"],
        "product",
    ),
    "reckoning": (["--scale", "CELLS"], "machines for 7 days"),
    "report": (["--posts", "60", "--turns", "1"], "reports, medians of 1 turn"),
    "scale": (
        [*("--parts", "store", "images", "--posts", "200", "--images", "60"), "--out", "NEW"],
        "| images: decode, hash |",
    ),
    "store": (["--posts", "400"], "look, half of them"),
    "settings": (["--corpora", "1", "--posts", "80", "--models", "image"], "chosen"),
    "startup": (["--posts", "120", "--rounds", "1"], "build of 120 sandbox posts"),
    "statistics": (["--quick"], "False-positive rates in percent, 5 seeds"),
    "text_model": (["--name", "RELEASE", "--seeds", "1", "--epoch", "2", "--dim", "10"], "bigrams"),
    "train": (["--seeds", "1", "--turns", "1", "--posts", "160", "--width", "32"], "median"),
    "train multitask": (
        ["--family", "multitask", "--seeds", "1", "--turns", "1", "--posts", "80", "--width", "32"],
        "median",
    ),
    "train_memes": (
        [
            *("--seeds", "1", "--turns", "1", "--ae-epochs", "2", "--epochs", "2"),
            *("--unlabelled", "80", "--labelled", "40", "--width", "16"),
        ],
        "median",
    ),
}


#: Benchmarks that take about a minute each even when shortened.
LONG = {"crash train", "crash purge", "crash build", "crash hydrate", "memes"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a small release of images and titles, in `datasets/reddit-emotion`."""
    folder = tmp_path_factory.mktemp("release")
    _stages.collect(folder, 120)
    _stages.build(folder)
    return folder


def lacking(benchmark):
    """Return why a benchmark can't run here."""
    if benchmark == "text_model":
        fasttext = pytest.importorskip("fasttext", reason="fasttext-wheel isn't installed")
        if not hasattr(fasttext, "train_supervised"):
            return "the module fasttext that is installed can't train: it isn't fasttext-wheel's"
    return None


def cells():
    """Return cells of every stage that the reckoning needs, each linear but for one."""
    for stage in reckoning.NEEDED:
        for items, each in (
            (1000, 2e-3),
            (10_000, 1e-3),
            (100_000, 3e-3 if stage == reckoning.DUMP else 1e-3),
        ):
            yield Cell("part", stage, "images", items, 1, items * each, items * each, 100, 0, "a machine")


def test_a_stage_stops_being_linear_where_an_item_costs_a_quarter_more_than_at_a_smaller_size():
    found = {one.stage: one for one in slopes(list(cells()))}
    assert found[reckoning.DUMP].bent == 100_000
    assert found[reckoning.STORE].bent is None


def test_errors_of_read_texts_are_counted_in_words_in_characters_and_in_words_found():
    given, read = ["It's a BIG day!", "one two"], ["its abig day", "two one"]
    assert normalised("It\u2019s \u2014 a\nBIG day!") == ["its", "a", "big", "day"]
    word, character, found = rates(given, read)
    assert (word, character, found) == (4 / 6, 6 / 16, 4 / 6)


def test_every_benchmark_is_among_them():
    files = {path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py")}
    assert {name.partition(" ")[0] for name in RUNS} == files


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in RUNS]
)
def test_it_runs(name, request, tmp_path):
    benchmark, (options, said) = name.partition(" ")[0], RUNS[name]
    if reason := lacking(benchmark):
        pytest.skip(reason)
    if "RELEASE" in options:
        place = request.getfixturevalue("place")
        options = [_stages.NAME if option == "RELEASE" else option for option in options]
        options += ["--datasets", str(place / "datasets")]
    if "CELLS" in options:
        (tmp_path / "cells.json").write_text(json.dumps({"cells": list(map(asdict, cells()))}))
    if "PICTURES" in options:
        (tmp_path / "pictures").mkdir()
        for seed in range(3):
            (tmp_path / "pictures" / f"{seed}.jpg").write_bytes(Picture(seed, (240, 180)).bytes())
    names = {"NEW": "new.png" if "PICTURES" in options else "scale.json", "CELLS": "cells.json"}
    names["PICTURES"] = "pictures"
    options = [str(tmp_path / names[option]) if option in names else option for option in options]
    if benchmark == "references":
        options += ["--features", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{benchmark}", *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr if done.returncode else "") == (0, "")
    assert said in done.stdout
