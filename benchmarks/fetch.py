"""Compare the collector's downloads with img2dataset's, on the sandbox's loopback server.

    uv run --group bench python -m benchmarks.fetch                       # all of it, in about ten minutes
    uv run --group bench python -m benchmarks.fetch --only throughput --pairs 9

`throughput`  the same pictures and resize, two processes each, in alternation: images per second; beside
              both the machine's limit, which is Pillow alone in two processes, without network and files
`limited`     a host that allows 20 requests per second: images stored, requests wasted
`drip`        a host that sends bytes slowly without end, beside a good one: the time
`bomb`        an 874 kB PNG of 30,000 by 30,000: the peak memory
`pending`     the collector alone, without and with 100,000 pending images in its store: images per second

`ours` is the complete collector: claims, pacing, worker processes, files, SQLite rows. Times are wall-clock
times; the server runs on the same cores. Run it on a machine that does nothing else. Where other programs
remove files all the time, set TMPDIR to a folder in memory (/dev/shm): on ext4, a file that is made after
thousands were removed takes a millisecond.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import tyro

from benchmarks import _crawl, _img2dataset, _measure
from benchmarks._measure import Finished, middle, show
from collectors.sandbox import running
from collectors.sandbox.generated.numbered import POOL

Part = Literal["throughput", "limited", "drip", "bomb", "pending"]

_CRAWL = "from benchmarks import _crawl; _crawl.main()"
_PARTS = (
    "Pillow alone",
    "ours: workers",
    "ours: main process",
    "the server, with ours",
    "img2dataset",
)
DISTURBED = 0.15  # of the cores: a turn in which other programs took more isn't to be trusted


@dataclass(frozen=True, slots=True)
class Options:
    """Measure the collector's fetching beside img2dataset.

    Args:
        only: The parts to run; all of them by default.
        images: Images of one run of `throughput` and `pending`.
        pairs: How often the two, or the stores of `pending`, take turns.
        limited_images: Images of the host that allows 20 requests a second.
        good_images: Images of the good host beside the one that drips.
        pending: Pending images of the stores of `pending`.
        at_once: Our connections to the host in `throughput` and `pending`.
        threads: img2dataset's threads a process in `throughput`.
        patience: Seconds that each run of `throughput` and `pending` waits for other programs to leave the
            cores alone.
        img2dataset: A Python that has img2dataset; this one by default.
    """

    only: tuple[Part, ...] = get_args(Part)
    images: int = 3000
    pairs: int = 5
    limited_images: int = 300
    good_images: int = 200
    pending: int = 100_000
    at_once: int = 16
    threads: int = 32
    patience: float = 3.0
    img2dataset: str = sys.executable


def ours(folder: Path, hosts: dict[str, tuple[str, int]], **job: Any) -> tuple[dict[str, Any], Finished]:
    """Run the collector in a process of its own; return what it printed and what it cost."""
    memory = job.pop("memory", False)
    asked = {"folder": str(folder), "hosts": hosts} | job
    finished = _measure.run([sys.executable, "-c", _CRAWL, json.dumps(asked)], memory=memory)
    if finished.status != 0:
        sys.exit(f"the crawl has failed (status {finished.status}):\n{finished.errors}")
    return json.loads(finished.last_line), finished


def addresses(base: str, count: int) -> list[str]:
    """Return the same pictures' addresses for img2dataset, which knows no logical hosts."""
    return [f"{base}/bench.example/{number}.jpg" for number in range(count)]


def statuses(base: str) -> dict[str, int]:
    """Return how often the sandbox has answered with each status since the last call."""
    with urllib.request.urlopen(f"{base}/~stats") as answer:
        found = json.load(answer)["by_status"]
    urllib.request.urlopen(urllib.request.Request(f"{base}/~reset", method="POST")).close()
    return dict(found)


