"""The parts of `benchmarks.scale`: what each measures, in a process of its own.

    python -m benchmarks._scaled prepare text /tmp/place 10000
    python -m benchmarks._scaled measure text /tmp/place 10000 --workers 2

`measure` prints one line of JSON: for each stage of the part, wall-clock seconds and the seconds of processor
time of all its processes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import tyro

from benchmarks import curate
from benchmarks._measure import processor_time
from collectors.sandbox.generated.numbered import numbered
from collectors.sandbox.generated.words import title

#: One line in so many of a generated dump is of a subreddit that is asked for.
KEPT = 1000

#: Random bytes of each line, so that a packed dump has about as many bytes a line as Reddit's.
RANDOM_BYTES = 300

#: Posts that are written to a store at once, as the pages of a dump are.
PAGE = 500

#: The shape of sentence-transformers' MiniLM with six layers.
MINI_LM = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}

#: Columns of the image features that a network is trained on.
WIDTH = 256


class Watch:
    """Wall-clock and processor seconds of stages, by name."""

    def __init__(self) -> None:
        self.spent: dict[str, tuple[float, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what the block takes to a stage."""
        wall, processor = time.perf_counter(), processor_time()
        yield
        before = self.spent.get(name, (0.0, 0.0))
        after = time.perf_counter(), processor_time()
        self.spent[name] = before[0] + after[0] - wall, before[1] + after[1] - processor

    def measured(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Return a function whose calls are added to a stage."""

        def call(*arguments: Any, **options: Any) -> Any:
            with self.stage(name):
                return function(*arguments, **options)

        return call


@dataclass(frozen=True, slots=True)
class Asked:
    """What one process does.

    `folder` holds what was prepared, and `out`, inside it, gets what is measured. `server` is the sandbox's
    address, for parts that need it.
    """

    folder: Path
    items: int
    workers: int
    server: str

    @property
    def out(self) -> Path:
        """The folder for what is measured."""
        return self.folder / f"by-{self.workers}"


def nothing(asked: Asked) -> None:
    """Prepare nothing."""


def write_dump(asked: Asked) -> None:
    """Write a dump whose lines have about as many bytes as real ones, packed and unpacked."""
    import zstandard

    from collectors.sandbox.generated.corpus import Corpus
    from collectors.sandbox.generated.submission import submission

    rng = random.Random(0)
    posts = [submission(post) for post in Corpus(posts=200).posts if post.parent is None]
    marks = {"id": "@id", "subreddit": "@sub", "noise": "@noise"}
    lines = [json.dumps(post | marks).encode() for post in posts]
    packer = zstandard.ZstdCompressor(level=3)
    with (asked.folder / "dump.zst").open("wb") as file, packer.stream_writer(file) as out:
        for number in range(asked.items):
            sub = b"happy" if number % KEPT == 0 else b"sub%d" % rng.randrange(100_000)
            line = lines[number % len(lines)].replace(b"@id", b"x%x" % number).replace(b"@sub", sub)
            out.write(line.replace(b"@noise", base64.b64encode(rng.randbytes(RANDOM_BYTES))) + b"\n")


def read_dump(asked: Asked, watch: Watch) -> None:
    """Read a dump for four subreddits, without images."""
    from collectors.reddit.__main__ import main

    options = ["--source", "dump", "--path", str(asked.folder / "dump.zst"), "--no-media"]
    options += ["--store", str(asked.out)]
    with watch.stage("reading a dump"):
        code = main(["--subs", *curate.LABELS, *options])
    if code:
        raise SystemExit(f"the dump could not be read: exit code {code}")


def store(asked: Asked, watch: Watch) -> None:
    """Write posts into a new store."""
    from collectors.store import Store

    made = curate.posts(asked.items, images=True)
    with Store.open(asked.out) as opened:
        while page := list(itertools.islice(made, PAGE)):
            with watch.stage("posts into the store"):
                opened.add(page)


def download(asked: Asked, watch: Watch, stage: str = "downloads", side: int | None = None) -> None:
    """Download images from the sandbox, check them and store them, as they are or shrunk to `side` pixels."""
    from benchmarks._crawl import Job, work

    hosts = {"bench.example": (asked.server, asked.items)}
    job = Job(str(asked.out), hosts, at_once=16, side=side, processes=asked.workers)
    with watch.stage(stage):
        found = asyncio.run(work(job))
    if found["images"] != {"stored": asked.items}:
        raise SystemExit(f"not all images were stored: {found['images']}")


def text_store(asked: Asked) -> None:
    """Fill a store with posts without images."""
    curate.make_store(asked.folder / "store", asked.items, images=False)


def image_store(asked: Asked) -> None:
    """Fill a store with posts and their images."""
    curate.make_store(asked.folder / "store", asked.items, images=True)


def build_texts(asked: Asked, watch: Watch) -> None:
    """Build a release of texts."""
    _build(asked, watch, curate.TEXT, "filters: language, words", "near-duplicate texts", "Parquet")


def build_images(asked: Asked, watch: Watch) -> None:
    """Build a release of images."""
    _build(
        asked, watch, curate.IMAGES, "images: decode, hash", "near-duplicate images", "Parquet with images"
    )


def _build(
    asked: Asked, watch: Watch, recipe: str, per_row: str, duplicates_stage: str, parquet: str
) -> None:
    """Build a release; its stages are measured where the build calls them."""
    from curation import report
    from curation.duplicates import duplicates
    from curation.release import assemble
    from curation.release.exporters import EXPORTERS
    from curation.splits import split

    kind = "texts" if recipe == curate.TEXT else "images"
    stages: list[tuple[Any, str, str]] = [
        (assemble, "plan", f"snapshot of the store ({kind})"),
        (assemble, "digested", f"digest of the rows ({kind})"),
        (assemble, "gather", per_row),
        (duplicates, "group", duplicates_stage),
        (split, "assign", f"splits ({kind})"),
        (report, "write", f"report ({kind})"),
    ]
    for module, name, stage in stages:
        setattr(module, name, watch.measured(getattr(module, name), stage))
    EXPORTERS["parquet"] = watch.measured(EXPORTERS["parquet"], parquet)
    path = asked.folder / "recipes" / "bench" / "recipe.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(curate.RECIPE.replace("NAME", "bench") + recipe)
    with watch.stage(f"whole build ({kind})"):
        assemble.build(path, store=asked.folder / "store", out=asked.out, workers=asked.workers)


def language(asked: Asked, watch: Watch) -> None:
    """Identify the language of titles."""
    from curation.measure.language import identify

    titles = _titles(asked.items)
    identify(titles[:10])  # loads the model
    with watch.stage("language of titles"):
        identify(titles)


def image_hashes(asked: Asked, watch: Watch) -> None:
    """Group hashes of images, of which nine in ten are near another one."""
    import numpy as np

    from benchmarks.duplicates import anywhere, around
    from curation.duplicates.near_images import near_groups

    hashes = around(anywhere(max(1, asked.items // 10)).repeat(10)[: asked.items], 1)
    with watch.stage("near-duplicates of image hashes"):
        groups = near_groups(hashes)
    assert len(np.unique(groups)) <= asked.items


def image_features(asked: Asked, watch: Watch, backbone: str) -> None:
    """Compute image features with random weights; each worker is a thread on a core of its own."""
    from affectory.encoders.image.backbones import load_backbone
    from affectory.encoders.image.features import extract
    from affectory.encoders.image.pixels import ImageRef

    _use_cores(asked.workers)
    images = [
        ImageRef(f"made-up:{i}", hashlib.sha256(numbered(i)).hexdigest(), partial(numbered, i))
        for i in range(asked.items)
    ]
    network = load_backbone(backbone, "random")
    with watch.stage(f"features of images ({backbone})"):
        extract(images, network, asked.out)


def text_network(asked: Asked) -> None:
    """Write a text network of MiniLM's shape, with random weights."""
    import torch
    from transformers import BertConfig, BertModel

    from benchmarks.memes import tokenizer

    words = sorted({word.lower() for text in _titles(20_000) for word in text.split()})
    number = tokenizer(asked.folder / "network", words, 128)
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=number, **MINI_LM)).save_pretrained(asked.folder / "network")


