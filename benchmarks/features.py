"""Measure the images per second from which each backbone computes features, on every available device.

    uv run python -m benchmarks.features
    uv run python -m benchmarks.features --backbones inception_v3 --images 2000 --batch 256

Weights are random (the time is the same), images are generated JPEGs of 384 pixels. `decode` is only the step
from bytes to pixels, on all cores; `extract` has all steps from bytes to the cache, for which a user waits.
`plain` is the usual loop for the same images and network: a `Dataset`, a `DataLoader` with two workers and
batches of 64, torchvision's transforms, the network in evaluation mode, without a cache. The two take turns;
`ratio` is the plain loop's time divided by ours, `CPU` the same of processor time.
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
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from affectory.encoders.image.backbones import Backbone, load_backbone
from affectory.encoders.image.features import BATCH, Forward, ImageRef, extract
from affectory.encoders.image.pixels import pixel_batches
from benchmarks._measure import machine, middle, processor_time, show

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
            turns = [measure(load_backbone(name, "random"), refs, device, size) for _ in range(rounds)]
            rates = [middle([turn[i] for turn in turns]) for i in range(3)]
            ratios = [f"{middle([turn[i] for turn in turns]):.2f}" for i in (3, 4)]
            rows.append((name, named(device), str(size), *rates, *ratios))
    print(machine())
    show(
        "Images per second",
        ["backbone", "device", "batch", "decode", "extract", "plain", "ratio", "CPU"],
        rows,
        f"{images:,} JPEGs of {SIDE} pixels, median of {rounds}",
    )


def measure(
    backbone: Backbone, refs: Sequence[ImageRef], device: torch.device, batch: int
) -> tuple[float, float, float, float, float]:
    """Return images/s of decoding, extraction and the plain loop; ratios of the last two, wall and CPU."""
    batches = [range(at, min(at + batch, len(refs))) for at in range(0, len(refs), batch)]
    began = time.perf_counter()
    for _ in pixel_batches(refs, backbone, batches):
        pass
    decoding = len(refs) / (time.perf_counter() - began)
    forward = Forward(backbone.module, device, batch)
    forward(torch.rand(batch, 3, backbone.side, backbone.side))  # the first run chooses its kernels
    with tempfile.TemporaryDirectory() as cache, redirect_stderr(io.StringIO()):
        began, before = time.perf_counter(), processor_time()
        extract(refs, backbone, Path(cache), device, batch)
        whole, spent = time.perf_counter() - began, processor_time() - before
    began, before = time.perf_counter(), processor_time()
    plain(backbone, refs, device)
    other, its = time.perf_counter() - began, processor_time() - before
    return decoding, len(refs) / whole, len(refs) / other, other / whole, its / spent


class Pictures(Dataset[Tensor]):
    """Images as torchvision's transforms make them for a network."""

    def __init__(self, refs: Sequence[ImageRef], side: int) -> None:
        self.refs = refs
        self.transform = transforms.Compose(
            [
                transforms.Resize(round(side / 0.875)),
                transforms.CenterCrop(side),
                transforms.ToTensor(),
                transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ]
        )

    def __len__(self) -> int:
        return len(self.refs)

    def __getitem__(self, row: int) -> Tensor:
        with Image.open(io.BytesIO(self.refs[row].read())) as image:
            pixels: Tensor = self.transform(image.convert("RGB"))
            return pixels


def plain(backbone: Backbone, refs: Sequence[ImageRef], device: torch.device) -> Tensor:
    """Return the features of images by the usual loop, on all cores or the device."""
    module = backbone.module.to(device).to(memory_format=torch.contiguous_format).eval()
    loader = DataLoader(Pictures(refs, backbone.side), 64, num_workers=2, pin_memory=device.type == "cuda")
    with torch.inference_mode():
        return torch.cat([module(batch.to(device, non_blocking=True)).cpu() for batch in loader])


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