def throughput(options: Options, folder: Path, peer: str | None) -> None:
    """Images a second of both, in turn."""
    rows: list[Sequence[object]] = []
    quiet: list[bool] = []
    work: dict[str, list[float]] = {"ours": [], "peer": [], "limit": []}
    whole: dict[str, list[float]] = {"ours": [], "peer": [], "limit": []}
    few, at_first = min(options.images // 4, 200), [0.0] * len(_PARTS)
    cpu: dict[str, list[float]] = {name: [] for name in _PARTS}
    with running(posts=1) as base:
        for url in addresses(base, POOL):
            urllib.request.urlopen(url).read()
        server = _measure.family(os.getpid())[1:]
        for turn in range(options.pairs + 1):
            # The first turn is short and isn't counted: it warms the caches of both, and tells what a start
            # takes of the processor.
            n = options.images if turn else few
            hosts = {"bench.example": (base, n)}
            alone = limit(n)
            _measure.wait_for_quiet(options.patience)
            before = sum(_measure.processor_times(server).values())
            found, finished = ours(folder / f"ours{turn}", hosts, at_once=options.at_once)
            serving = sum(_measure.processor_times(server).values()) - before
            files = sum(1 for _ in (folder / f"ours{turn}" / "media").glob("??/*.jpg"))
            ended = [(found["images"].get("stored", 0), files)]
            seen = [("ours", found["seconds"], finished.seconds), ("limit", alone["seconds"], math.nan)]
            others = [finished.others]
            spent = [alone["cpu"], found["workers_cpu"], found["cpu"], serving, math.nan]
            if peer:
                there = folder / f"peer{turn}"
                _measure.wait_for_quiet(options.patience)
                its = _img2dataset.run(
                    peer, there, addresses(base, n), thread_count=options.threads, extract_exif=False
                )
                ended.append((its.images, sum(1 for _ in (there / "out").glob("*/*.jpg"))))
                seen.append(("peer", its.seconds, its.finished.seconds))
                others.append(its.finished.others)
                spent[-1] = its.finished.cpu
            if any(pair != (n, n) for pair in ended):
                sys.exit(f"asked for {n} images, (stored, files): {ended}")
            if turn:
                for who, seconds, wall in seen:
                    work[who].append(n / seconds)
                    whole[who].append(n / wall)
                for part, seconds, start in zip(_PARTS, spent, at_first, strict=True):
                    cpu[part].append(1000 * (seconds - start) / (n - few))
                quiet.append(max(others) < DISTURBED)
                shares = " ".join(f"{share:.0%}" for share in others)
                rows.append([turn, *_side_by_side(work, whole, [turn - 1]), shares])
            else:
                at_first = spent
    every, calm = range(options.pairs), [place for place, is_quiet in enumerate(quiet) if is_quiet]
    rows.append(["median of all", *_side_by_side(work, whole, every), ""])
    rows.append([f"of {len(calm)} undisturbed", *_side_by_side(work, whole, calm), f"< {DISTURBED:.0%}"])
    show(
        f"throughput: {options.images:,} images of 87 kB to 256 px, two processes each; images a second",
        ["turn", "ours", "img2d.", "ratio", "limit", "share", "whole: ours", "img2d.", "ratio", "others"],
        rows,
        "ours: the crawl without the interpreter's start, with that of its workers.  img2d.: img2dataset,\n"
        "by its own statistics, without the start of any process.  limit: Pillow alone; share: ours of it.\n"
        "whole: from the first start to the last end.  others: the cores' share of other programs.",
    )
    show(
        "throughput: CPU time of an image beyond that of a start, median of all turns",
        ["part", "milliseconds", "lowest", "highest"],
        [(part, *(f"{of(found):.2f}" for of in (middle, min, max))) for part, found in cpu.items()],
        f"A start: what the first {few} images take, which aren't counted. Workers: decode, shrink, encode,\n"
        "hash, write files. Main process: requests, answers, posts and outcomes in the store.",
    )


def limit(images: int) -> dict[str, float]:
    """Decode, shrink and encode as many pictures with Pillow alone; return wall and processor time."""
    finished = _measure.run(
        [sys.executable, "-m", "benchmarks._decode_limit", json.dumps({"images": images})]
    )
    if finished.status != 0:
        sys.exit(f"Pillow alone has failed (status {finished.status}):\n{finished.errors}")
    found: dict[str, float] = json.loads(finished.last_line)
    return found


def _side_by_side(
    work: dict[str, list[float]], whole: dict[str, list[float]], turns: Sequence[int]
) -> list[object]:
    """Return the medians of both, the limit and the ratios without the processes' start, then with it."""
    cells: list[object] = []
    for by, other in ((work, "peer"), (work, "limit"), (whole, "peer")):
        mine, its = ([by[who][turn] for turn in turns if by[who]] for who in ("ours", other))
        ratios = [a / b for a, b in zip(mine, its, strict=False)]
        cells += [*([middle(mine)] if other == "peer" else []), middle(its), f"{middle(ratios):.2f}"]
    return cells


def limited(options: Options, folder: Path, peer: str | None) -> None:
    """A host that allows 20 requests a second, and says Retry-After or doesn't."""
    rows: list[Sequence[object]] = []
    n = options.limited_images
    for said in (True, False):
        name = f"429 with{'' if said else 'out'} Retry-After"
        with running(posts=1, host_limits=["bench.example=20"], retry_after=said) as base:
            found, _ = ours(folder / f"limited{said}", {"bench.example": (base, n)})
            rows.append(_waste(f"ours, {name}", found["images"].get("stored", 0), n, base, found["seconds"]))
            time.sleep(2)  # the host's allowance fills up again
            if peer and said:
                there = folder / f"limited-peer{said}"
                its = _img2dataset.run(peer, there, addresses(base, n), retries=3)
                rows.append(_waste("img2dataset, retries=3", its.images, n, base, its.seconds))
    columns = ["", "stored", "requests", "429", "wasted %", "seconds"]
    show(f"limited: {n} images of a host that allows 20 requests a second", columns, rows)


def _waste(name: str, stored: int, asked: int, base: str, seconds: float) -> list[object]:
    by_status = statuses(base)
    requests, refused = sum(by_status.values()), by_status.get("429", 0)
    return [name, f"{stored} of {asked}", requests, refused, 100 * refused / requests, seconds]


def drip(options: Options, folder: Path, peer: str | None) -> None:
    """Eight images that never end, beside good ones of another host."""
    deadline, good, bad, patience = 5.0, options.good_images, 8, 20
    rows: list[Sequence[object]] = []
    with running(posts=1) as base, running(posts=1, faults=["drip=1"]) as dripping:
        for url in addresses(base, POOL):
            urllib.request.urlopen(url).read()
        both = {"good.example": (base, good), "drip.example": (dripping, bad)}
        for name, asked in (("the good host alone", list(both)[:1]), ("both", list(both))):
            hosts = {host: both[host] for host in asked}
            found, _ = ours(folder / name, hosts, deadline=deadline, at_once=8)
            rows.append([f"ours, {name}", found["seconds"], found["hosts"]["good.example"], _said(found)])
        if peer:
            urls = addresses(base, good) + addresses(dripping, bad)
            its = _img2dataset.run(peer, folder / "drip-peer", urls, timeout=patience)
            hung = its.finished.status is None
            said = f"{its.images} stored" + (f"; killed after {patience} s" if hung else "")
            rows.append(["img2dataset, both", its.finished.seconds, "", said])
    show(
        f"drip: {good} images, and {bad} that drip for ever; a deadline of {deadline:g} s",
        ["", "seconds", "good host done in second", "images"],
        rows,
    )


def _said(found: dict[str, Any]) -> str:
    return ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in found["images"].items())


