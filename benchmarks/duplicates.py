"""Measure the search for near-duplicates among a million image hashes and a million titles.

    uv run python -m benchmarks.duplicates
    uv run python -m benchmarks.duplicates --only views --rows 1000000
    uv run python -m benchmarks.duplicates --quality --memes met_meme/images --texts met_meme/E_text.csv

Each row is a separate process: wall-clock seconds, seconds of processor time, and the peak memory of the
process during the search (interpreter and input included). Before that, 20,000 hashes of each family are
compared in all pairs: "same" means that the groups are the same. The `code` families have no near pair at
all, but are packed as densely as possible, so that the buckets are large and nothing in them can be skipped.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import tyro
from numpy.typing import NDArray

from benchmarks._measure import machine, run, show
from benchmarks._quality import quality as measure_quality
from curation.duplicates import dhash, pdq
from curation.duplicates.detector import Asked
from curation.duplicates.embedding import similar
from curation.duplicates.near_images import near_groups
from curation.duplicates.near_texts import near_text_groups
from curation.duplicates.views import OWN

Hashes = NDArray[np.uint64]
RNG = np.random.default_rng(0)
ONE = np.uint64(1)
BAND = np.uint64(0xFFFF)


def anywhere(n: int) -> Hashes:
    """Return uniform hashes."""
    return RNG.integers(0, 2**64, n, dtype=np.uint64)


def around(centres: Hashes, flips: int) -> Hashes:
    """Flip `flips` random bits (some of them back) of each hash."""
    for _ in range(flips):
        centres = centres ^ ONE << RNG.integers(0, 64, len(centres), dtype=np.uint64)
    return centres


def equal_bands(n: int) -> Hashes:
    """Return hashes whose bands are equal two by two."""
    low, high = anywhere(n) & BAND, anywhere(n) & BAND
    return low | low << np.uint64(16) | high << np.uint64(32) | high << np.uint64(48)


def few_bands(n: int) -> Hashes:
    """Return hashes each of whose bands takes 40 values only: every bucket is large."""
    values = anywhere(40) & BAND
    parts = [values[RNG.integers(0, 40, n)] << np.uint64(16 * band) for band in range(4)]
    return np.bitwise_or.reduce(parts)


def code_in_26_bits(n: int) -> Hashes:
    """Return words of the extended Hamming code [26, 20, 4]: 2^20 of them, and no code is denser."""
    data = RNG.permutation(2**20)[:n].astype(np.uint64)
    checks = np.zeros(n, dtype=np.uint64)
    columns = [column for column in range(32) if column.bit_count() > 1][:20]
    for bit, column in enumerate(columns):
        checks ^= (data >> np.uint64(bit) & ONE) * np.uint64(column)
    words = data | checks << np.uint64(20)
    return words | (np.bitwise_count(words) & np.uint8(1)).astype(np.uint64) << np.uint64(25)


def code_of_weight_6(n: int) -> Hashes:
    """Return hashes of 6 set bits, whose places sum to 0 modulo 64: two of them differ in 4 bits or more."""
    found = np.empty(0, dtype=np.uint64)
    while len(found) < min(n, 900_000):  # there are about 1,170,000
        places = np.empty((2 * n, 6), dtype=np.uint64)
        places[:, :5] = RNG.integers(0, 64, (2 * n, 5), dtype=np.uint64)
        places[:, 5] = (64 * 5 - places[:, :5].sum(axis=1)) % np.uint64(64)
        words = np.bitwise_or.reduce(ONE << places, axis=1)
        found = np.union1d(found, words[np.bitwise_count(words) == 6])
    return RNG.permutation(found)[:n]


FAMILIES: dict[str, Callable[[int], Hashes]] = {
    "random": anywhere,
    "100,000 clusters of 10": lambda n: around(anywhere(n // 10).repeat(10), 1),
    "one picture (hash 0)": lambda n: np.zeros(n, dtype=np.uint64),
    "within 3 bits of one": lambda n: around(np.zeros(n, dtype=np.uint64), 3),
    "within 6 bits of one": lambda n: around(np.zeros(n, dtype=np.uint64), 6),
    "within 8 bits of one": lambda n: around(np.zeros(n, dtype=np.uint64), 8),
    "one band shared": lambda n: anywhere(n) & ~BAND,
    "two bands shared": lambda n: anywhere(n) & np.uint64(0xFFFFFFFF),
    "40 bits shared": lambda n: anywhere(n) & np.uint64(0xFFFFFF),
    "0, 1, 2…": lambda n: np.arange(n, dtype=np.uint64),
    "equal bands, two by two": equal_bands,
    "40 values a band": few_bands,
    "one bit in 16 set": lambda n: anywhere(n) & anywhere(n) & anywhere(n) & anywhere(n),
    "code in 26 bits": code_in_26_bits,
    "code of weight 6": code_of_weight_6,
}


def titles(n: int) -> list[str]:
    """Return titles of 8 words in the mean, of a skewed vocabulary; one in 10 is near an earlier one."""
    rng, found = random.Random(0), list[str]()
    for i in range(n):
        if i % 10 == 9:
            found.append(rng.choice(found).upper() + rng.choice((" wow", "!", " 🎉")))
            continue
        words = [f"w{int(200_000 * rng.random() ** 4)}" for _ in range(max(1, round(rng.gauss(8, 3))))]
        found.append(" ".join(words).capitalize() + rng.choice(("", "!", " :)", " é")))
    return found


#: Hashes of a picture's fingerprint, its own included.
VIEWS = 16


def pictures(use: str, words: int, n: int) -> pa.Table:
    """Return random hashes of pictures and their views; one in 10 is near a view of an earlier picture."""
    found = RNG.integers(0, 2**64, (n, VIEWS, words), dtype=np.uint64)
    copies = np.arange(9, n, 10)
    found[copies, 0] = found[RNG.integers(0, n, len(copies)), RNG.integers(OWN, VIEWS, len(copies))] ^ ONE
    found[:, 1:OWN] = found[:, :1]  # most pictures have no border
    kind, data = pa.binary(8 * VIEWS * words), pa.py_buffer(found.astype(">u8"))
    prints = pa.Array.from_buffers(kind, n, [None, data]).cast(pa.binary())
    return pa.table({"image_hash": found[:, 0, 0], f"fingerprint_{use}": prints})


#: Detectors but for the plain hash: for each, how many pictures by default, their input, and the search.
SEARCHES: dict[str, tuple[int, Callable[[int], Any], Callable[[Any], NDArray[np.int64]]]] = {
    "dhash with views": (
        1_000_000,
        lambda n: pictures("dhash", 1, n),
        lambda given: dhash.DETECTOR.groups(given, Asked(dhash.Dhash(use="dhash"))),
    ),
    "pdq with views": (
        20_000,
        lambda n: pictures("pdq", 4, n),
        lambda given: pdq.DETECTOR.groups(given, Asked(pdq.Pdq(use="pdq"))),
    ),
    "embedding": (
        20_000,
        lambda n: RNG.standard_normal((n, 1280)).astype(np.float16),
        lambda given: similar(given, 0.9),
    ),
}


def all_with_all(hashes: Hashes, distance: int = 3) -> NDArray[np.int64]:
    """Group by comparing every pair: breadth-first, a row of the pairs at a time."""
    labels = np.full(len(hashes), -1, dtype=np.int64)
    left = np.arange(len(hashes))
    while len(left):
        first, waiting = left[0], [left[0]]
        labels[first], left = first, left[1:]
        while waiting and len(left):
            near = np.bitwise_count(hashes[left] ^ hashes[waiting.pop()]) <= distance
            labels[left[near]] = first
            waiting += left[near].tolist()
            left = left[~near]
    return labels


def peak_mb() -> float:
    """Return the process's peak memory since it was last reset."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def one(kind: str, family: str, n: int) -> dict[str, float]:
    """Group one input; return what it cost."""
    search: Callable[[Any], NDArray[np.int64]]
    if kind == "views":
        _, make, search = SEARCHES[family]
    else:
        make, search = (FAMILIES[family], near_groups) if kind == "hashes" else (titles, near_text_groups)
    given = make(n)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    clock, processor = time.perf_counter(), time.process_time()
    groups = search(given)
    spent = time.perf_counter() - clock, time.process_time() - processor
    return {
        "rows": len(groups),
        "groups": len(np.unique(groups)),
        "seconds": spent[0],
        "processor": spent[1],
        "peak": peak_mb(),
    }


