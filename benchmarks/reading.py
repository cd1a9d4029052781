"""Compare ways to read a release, in turn: `datasets`, its streaming, torch's loader, pyarrow and ours.

    uv run python -m benchmarks.reading
    uv run python -m benchmarks.reading --only pixels --images 600 --rounds 5

`rows`    id, text and label of each post of a release of texts, opening included: rows per second. Ours is
          `baselines.data.release.load`, which checks the rows and returns arrays
`bytes`   the encoded images of a release of JPEGs of 87 kB (640 x 480), not decoded: images per second
`pixels`  the same images as tensors, uint8 [64, 3, 224, 224]. Ours decodes in threads; torch's loader has
          two worker processes, the others one process

The releases are generated and built first. The loader's own copy of a release (its cache) is made before
the first round.
"""

from __future__ import annotations

import io
import itertools
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import datasets
import numpy as np
import pyarrow.parquet as pq
import torch
import tyro
from PIL import Image
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from affectory.encoders.image.pixels import pixel_batches, squashed_pixels
from baselines.data.images import image_refs
from baselines.data.release import load
from benchmarks import curate
from benchmarks._measure import machine, middle, processor_time, show

Part = Literal["rows", "bytes", "pixels"]

COLUMNS = ["post_id", "text", "label"]
BATCH, SIDE = 64, 224
TEXT = '[images]\nwhich = "none"\n[duplicates]\nimages = []\n'
IMAGES = "[duplicates]\nimages = []\n"


def opened(folder: Path, *, streaming: bool = False) -> list[Any]:
    """Return the splits of the release in `folder`, as `datasets` gives them."""
    cache = str(folder / "cache")
    return list(
        datasets.load_dataset(str(folder / "out" / "bench"), cache_dir=cache, streaming=streaming).values()
    )


def encoded(splits: Iterable[Any]) -> list[Any]:
    """Return the images of splits, not to be decoded."""
    feature = datasets.Image(decode=False)
    return [split.select_columns(["image"]).cast_column("image", feature) for split in splits]