def bomb(options: Options, folder: Path, peer: str | None) -> None:
    """The peak memory of every process when PNGs of 30,000 by 30,000 come in."""
    with running(posts=1) as base, running(posts=1, faults=["bomb=1"]) as bombs:
        rows: list[Sequence[object]] = []
        for name, there, count in (("a good image", base, 1), ("2 bombs", bombs, 2)):
            found, finished = ours(folder / name, {"bench.example": (there, count)}, memory=True)
            rows.append([f"ours, {name}", *_peaks(finished), _said(found)])
            if peer and there == bombs:
                asked = addresses(there, count)
                its = _img2dataset.run(peer, folder / f"{name}-peer", asked, thread_count=1, memory=True)
                errors = ", ".join(f"{n} {text[:40]}" for text, n in its.errors.items())
                said = f"{its.images} stored" + (f", {errors}" if errors else "")
                rows.append([f"img2dataset, {name}", *_peaks(its.finished), said])
    show(
        "bomb: an 874 kB PNG of 30,000 by 30,000; peak memory in MB (VmHWM)",
        ["", "main process", "largest other", "processes", "images"],
        rows,
    )


def _peaks(finished: Finished) -> list[object]:
    others = [peak for name, peak in finished.peaks.items() if name != "main"]
    return [finished.peaks.get("main", float("nan")), max(others, default=0.0), 1 + len(others)]


