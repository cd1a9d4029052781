"""Measure every stage at growing sizes, with one and two workers.

    uv run python -m benchmarks.scale            (hours; can be stopped, and repeated to measure the rest)
    uv run python -m benchmarks.scale --parts texts images --posts 10000 100000 --images 1000 10000
    uv run python -m benchmarks.scale --only-table

Each cell (a part, a size, a number of workers) is written to `--out` as soon as it is measured, and a rerun
measures only those that are missing. Processor seconds are the figures to trust: other programs change the
wall-clock times. A cell that takes longer than `--limit` is stopped, and larger sizes of its part are left
out.

A stage stops being linear at the first size whose processor time per item is more than 1.25 times that of the
cheapest smaller size. `benchmarks.reckoning` reads the same file.
"""

from __future__ import annotations

import json
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from affectory.core.files import write
from benchmarks._measure import Finished, machine, run
from benchmarks._scaled import PARTS
from collectors.sandbox import running
from collectors.sandbox.generated.numbered import POOL

#: Processor time per item grows by less than this from one size to a larger one in a linear stage.
LINEAR = 1.25

#: Sizes at which a stage took less are not compared: the clock of processor time ticks 100 times a second.
SHORTEST = 0.1

#: Seconds between two looks at the memory of the measured processes.
EVERY = 0.25

#: Seconds that preparing a part may take.
PATIENCE = 3600


@dataclass(frozen=True, slots=True)
class Options:
    """Measure every stage at growing sizes, with one and two workers.

    Args:
        posts: Sizes of the parts that count posts.
        images: Sizes of the parts that count images.
        parts: What to measure; everything by default.
        limit: Seconds that a cell may take.
        out: The file with the cells, which is read and extended.
        scratch: The folder for what is generated; up to 20 GB with 100,000 images.
        only_table: Print the table of what `out` holds, and measure nothing.
    """

    posts: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    images: tuple[int, ...] = (1_000, 10_000, 100_000)
    parts: tuple[str, ...] = tuple(PARTS)
    limit: float = 600
    out: Path = Path("scale.json")
    scratch: Path | None = None
    only_table: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """What a stage took at one size. `memory`: MB of all processes of its part together, at most.

    `others`: the share of the cores that other programs took meanwhile. `stopped`: it took longer than the
    limit, and `stage` is the name of the part.
    """

    part: str
    stage: str
    unit: str
    items: int
    workers: int
    seconds: float
    processor: float
    memory: float
    others: float
    machine: str
    stopped: bool = False


def read(path: Path) -> list[Cell]:
    """Return the cells of a file; none if there is no file."""
    return [Cell(**one) for one in json.loads(path.read_text())["cells"]] if path.exists() else []


def measure(options: Options) -> Iterator[list[Cell]]:
    """Yield the cells of each part, size and number of workers that the file lacks."""
    known = read(options.out)
    for name in options.parts:
        part = PARTS[name]
        for items in options.posts if part.unit == "posts" else options.images:
            if any(one.part == name and one.stopped and one.items < items for one in known):
                continue
            has = {one.workers for one in known if (one.part, one.items) == (name, items)}
            missing = [workers for workers in part.workers if workers not in has]
            if missing:
                for found in _measured(name, items, missing, options):
                    known += found
                    yield found


