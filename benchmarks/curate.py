"""Measure the speed and the memory of a build.

    uv run python -m benchmarks.curate                      (about five minutes)
    uv run python -m benchmarks.curate --only text --posts 10000 100000 1000000
    uv run python -m benchmarks.curate --only images --image-number 10000

text: generated posts with titles as short as Reddit's, through language, length, duplicates, splits and
Parquet, with two processes; posts per second of the complete build, and the slope of log time over log posts
from the smallest number to the largest (1 is linear). images: JPEGs of 85 kB, compared with a loop that only
decodes the same files, with the same number of processes.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Literal

import tyro
from PIL import Image

from benchmarks._measure import machine
from collectors.sandbox.generated.numbered import numbered
from collectors.sandbox.generated.words import title
from collectors.store import Store
from collectors.store.record import Media, Outcome, Post

LABELS = {"happy": "joy", "creepy": "fear", "rage": "anger", "gore": "disgust"}

RECIPE = """
name = "NAME"
title = "Benchmark"
summary = "Generated posts."
[labels]
happy = "joy"
creepy = "fear"
rage = "anger"
gore = "disgust"
"""

TEXT = """
[images]
which = "none"
[[filters]]
use = "language"
[[filters]]
use = "words"
min = 3
max = 150
[duplicates]
images = []
texts = "near"
"""

# The images are 64 pictures with a number in each, so that a few groups of duplicates have them all.
IMAGES = """
[duplicates]
images = ["exact", "dhash"]
[split]
leakage = "paper"
"""

#: Runs the build in a process of its own, and prints its seconds and the peak memory of any of its processes.
BUILD = """
import resource, sys, time
from pathlib import Path
from curation.release.assemble import build
if __name__ == "__main__":
    began = time.perf_counter()
    build(Path(sys.argv[1]), store=Path(sys.argv[2]), out=Path(sys.argv[3]), workers=int(sys.argv[4]))
    seconds = time.perf_counter() - began
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(seconds, *peaks)
"""


def posts(number: int, images: bool) -> Iterator[Post]:
    """Generate posts of four subreddits, titles as the sandbox's."""
    rng = random.Random(0)
    for i in range(number):
        community = list(LABELS)[i % 4]
        name = f"{i:07x}"
        media = Media(url=f"https://i.redd.it/{name}.jpg", position=0, kind="image")
        yield Post(
            post_id=f"reddit:{name}",
            source="reddit",
            community=community,
            title=title(LABELS[community], rng),
            score=int(rng.paretovariate(1) * 100) % 100_000,
            created_at=1_400_000_000 + i,
            permalink=f"https://www.reddit.com/comments/{name}/",
            media=(media,) if images else (),
            collected_at=1_700_000_000,
        )


def make_store(folder: Path, number: int, images: bool) -> None:
    """Fill a store with generated posts, and with images of about 85 kB where asked for."""
    with Store.open(folder) as store:
        made = posts(number, images)
        while page := list(itertools.islice(made, 20_000)):
            store.add(page)
        if not images:
            return
        for i in range(number):
            data = numbered(i)
            digest = hashlib.sha256(data).hexdigest()
            path = store.media_path(digest, "image/jpeg")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            found = Outcome(
                "stored", sha256=digest, mime="image/jpeg", width=640, height=480, frames=1, bytes=len(data)
            )
            store.settle(f"https://i.redd.it/{i:07x}.jpg", found)


def run_build(folder: Path, recipe: str, workers: int) -> tuple[float, float]:
    """Build in a fresh process; return seconds and peak MB of its largest process."""
    path = folder / "recipes" / "bench" / "recipe.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RECIPE.replace("NAME", "bench") + recipe)
    program = folder / "build.py"
    program.write_text(BUILD)
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, str(program), str(path), str(folder / "store"), str(out), str(workers)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    seconds, own, children = map(float, printed.split())
    return seconds, max(own, children) / 1024


def text(numbers: tuple[int, ...], workers: int) -> None:
    """Print posts a second for each number of posts, and the slope between the first and the last."""
    print(f"text posts, {workers} processes: language, words, near-duplicates, splits, Parquet, report")
    print(f"{'posts':>10} {'seconds':>9} {'posts/s':>9} {'peak MB':>9}")
    times = []
    for number in numbers:
        folder = Path(tempfile.mkdtemp())
        try:
            make_store(folder / "store", number, images=False)
            seconds, peak = run_build(folder, TEXT, workers)
        finally:
            shutil.rmtree(folder)
        times.append(seconds)
        print(f"{number:>10,} {seconds:>9.1f} {number / seconds:>9,.0f} {peak:>9,.0f}", flush=True)
    if len(numbers) > 1:
        slope = math.log(times[-1] / times[0]) / math.log(numbers[-1] / numbers[0])
        print(f"slope of log time over log posts, first to last: {slope:.2f}")


def decode(path: str) -> int:
    """Read and decode an image, whole."""
    with Image.open(path) as image:
        image.load()
        return image.width


def bare(paths: list[str], workers: int) -> float:
    """Return the seconds of decoding these files and nothing else."""
    began = time.perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(decode, paths, chunksize=64))
    return time.perf_counter() - began


def images(number: int, workers: int, rounds: int) -> None:
    """Print the build's images a second beside those of a bare decode loop."""
    folder = Path(tempfile.mkdtemp())
    try:
        make_store(folder / "store", number, images=True)
        paths = [str(p) for p in sorted((folder / "store" / "media").rglob("*.jpg"))]
        ratios = []
        print(f"{number:,} images of {sum(Path(p).stat().st_size for p in paths) / number / 1000:.0f} kB")
        for _ in range(rounds):
            alone = bare(paths, workers)
            built, peak = run_build(folder, IMAGES, workers)
            ratios.append(alone / built)
            print(
                f"bare decode {number / alone:,.0f}/s   build {number / built:,.0f}/s   "
                f"ratio {ratios[-1]:.2f}   peak {peak:,.0f} MB",
                flush=True,
            )
        print(f"median ratio of build to bare decode: {sorted(ratios)[len(ratios) // 2]:.2f}")
    finally:
        shutil.rmtree(folder)


def main(
    only: Literal["all", "text", "images"] = "all",
    posts: tuple[int, ...] = (10_000, 100_000, 1_000_000),
    image_number: int = 10_000,
    workers: int = 2,
    rounds: int = 3,
) -> None:
    """Measure builds of text posts and of images."""
    print(machine())
    if only in ("all", "text"):
        text(posts, workers)
    if only in ("all", "images"):
        images(image_number, workers, rounds)


if __name__ == "__main__":
    tyro.cli(main)