def pending(options: Options, folder: Path, peer: str | None) -> None:
    """The collector with and without many pending images in its store."""
    n, more = options.images, options.pending
    cases: dict[str, tuple[int, tuple[str, str] | None]] = {
        "none": (n, None),
        "of another community": (n, ("other.example", "other")),
        "of the same crawl": (0, ("bench.example", "bench")),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    for name, (_, waiting) in cases.items():
        if waiting:
            _crawl.fill(folder / name, *waiting, more)
    with running(posts=1) as base:
        for url in addresses(base, POOL):
            urllib.request.urlopen(url).read()
        for turn in range(options.pairs):
            first: float | None = None  # the seconds of a turn's first crawl, which the others take too
            for name, (asked, waiting) in cases.items():
                there = folder / f"{turn} {name}"
                if waiting:
                    shutil.copytree(folder / name, there)
                _measure.wait_for_quiet(options.patience)
                hosts = {"bench.example": (base, asked)}
                crawl, _ = ours(there, hosts, at_once=options.at_once, stop_after=first)
                first = first or crawl["seconds"]
                stored = crawl["images"].get("stored", 0) or float("nan")
                found[name].append((crawl["rate"] or float("nan"), 1000 * crawl["cpu"] / stored))
    rows: list[Sequence[object]] = []
    for name, turns in found.items():
        rates, cpus = zip(*turns, strict=True)
        ratio = middle([rate / alone for rate, (alone, _) in zip(rates, found["none"], strict=True)])
        rows.append([name, middle(rates), f"{ratio:.2f}", f"{middle(cpus):.2f}"])
    show(
        f"pending: {n:,} images of 87 kB to 256 px; {more:,} more are pending",
        ["more", "images a second", "ratio", "CPU ms an image"],
        rows,
        "Images a second: from the first stored one to the last.  CPU ms: of the crawl's main process,\n"
        "start and end included, without the workers, which decode.",
    )


def main(options: Options) -> None:
    """Run the parts that were asked for."""
    print(_measure.machine())
    problem = _img2dataset.missing(options.img2dataset)
    if problem:
        print(f"without img2dataset: {problem}")
    peer = None if problem else options.img2dataset
    parts = {"throughput": throughput, "limited": limited, "drip": drip, "bomb": bomb, "pending": pending}
    with ExitStack() as stack:
        # Removed at the end: a file system is slow to make files where thousands were just removed.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="affectory-bench-")))
        for part in options.only:
            (folder / part).mkdir()
            began = time.perf_counter()
            parts[part](options, folder / part, peer)
            print(f"{part}: {time.perf_counter() - began:.0f} s\n")


if __name__ == "__main__":
    main(tyro.cli(Options, prog="python -m benchmarks.fetch"))