def _measured(name: str, items: int, workers: Sequence[int], options: Options) -> Iterator[list[Cell]]:
    """Prepare a part at a size, and yield its cells for each number of workers."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=options.scratch))
        server = stack.enter_context(running(posts=1)) if PARTS[name].downloads else ""
        for number in range(POOL if server else 0):  # the server draws its pictures at the first request
            urllib.request.urlopen(f"{server}/bench.example/{number}.jpg").read()
        command = [sys.executable, "-m", "benchmarks._scaled"]
        given = [name, folder, str(items), f"--server={server}"]
        _check(run([*command, "prepare", *given], timeout=PATIENCE))
        for number in workers:
            finished = run(
                [*command, "measure", *given, f"--workers={number}"],
                timeout=options.limit,
                memory=True,
                every=EVERY,
            )
            stopped = finished.status is None
            if not stopped:
                _check(finished)
            limit = {name: (options.limit, options.limit)}
            spent = limit if stopped else json.loads(finished.last_line)
            yield [
                Cell(
                    name,
                    stage,
                    PARTS[name].unit,
                    items,
                    number,
                    wall,
                    processor,
                    finished.together,
                    finished.others,
                    machine(),
                    stopped,
                )
                for stage, (wall, processor) in spent.items()
            ]
            if stopped:
                return


def _check(finished: Finished) -> None:
    if finished.status != 0:
        raise SystemExit(f"a measured program ended with {finished.status}:\n{finished.errors[-3000:]}")


@dataclass(frozen=True, slots=True)
class Slope:
    """A stage at all measured sizes, by size and number of workers."""

    stage: str
    unit: str
    cells: Mapping[int, Mapping[int, Cell]]

    def each(self, items: int, workers: int = 1) -> float:
        """Return the processor time of an item at a size, in microseconds."""
        return 1e6 * self.cells[items][workers].processor / items

    @property
    def bent(self) -> int | None:
        """The first size at which the stage isn't linear any more, or None."""
        sizes = [items for items in sorted(self.cells) if self.cells[items][1].processor >= SHORTEST]
        for place, items in enumerate(sizes[1:], 1):
            if self.each(items) > LINEAR * min(map(self.each, sizes[:place])):
                return items
        return None

    @property
    def linear(self) -> str:
        """Up to which measured size the stage is linear: "yes" if up to the last."""
        bent = self.bent
        if bent is None:
            return "yes" if len(self.cells) > 1 else "–"
        return f"to {max(items for items in self.cells if items < bent):,}"

    @property
    def faster(self) -> str:
        """How many times as fast two workers are by the clock, at each size; their processor time."""
        both = [of for of in self.cells.values() if 2 in of]
        if not both:
            return "–"
        ratios = " / ".join(f"{of[1].seconds / max(of[2].seconds, 0.01):.2f}" for of in both)
        return f"{ratios}; {both[-1][2].processor / max(both[-1][1].processor, 0.01):.2f}"


def slopes(cells: Sequence[Cell]) -> list[Slope]:
    """Return the stages in the order in which they were first measured."""
    found: dict[tuple[str, str], dict[int, dict[int, Cell]]] = {}
    for one in cells:
        if not one.stopped:
            found.setdefault((one.stage, one.unit), {}).setdefault(one.items, {})[one.workers] = one
    whole = {key: {items: of for items, of in by.items() if 1 in of} for key, by in found.items()}
    return [Slope(stage, unit, dict(sorted(by.items()))) for (stage, unit), by in whole.items() if by]


def tables(cells: Sequence[Cell]) -> str:
    """Return a Markdown table for each unit, with a line for each stage.

    µs: processor time of an item with one worker. Two workers: how many times as fast they are by the clock,
    at each size; then their processor time at the last size, where one worker's is 1. MB: of the whole part
    at the largest size.
    """
    parts = []
    for unit in ("posts", "images"):
        shown = [one for one in slopes(cells) if one.unit == unit]
        sizes = sorted({items for one in shown for items in one.cells})
        if not shown:
            continue
        columns = ["stage", *(f"µs at {items:,}" for items in sizes), "linear", "two workers", "MB"]
        lines = [columns, ["---", *["---:"] * (len(columns) - 1)]]
        for one in shown:
            each = [f"{one.each(items):,.1f}" if items in one.cells else "–" for items in sizes]
            largest = one.cells[max(one.cells)]
            memory = f"{max(cell.memory for cell in largest.values()):,.0f}"
            lines.append([one.stage, *each, one.linear, one.faster, memory])
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts)


def main(options: Options) -> None:
    """Measure what is missing, and print the tables."""
    if unknown := sorted(set(options.parts) - set(PARTS)):
        raise SystemExit(f"--parts {unknown[0]!r} is none of {', '.join(PARTS)}")
    for found in measure(options) if not options.only_table else ():
        cells = [*read(options.out), *found]
        write(options.out, json.dumps({"cells": [asdict(one) for one in cells]}, indent=1) + "\n")
        for one in found:
            print(
                f"{one.stage}, {one.items:,} {one.unit}, {one.workers} workers: {one.seconds:.2f} s, "
                f"{one.processor:.2f} s of processor time" + (" (stopped)" if one.stopped else ""),
                flush=True,
            )
    print(f"\n{machine()}\n\n{tables(read(options.out))}")


if __name__ == "__main__":
    main(tyro.cli(Options, prog="python -m benchmarks.scale"))
