"""Measure `affectory audit`: time, memory, and how many planted faults it finds in a made-up dataset.

    uv run python -m benchmarks.audit
    uv run python -m benchmarks.audit --rows 100000 --side 128
    uv run python -m benchmarks.audit --rows 100000 --no-images

The faults are those of `benchmarks/_planted_faults.py`. The audit runs in a process of its own, with a worker
process for each core.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from benchmarks._measure import machine, run, show
from benchmarks._planted_faults import SHORTCUTS, Planted, plant

#: The findings that list no rows.
_WITHOUT_ROWS = ("shortcuts", "balance")


@dataclass(frozen=True)
class Options:
    """Measure `affectory audit` on a made-up dataset."""

    rows: int = 20_000
    """Rows of the dataset."""

    side: int = 128
    """The longer side of the images, in pixels."""

    images: bool = True
    """Whether the audit reads the images; without, it reads the texts alone."""

    workers: int = os.cpu_count() or 1
    """Processes that decode images."""


def found(planted: Planted, told: dict[str, Any]) -> list[tuple[str, int, int, int, int]]:
    """Return by finding: the rows that were planted, found, found of the planted ones, and falsely found.

    Of the shortcuts, the values are counted, without words that are of a class's topic.
    """
    rows = {
        f"{one['kind']} {one['name']}": {
            (row["split"], row["row"])
            for group in one["groups"]
            for row in group
            if one["kind"] != "leaks" or row["split"] == "test"
        }
        for one in told["findings"]
        if one["kind"] not in _WITHOUT_ROWS
    }
    listed = [
        _counted(name, planted.rows.get(name, set()), rows.get(name, set()))
        for name in sorted({*planted.rows, *rows})
    ]
    values: set[object] = {
        (one["name"], line[0], line[1])
        for one in told["findings"]
        if one["kind"] == "shortcuts"
        for line in one["table"]
    }
    of_topic = {value for value in values if value[1].startswith(value[2])}  # type: ignore[index]
    wanted: set[object] = {(*value, label) for value, label in SHORTCUTS.items()}
    return [*listed, _counted("shortcuts", wanted, values - of_topic)]


def _counted(name: str, planted: set[Any], got: set[Any]) -> tuple[str, int, int, int, int]:
    return name, len(planted), len(got), len(planted & got), len(got - planted)


def main(options: Options) -> None:
    """Print the tables."""
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "planted", Path(folder) / "audit"
        data.mkdir()
        began = time.monotonic()
        planted = plant(data, options.rows, options.side)
        print(f"{options.rows:,} rows written in {time.monotonic() - began:.0f} s")
        which: list[str] = [str(data), "--out", str(out), "--workers", str(options.workers)]
        if not options.images:
            which = [str(_texts_alone(data)), *which[1:]]
        command = [sys.executable, "-m", "affectory", "audit", *which]
        done = run(command, timeout=3600, memory=True, every=0.2, environment={"HF_HUB_OFFLINE": "1"})
        if done.status:
            raise SystemExit(done.errors)
        told = json.loads((out / "audit.json").read_text(encoding="utf-8"))
        shown = [
            ("wall-clock seconds", done.seconds),
            ("others' share of the cores, %", 100 * done.others),
            ("rows per second", options.rows / done.seconds),
            ("peak MB, all processes", done.together),
            ("page, MB", (out / "audit.html").stat().st_size / 1e6),
            ("audit.json, MB", (out / "audit.json").stat().st_size / 1e6),
        ]
        show(f"{options.rows:,} rows", ("", "measured"), shown)
        if options.images:
            rows = [(*one[:4], f"{one[3] / max(one[1], 1):.2f}", one[4]) for one in found(planted, told)]
            show("planted faults", ("finding", "planted", "found", "of them", "recall", "false"), rows)


def _texts_alone(data: Path) -> Path:
    """Write the dataset again without its images; return the folder."""
    import pyarrow.parquet as pq

    alone = data.parent / "texts"
    alone.mkdir()
    for path in data.iterdir():
        pq.write_table(pq.read_table(path).drop_columns(["image"]), alone / path.name)
    return alone


if __name__ == "__main__":
    main(tyro.cli(Options))