def main(
    only: Literal["hashes", "views", "titles", "all"] = "all",
    child: str = "",
    rows: int = 1_000_000,
    quality: bool = False,
    memes: Path = Path("met_meme/images"),
    texts: Path = Path("met_meme/E_text.csv"),
    weights: Path | None = None,
    sheet: Path = Path("pairs.png"),
    limit: int = 0,
) -> int:
    """Print the tables. `child` is the family that a process of its own groups, for the benchmark itself.

    With `quality`: how well the detectors find edited copies of 60 images of the folder `memes`, and which of
    all of them (or the first `limit`) they take for copies, drawn on `sheet`. `texts` is a table of their
    names and texts, `weights` those of a MobileNetV2 for embeddings.
    """
    if quality:
        return measure_quality(memes, texts, weights, sheet, limit)
    if child:
        print(json.dumps(one("hashes" if only == "all" else only, child, rows)))
        return 0
    print(machine())
    failed = False
    table: list[list[object]] = []
    for kind in ("hashes", "views", "titles") if only == "all" else (only,):
        inputs = {
            "hashes": [(f, rows) for f in FAMILIES],
            "views": [(f, min(rows, most)) for f, (most, _, _) in SEARCHES.items()],
            "titles": [("titles", rows // 10), ("titles", rows)],
        }[kind]
        for family, n in inputs:
            same = "–"
            if kind == "hashes":
                few = FAMILIES[family](min(rows, 20_000))
                same = "same" if np.array_equal(near_groups(few), all_with_all(few)) else "DIFFERENT"
                failed |= same != "same"
            options = ["--only", kind, "--child", family, "--rows", str(n)]
            done = run([sys.executable, "-m", "benchmarks.duplicates", *options])
            if done.status != 0:
                raise RuntimeError(done.errors)
            cost = json.loads(done.last_line)
            counts = [f"{cost[name]:,}" for name in ("rows", "groups")]
            table.append([family, *counts, cost["seconds"], cost["processor"], f"{cost['peak']:,.0f}", same])
    columns = ("input", "rows", "groups", "seconds", "processor s", "peak MB", "all pairs, 20,000")
    show("Near-duplicate groups", columns, table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