def text_features(asked: Asked, watch: Watch) -> None:
    """Compute text features; each worker is a thread on a core of its own."""
    from affectory.encoders.text.hub_encoders import features, load_text_encoder

    _use_cores(asked.workers)
    network = load_text_encoder(str(asked.folder / "network"))
    texts = [f"{text} {number}" for number, text in enumerate(_titles(asked.items))]  # all different
    with watch.stage("features of texts (MiniLM's shape)"):
        features(texts, network, asked.out)


def training_data(asked: Asked) -> None:
    """Write generated posts that a network is trained on."""
    from baselines.training.checkpoint import save
    from benchmarks.train import Shape, made_up

    shape = Shape(("image", "words"), asked.items, WIDTH, words=6000, lengths=(3, 20), vectors=50)
    save(made_up(shape).packed(), asked.folder / "data.pt")


def training(asked: Asked, watch: Watch) -> None:
    """Train two networks of early fusion for one epoch, each on one core."""
    import torch

    from baselines.models import registry
    from baselines.training.jobs import Job, run

    settings = registry.spec("early").settings
    assert settings is not None
    path = registry.entry("early").path
    job = Job("early", path, asked.folder / "data.pt", settings(epochs=1), seeds=(0, 1))  # type: ignore[call-arg]
    with watch.stage("an epoch of two networks (early fusion)"):
        done = list(run([job], torch.device("cpu"), processes=asked.workers))
    assert len(done) == 2


