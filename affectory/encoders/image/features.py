"""Image features by a frozen network, computed once for each image and kept.

    images = image_refs(release, release.everything())  # of baselines.data.images
    features = extract(images, load_backbone("inception_v3"), Path("data/features"))  # float16[n, 2048]

A second call with the same images, from whatever release, runs no network: see `feature_cache`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from torch import Tensor, nn

from affectory.core.engine.choice import LOCAL, EngineChoice
from affectory.core.engine.local import Threads
from affectory.core.errors import BaselineError
from affectory.core.output import say
from affectory.core.progress import Steps
from affectory.encoders.feature_cache import FeatureCache, Features
from affectory.encoders.image.backbones import Backbone
from affectory.encoders.image.pixels import ImageRef, cores, pixel_batches, pixels

__all__ = ["ImageRef", "extract"]

#: What is finished is written to disk at least so often: a killed run loses no more.
FLUSH_SECONDS = 5.0

#: Images at once, by the device's type. On a CPU few are faster: what the layers pass on stays in its caches.
BATCH = {"cpu": 4, "cuda": 64, "mps": 16}


def extract(
    images: Sequence[ImageRef],
    backbone: Backbone,
    cache: Path,
    device: torch.device | str = "cpu",
    batch: int | None = None,
    engine: EngineChoice = LOCAL,
) -> Features:
    """Return the features of images, float16[n, backbone.dim], memory-mapped from `cache`.

    Those that `cache` lacks are computed, and survive the end of the process: a run that was killed goes on
    where it stopped. Processes may extract at once: the second waits for the first. The network stays on
    `device`; `batch` is the number of images at once (`BATCH`). On Ray, each GPU of the nodes has a network,
    or each core where there is no GPU; this process alone reads the images and writes the cache.

    Raises `BaselineError` if an image can't be decoded or its features are NaN or infinite (naming the post),
    or if not one image fits the device's memory.
    """
    if not images:
        return np.empty((0, backbone.dim), np.float16)
    digests = [image.sha256 for image in images]
    store = FeatureCache(cache, backbone)
    packed = store.packed(digests)
    if packed is not None:
        return packed
    with store.locked(lambda: say(f"another process extracts features into {store.folder}: waiting for it")):
        missing = set(store.missing(digests))
        todo = [
            image for image in {image.sha256: image for image in images}.values() if image.sha256 in missing
        ]
        if todo:
            if engine.name == "ray":
                _by_cluster(todo, backbone, store, engine, batch)
            else:
                on = torch.device(device)
                size = batch or BATCH.get(on.type, 16)
                forward = Forward(backbone.module, on, size)
                run = _by_threads if on.type == "cpu" else _by_device
                batches = _batches(todo, size)
                _keep(todo, backbone, store, batches, run(todo, backbone, batches, forward), on.type)
        return store.pack(digests)


def _batches(images: Sequence[ImageRef], size: int) -> list[range]:
    return [range(at, min(at + size, len(images))) for at in range(0, len(images), size)]


def _keep(
    images: list[ImageRef],
    backbone: Backbone,
    store: FeatureCache,
    batches: Sequence[range],
    run: Iterator[Features],
    where: str,
) -> None:
    """Store the features of batches as they come, every few seconds."""
    finished: list[Features] = []
    stored, last = 0, monotonic()

    def flush() -> int:
        features = np.concatenate(finished)
        store.add([image.sha256 for image in images[stored : stored + len(features)]], features)
        finished.clear()
        return stored + len(features)

    with Steps(f"features of {backbone.name} on {where}", len(images), "images") as steps:
        try:
            for rows, features in zip(batches, run, strict=True):
                _check_finite([images[row] for row in rows], features, backbone)
                finished.append(features)
                steps.advance(len(rows))
                if monotonic() - last >= FLUSH_SECONDS:
                    stored, last = flush(), monotonic()
        finally:  # what was computed before an error or Ctrl-C is kept too
            if finished:
                flush()


def _by_device(
    images: Sequence[ImageRef], backbone: Backbone, batches: Sequence[range], forward: Forward
) -> Iterator[Features]:
    """Yield the features of each batch: threads decode ahead, the device works."""
    for decoded in pixel_batches(images, backbone, batches):
        yield forward(decoded)


def _by_threads(
    images: Sequence[ImageRef], backbone: Backbone, batches: Sequence[range], forward: Forward
) -> Iterator[Features]:
    """Yield the features of each batch: each core takes batches of its own from the bytes to the features.

    A network that is spread over all cores waits at every layer for the slowest of them: with another program
    on one of two cores that was 2 to 9 images/s instead of 28.
    """
    before = torch.get_num_threads()
    try:
        with Threads(cores(), prepare=partial(torch.set_num_threads, 1)) as engine:
            chosen = ([images[row] for row in rows] for rows in batches)
            yield from engine.map(_features, chosen, backbone, forward, ahead=2 * cores())
    finally:
        torch.set_num_threads(before)  # threads that start later take what was set last


def _features(images: Sequence[ImageRef], backbone: Backbone, forward: Forward) -> Features:
    return forward(torch.stack([pixels(image, backbone) for image in images]))


def _by_cluster(
    images: list[ImageRef], backbone: Backbone, store: FeatureCache, engine: EngineChoice, batch: int | None
) -> None:
    with engine.actors(cores()) as cluster:
        size = batch or BATCH["cuda" if cluster.gpus else "cpu"]
        batches = _batches(images, size)
        # The bytes themselves, as the nodes may not see the release.
        carried = (
            [replace(one, read=partial(bytes, one.read())) for one in images[rows.start : rows.stop]]
            for rows in batches
        )
        there = _There(backbone, size)
        run = cluster.map(_features_there, carried, there, ahead=2 * cluster.slots)
        where = f"{cluster.gpus} GPUs" if cluster.gpus else f"{cluster.slots} cores"
        _keep(images, backbone, store, batches, run, f"{where} of Ray")


@dataclass
class _There:
    """A network that moves to the device of the node on which it is first used."""

    backbone: Backbone
    batch: int

    @cached_property
    def forward(self) -> Forward:
        """The network on that device."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return Forward(self.backbone.module, device, self.batch)


