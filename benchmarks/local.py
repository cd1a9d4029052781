"""Measure the speed and the memory of collecting and building a dataset on disk.

    uv run python -m benchmarks.local                          (300,000 rows, VSO's size: ten minutes)
    uv run python -m benchmarks.local --rows 20000

A table of texts of 5 to 150 words with as many small JPEGs, all different, is collected with
`collectors.local`, collected again with nothing new, and built with near-duplicates and a random split.
Memory is that of the largest process, and the sum of the peaks of all processes.
"""

from __future__ import annotations

import csv
import hashlib
import random
import shutil
import sys
import tempfile
from pathlib import Path

import tyro
from PIL import Image

from benchmarks._measure import Finished, machine, run, show
from collectors.sandbox.generated.words import title

RECIPE = """\
name = "bench"
title = "Benchmark"
summary = "Generated posts."
[source.local]
tables = ["posts.csv"]
id = "id"
title = "text"
label = "sentiment"
image = "images/{id}.jpg"
[labels]
positive = "positive"
negative = "negative"
[[filters]]
use = "image"
[[filters]]
use = "words"
min = 5
max = 150
[duplicates]
images = ["exact", "dhash"]
texts = "equal"
[split]
rule = "random"
"""


def make(folder: Path, rows: int, side: int) -> None:
    """Write the table and the images: every tenth thousand in a folder of its own."""
    rng = random.Random(0)
    with (folder / "posts.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "text", "sentiment"])
        for i in range(rows):
            name, emotion = f"{i // 10_000:03}/{i:07}", ("joy", "anger")[i % 2]
            words = " ".join(title(emotion, rng) for _ in range(rng.randint(1, 8)))  # type: ignore[arg-type]
            table.writerow([name, words, ("positive", "negative")[i % 2]])
            path = folder / "images" / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            digest = hashlib.sha512(str(i).encode()).digest()
            picture = Image.frombytes("RGB", (7, 3), digest[:63]).resize((side, side * 2 // 3))
            picture.save(path, quality=80)


def line(what: str, rows: int, done: Finished) -> list[object]:
    """Return a step's figures; end the benchmark where it failed."""
    if done.status != 0:
        sys.exit(f"{what} ended with {done.status}:\n{done.output}{done.errors}")
    peaks = sorted(done.peaks.values(), reverse=True)
    return [what, done.seconds, f"{rows / done.seconds:,.0f}", peaks[0], sum(peaks), f"{done.others:.0%}"]


def main(rows: int = 300_000, side: int = 96, workers: int = 2) -> None:
    """Measure collecting and building a generated dataset on disk."""
    print(machine())
    place = Path(tempfile.mkdtemp())
    try:
        folder, recipes = place / "folder", place / "datasets"
        (recipes / "bench").mkdir(parents=True)
        folder.mkdir()
        (recipes / "bench" / "recipe.toml").write_text(RECIPE)
        make(folder, rows, side)
        shared = ["--store", place / "store", "--datasets", recipes, "--workers", str(workers)]
        collect = [sys.executable, "-m", "collectors.local", "bench", "--path", folder, *shared]
        build = [sys.executable, "-m", "curation.build", "bench", *shared]
        steps = [("collect", collect), ("collect again", collect), ("build", build)]
        found = [line(what, rows, run(command, memory=True, timeout=7200)) for what, command in steps]
        columns = ["step", "seconds", "posts/s", "largest MB", "all MB", "others"]
        show(f"{rows:,} rows, images of {side} px, {workers} processes", columns, found)
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    tyro.cli(main)
