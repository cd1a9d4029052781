"""Shared by the benchmarks: a line about the machine, medians, tables, and the cost of a child process."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


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
    from rich.console import Console  # slow to import, and a measured process imports this file
    from rich.table import Table

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
    together: float = float("nan")  # MB: the largest sum over all processes at one moment, likewise
    cpu: float = float("nan")  # seconds of processor time, with the processes that it has waited for
    others: float = float("nan")  # share of the machine's cores that went to other programs meanwhile

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
    every: float = 0.01,
) -> Finished:
    """Run a command to its end. With `memory`, note the peak of every process that it starts (Linux).

    `every`: seconds between two looks at the memory, which take processor time themselves.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began, before = time.perf_counter(), _of_children()
        child = subprocess.Popen(
            list(map(str, command)),
            stdout=out,
            stderr=err,
            env=os.environ | dict(environment or {}),
            start_new_session=True,
        )
        peaks: dict[str, float] = {}
        over = threading.Event()
        load = Load()
        sums = [0.0]
        watcher = threading.Thread(target=_watch, args=(child.pid, over, peaks, sums, every))
        if memory:
            watcher.start()
        looking = threading.Thread(target=load.watch, args=(over,))
        looking.start()
        try:
            status: int | None = child.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            seconds = time.perf_counter() - began
            over.set()
            looking.join()
            if memory:
                watcher.join()
            _end(child)
        out.seek(0), err.seek(0)
        together = max(sums) if memory else float("nan")
        cpu = _of_children() - before
        return Finished(status, seconds, out.read(), err.read(), peaks, together, cpu, load.of_others())


def _of_children() -> float:
    """Return the processor time of all children that have ended, with those that they have waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Yield a list of what this program and its children have together, in MB, five times a second (Linux).

    A page that several share counts once.
    """
    sums, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            sums.append(sum(_shared_out(pid) for pid in family(os.getpid())))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield sums
    finally:
        over.set()
        watcher.join()


class Load:
    """What this program and its children take of the machine, and what others do (Linux)."""

    def __init__(self) -> None:
        self._own: dict[int, float] = {}
        self._before = processor_times(family(os.getpid()))
        self._busy, self._began = _busy(), time.perf_counter()

    def watch(self, over: threading.Event) -> None:
        """Look at our processes twice a second until `over`; what ends between two looks is missed."""
        while not over.wait(0.5):
            self._own |= processor_times(family(os.getpid()))

    def of_others(self) -> float:
        """Return the others' share of all cores since the start, from 0 to 1."""
        self._own |= processor_times(family(os.getpid()))
        own = sum(seconds - self._before.get(pid, 0.0) for pid, seconds in self._own.items())
        cores = (os.cpu_count() or 1) * (time.perf_counter() - self._began)
        return max(0.0, (_busy() - self._busy - own) / cores)


def wait_for_quiet(limit: float) -> None:
    """Wait for a second in which other programs leave the cores alone, `limit` seconds at most."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        before = _busy()
        time.sleep(1)
        if _busy() - before < 0.1 * (os.cpu_count() or 1):
            return


def _busy() -> float:
    """Return the seconds that all cores together have worked; NaN where the system doesn't say."""
    try:
        first = Path("/proc/stat").read_text().partition("\n")[0]
    except OSError:
        return float("nan")
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, first.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def processor_times(pids: Sequence[int]) -> dict[int, float]:
    """Return the processor time of processes, in seconds."""
    found = {}
    for pid in pids:
        try:
            times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[pid] = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
    return found


def processor_time() -> float:
    """Return the processor seconds of this process and its descendants, ended ones included (Linux).

    Those of living descendants are known to a hundredth of a second.
    """
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ticks = 0
    for pid in family(os.getpid()):
        if pid == os.getpid():
            continue
        try:
            times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, times[11:15]))
    return sum(one.ru_utime + one.ru_stime for one in spent) + ticks / os.sysconf("SC_CLK_TCK")


def _end(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the child's session: its workers outlive a killed parent."""
    try:
        os.killpg(child.pid, 9)
    except (ProcessLookupError, PermissionError):
        pass
    child.wait()


def _watch(
    root: int, over: threading.Event, peaks: dict[str, float], sums: list[float], every: float
) -> None:
    """Read the high-water mark of `root` and its descendants, again and again, until `over`.

    The kernel keeps the mark (VmHWM), so a peak between two looks is not missed. `sums` gets what all have
    together at a moment, a page that several share counted once (PSS).
    """
    while not over.is_set():
        pids = family(root)
        sums.append(sum(_shared_out(pid) for pid in pids))
        for pid in pids:
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue  # it has just ended
            for line in status.splitlines():
                if line.startswith("VmHWM:"):
                    name = "main" if pid == root else str(pid)
                    peaks[name] = max(peaks.get(name, 0.0), int(line.split()[1]) / 1000)
        over.wait(every)


def _shared_out(pid: int) -> float:
    """Return a process's memory in MB, its share of what it shares with others (PSS)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0  # it has just ended
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


def family(root: int) -> list[int]:
    """Return a process and all that it has started, by id (Linux)."""
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
