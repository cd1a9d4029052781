"""Measure the images per second from which each backbone computes features, on every available device.

    uv run python -m benchmarks.features
    uv run python -m benchmarks.features --backbones inception_v3 --images 2000 --batch 256

Weights are random (the time is the same), images are generated JPEGs of 384 pixels. `decode` is only the step
from bytes to pixels, on all cores; `extract` has all steps from bytes to the cache, for which a user waits.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image

from affectory.encoders.image.backbones import Backbone, load_backbone
from affectory.encoders.image.features import BATCH, Forward, ImageRef, extract
from affectory.encoders.image.pixels import pixel_batches
from benchmarks._measure import machine, middle, show

SIDE = 384


def main(
    backbones: Sequence[str] = ("mobilenet_v2", "densenet121", "inception_v3"),
    images: int = 400,
    batch: int | None = None,
    rounds: int = 3,
) -> None:
    """Print a table of images per second.

    Args:
        backbones: names as `python -m baselines.run --backbone` takes them.
        images: images a round; a slower device than a GPU needs no more than some hundreds.
        batch: images at once, in place of the usual number of the device.
        rounds: times that each is measured; the median is shown.
    """
    devices = [torch.device("cpu")]
    if torch.cuda.is_available():
        devices.append(torch.device("cuda"))
    if torch.backends.mps.is_available():
        devices.append(torch.device("mps"))
    refs = [made_up(number) for number in range(images)]
    rows = []
    for device in devices:
        size = batch or BATCH.get(device.type, 16)
        for name in backbones:
            rates = [measure(load_backbone(name, "random"), refs, device, size) for _ in range(rounds)]
            decoding, whole = (middle([rate[i] for rate in rates]) for i in range(2))
            rows.append((name, named(device), str(size), decoding, whole))
    print(machine())
    show(
        "Images per second",
        ["backbone", "device", "batch", "decode", "extract"],
        rows,
        f"{images:,} JPEGs of {SIDE} pixels, median of {rounds}",
    )


def measure(
    backbone: Backbone, refs: Sequence[ImageRef], device: torch.device, batch: int
) -> tuple[float, float]:
    """Return images/s of decoding alone and of the whole extraction."""
    batches = [range(at, min(at + batch, len(refs))) for at in range(0, len(refs), batch)]
    began = time.perf_counter()
    for _ in pixel_batches(refs, backbone, batches):
        pass
    decoding = len(refs) / (time.perf_counter() - began)
    forward = Forward(backbone.module, device, batch)
    forward(torch.rand(batch, 3, backbone.side, backbone.side))  # the first run chooses its kernels
    with tempfile.TemporaryDirectory() as cache, redirect_stderr(io.StringIO()):
        began = time.perf_counter()
        extract(refs, backbone, Path(cache), device, batch)
        return decoding, len(refs) / (time.perf_counter() - began)


def made_up(number: int) -> ImageRef:
    """Return a JPEG as large and as hard to decode as a photo of its size."""
    rng = np.random.default_rng(number)
    small = Image.fromarray(rng.integers(0, 256, (48, 48, 3), np.uint8))
    out = io.BytesIO()
    small.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    data = out.getvalue()
    return ImageRef(f"made-up:{number}", hashlib.sha256(data).hexdigest(), partial(bytes, data))


def named(device: torch.device) -> str:
    """Return a device's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


if __name__ == "__main__":
    tyro.cli(main)