def _titles(number: int) -> list[str]:
    rng, classes = random.Random(0), list(curate.LABELS.values())
    return [title(classes[i % 4], rng) for i in range(number)]


def _use_cores(number: int) -> None:
    """Let this process use so many cores, which is the number of its threads that compute features."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:number])


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the benchmark: what it counts, how it is prepared and measured, and with how many workers.

    `downloads`: whether it needs the sandbox's server.
    """

    unit: Literal["posts", "images"]
    measure: Callable[[Asked, Watch], None]
    prepare: Callable[[Asked], None] = nothing
    workers: tuple[int, ...] = (1, 2)
    downloads: bool = False


PARTS: Mapping[str, Part] = {
    "dump": Part("posts", read_dump, write_dump, workers=(1,)),
    "store": Part("posts", store, workers=(1,)),
    "download": Part("images", download, downloads=True),
    "shrink": Part("images", partial(download, stage="downloads, to 256 px", side=256), downloads=True),
    "language": Part("posts", language, workers=(1,)),
    "texts": Part("posts", build_texts, text_store),
    "images": Part("images", build_images, image_store),
    "hashes": Part("posts", image_hashes, workers=(1,)),
    "mobilenet_v2": Part("images", partial(image_features, backbone="mobilenet_v2")),
    "inception_v3": Part("images", partial(image_features, backbone="inception_v3")),
    "text-features": Part("posts", text_features, text_network),
    "training": Part("posts", training, training_data),
}


def main(
    do: tyro.conf.Positional[Literal["prepare", "measure"]],
    part: tyro.conf.Positional[str],
    folder: tyro.conf.Positional[Path],
    items: tyro.conf.Positional[int],
    workers: int = 1,
    server: str = "",
) -> None:
    """Prepare or measure a part."""
    asked = Asked(folder, items, workers, server)
    if do == "prepare":
        PARTS[part].prepare(asked)
        return
    watch = Watch()
    PARTS[part].measure(asked, watch)
    shutil.rmtree(asked.out, ignore_errors=True)
    print(json.dumps(watch.spent))


if __name__ == "__main__":
    tyro.cli(main)