def from_parquet(folder: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a release by pyarrow alone."""
    for path in sorted((folder / "out" / "bench" / "1.0.0").glob("[tv]*.parquet")):  # not ids-, dropped-
        for batch in pq.ParquetFile(path).iter_batches(batch_size=256, columns=columns):
            yield from batch.to_pylist()


def rows(folder: Path) -> Mapping[str, Callable[[], int]]:
    """Return the ways to read rows."""

    def loader() -> int:
        whole: Dataset[Any] = ConcatDataset([split.select_columns(COLUMNS) for split in opened(folder)])
        return sum(len(batch) for batch in DataLoader(whole, BATCH, collate_fn=list))

    def iterated(streaming: bool) -> int:
        splits = (split.select_columns(COLUMNS) for split in opened(folder, streaming=streaming))
        return _number(itertools.chain.from_iterable(splits))

    return {
        "ours": lambda: len(load("bench", folder / "out", cache=folder / "cache").everything()),
        "datasets": lambda: iterated(streaming=False),
        "datasets, streaming": lambda: iterated(streaming=True),
        "torch's DataLoader": loader,
        "pyarrow": lambda: _number(from_parquet(folder, COLUMNS)),
    }


def image_bytes(folder: Path) -> Mapping[str, Callable[[], int]]:
    """Return the ways to read encoded images."""
    release = load("bench", folder / "out", cache=folder / "cache")
    refs = image_refs(release, release.everything())
    splits = encoded(opened(folder))
    streamed = encoded(opened(folder, streaming=True))

    def loader() -> int:
        batches = DataLoader(ConcatDataset(splits), BATCH, collate_fn=list, num_workers=2)
        return sum(len(row["image"]["bytes"]) > 0 for batch in batches for row in batch)

    return {
        "ours": lambda: sum(len(ref.read()) > 0 for ref in refs),
        "ours, digests too": lambda: len(image_refs(release, release.everything())),
        "datasets": lambda: sum(len(row["image"]["bytes"]) > 0 for split in splits for row in split),
        "datasets, streaming": lambda: sum(len(row["image"]["bytes"]) > 0 for s in streamed for row in s),
        "torch's DataLoader": loader,
        "pyarrow": lambda: sum(len(row["image"]["bytes"]) > 0 for row in from_parquet(folder, ["image"])),
    }


def pixels(folder: Path) -> Mapping[str, Callable[[], int]]:
    """Return the ways to read images as batches of tensors."""
    release = load("bench", folder / "out", cache=folder / "cache")
    refs = image_refs(release, release.everything())
    batches = [range(at, min(at + BATCH, len(refs))) for at in range(0, len(refs), BATCH)]
    splits = [split.select_columns(["image"]) for split in opened(folder)]
    streamed = [split.select_columns(["image"]) for split in opened(folder, streaming=True)]

    def loader() -> int:
        found = DataLoader(ConcatDataset(splits), BATCH, collate_fn=_stacked, num_workers=2)
        return sum(len(batch) for batch in found)

    def plain() -> Iterator[dict[str, Any]]:
        for row in from_parquet(folder, ["image"]):
            with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
                yield {"image": image.convert("RGB")}

    return {
        "ours": lambda: sum(len(batch) for batch in pixel_batches(refs, squashed_pixels(SIDE), batches)),
        "datasets": lambda: _in_batches(itertools.chain.from_iterable(splits)),
        "datasets, streaming": lambda: _in_batches(itertools.chain.from_iterable(streamed)),
        "torch's DataLoader": loader,
        "pyarrow and Pillow": lambda: _in_batches(plain()),
    }


def _number(found: Iterable[dict[str, Any]]) -> int:
    return sum(1 for row in found if row["post_id"])


def _stacked(rows: Iterable[dict[str, Any]]) -> Tensor:
    return torch.stack([_tensor(row["image"]) for row in rows])


def _tensor(image: Image.Image) -> Tensor:
    small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1).contiguous()


def _in_batches(found: Iterable[dict[str, Any]]) -> int:
    number, waiting = 0, iter(found)
    while batch := list(itertools.islice(waiting, BATCH)):
        number += len(_stacked(batch))
    return number


WAYS = {"rows": rows, "bytes": image_bytes, "pixels": pixels}


def main(
    only: tuple[Part, ...] = get_args(Part), posts: int = 20_000, images: int = 5000, rounds: int = 5
) -> None:
    """Print a table of each part: rows or images per second, and CPU time.

    Args:
        only: The parts.
        posts: Posts of the release of texts.
        images: Images of the other release.
        rounds: How often all take turns.
    """
    print(machine())
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as place:
        for part in only:
            kind = "texts" if part == "rows" else "images"
            folder, number = Path(place) / kind, posts if part == "rows" else images
            if not folder.exists():
                folder.mkdir()
                curate.make_store(folder / "store", number, images=kind == "images")
                curate.run_build(folder, IMAGES if kind == "images" else TEXT, workers=2)
            compare(part, WAYS[part](folder), number, rounds)


def compare(part: Part, ways: Mapping[str, Callable[[], int]], number: int, rounds: int) -> None:
    """Let all ways take turns; print their medians, and the medians of their ratios to ours."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            before, began = processor_time(), time.perf_counter()
            found = way()
            if found != number:
                raise RuntimeError(f"{name} gave {found:,} of {number:,}")
            if turn:  # the first one fills caches
                seconds[name].append(time.perf_counter() - began)
                cpu[name].append(processor_time() - before)
    table = []
    for name in ways:
        faster = [other / own for own, other in zip(seconds["ours"], seconds[name], strict=True)]
        cheaper = [other / own for own, other in zip(cpu["ours"], cpu[name], strict=True)]
        rate = number / middle(seconds[name])
        spent = f"{1000 * middle(cpu[name]) / number:.3f}"
        table.append([name, rate, f"{middle(faster):.2f}", spent, f"{middle(cheaper):.2f}"])
    unit = "rows" if part == "rows" else "images"
    columns = ["", f"{unit} a second", "time, of ours", "CPU ms each", "CPU, of ours"]
    show(f"{part}: {number:,} {unit}, medians of {rounds}", columns, table)


if __name__ == "__main__":
    tyro.cli(main)
