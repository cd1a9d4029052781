"""What the benchmarks share: the machine in a line, medians, and a child process with its cost."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table


def machine() -> str:
    """Return the machine, the interpreter and the day, for the top of a report."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{cores} cores of {model} · {platform.system()} {platform.release()} · "
        f"Python {platform.python_version()} · {time.strftime('%Y-%m-%d %H:%M')}"
    )


def middle(values: Sequence[float]) -> float:
    """Return the median; NaN of nothing."""
    return statistics.median(values) if values else float("nan")


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> None:
    """Print a table: the first column to the left, the others to the right."""
    table = Table(*columns, title=title, title_justify="left", caption=note, caption_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*(f"{cell:,.1f}" if isinstance(cell, float) else str(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 110).print(table)


@dataclass(slots=True)
class Finished:
    """A child process that has ended, or (`status` None) was killed after its time."""

    status: int | None
    seconds: float  # from before the interpreter's start to after its end
    output: str
    errors: str
    peaks: dict[str, float] = field(default_factory=dict)  # MB by process, where it was asked for

    @property
    def last_line(self) -> str:
        """The last line of its output."""
        return self.output.strip().rpartition("\n")[2]


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    timeout: float = 300,
    memory: bool = False,
) -> Finished:
    """Run a command to its end. With `memory`, note the peak of every process that it starts (Linux)."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        child = subprocess.Popen(
            list(map(str, command)),
            stdout=out,
            stderr=err,
            env=os.environ | dict(environment or {}),
            start_new_session=True,
        )
        peaks: dict[str, float] = {}
        over = threading.Event()
        watcher = threading.Thread(target=_watch, args=(child.pid, over, peaks))
        if memory:
            watcher.start()
        try:
            status: int | None = child.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            seconds = time.perf_counter() - began
            over.set()
            if memory:
                watcher.join()
            _end(child)
        out.seek(0), err.seek(0)
        return Finished(status, seconds, out.read(), err.read(), peaks)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the child's session: its workers outlive a killed parent."""
    try:
        os.killpg(child.pid, 9)
    except (ProcessLookupError, PermissionError):
        pass
    child.wait()


def _watch(root: int, over: threading.Event, peaks: dict[str, float]) -> None:
    """Read the high-water mark of `root` and its descendants, again and again, until `over`.

    The kernel keeps the mark (VmHWM), so a peak between two looks is not missed.
    """
    while not over.is_set():
        for pid in _family(root):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue  # it has just ended
            for line in status.splitlines():
                if line.startswith("VmHWM:"):
                    name = "main" if pid == root else str(pid)
                    peaks[name] = max(peaks.get(name, 0.0), int(line.split()[1]) / 1000)
        over.wait(0.01)


def _family(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # 4242 (python3) S 4200 …: the name may hold spaces and brackets
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found