def _features_there(images: Sequence[ImageRef], there: _There) -> Features:
    return _features(images, there.backbone, there.forward)


class Forward:
    """Runs a network over batches on a device, in halves once a batch does not fit its memory."""

    def __init__(self, module: nn.Module, device: torch.device, batch: int) -> None:
        self.module = module.to(device).to(memory_format=torch.channels_last).eval()
        self.device, self.batch = device, batch

    def __call__(self, given: Tensor) -> Features:
        """Return the features of pixels, float16[B, D], in main memory."""
        if self.device.type == "cuda":
            given = given.pin_memory()
        done: list[Tensor] = []
        at = 0
        while at < len(given):
            try:
                done.append(self._run(given[at : at + self.batch]))
                at += self.batch
            except torch.OutOfMemoryError as error:
                if self.batch == 1:
                    raise BaselineError(
                        f"{self.device} has not enough memory for one image: use --device cpu"
                    ) from error
                self.batch //= 2
                say(f"{self.device} is out of memory: going on with batches of {self.batch}")
        return torch.cat(done).numpy()

    def _run(self, given: Tensor) -> Tensor:
        there = given.to(self.device, non_blocking=True, memory_format=torch.channels_last)
        cuda = self.device.type == "cuda"
        with torch.inference_mode(), torch.autocast(self.device.type, torch.float16, enabled=cuda):
            out: Tensor = self.module(there)
            return out.half().cpu()


def _check_finite(images: Sequence[ImageRef], rows: Features, backbone: Backbone) -> None:
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise BaselineError(
            f"{backbone.name} gives no finite features for the image of post {images[bad[0]].post_id}: "
            "look at its weights"
        )
