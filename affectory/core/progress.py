"""The progress of a command on standard error, and the time left.

On a terminal the display is redrawn four times a second and removed at the end. Elsewhere a plain line is
printed after `PLAIN_EVERY` seconds, and then ever more seldom, so that long work is never silent. Steps that
took a while leave a line with their count and time; with `-v` all do, and with `-q` nothing is shown.

    with Steps("features", len(images), "images") as steps:
        for image in images:
            ...
            steps.advance()

    with Steps("loading"):                         # of unknown length
        import torch

    with Display(counters.line, counters.view):    # lines of one's own
        ...
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from affectory.core.output import say, wanted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

#: Seconds before the first plain line. Then they grow fewer: at last there are this many times as many.
PLAIN_EVERY, AT_LAST = 10.0, 30

#: Seconds after which steps leave a line.
LONG = 5.0

#: Seconds between two checks whether a plain line is due.
TICK = 1.0

#: Seconds over which a rate is measured.
WINDOW = 10.0


def span(seconds: float) -> str:
    """Return a time in words: `45 s`, `12 min`, `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Pace:
    """How fast a count grows, and when it will reach its total. The count starts at 0, now."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._began = now()
        self._seen = deque([(self._began, 0)])

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._now() - self._began

    def rate(self, done: int) -> float:
        """Return the growth per second over the last `WINDOW` seconds.

        For a count that grows more slowly than once in `WINDOW` seconds, it is measured since its last growth
        but one.
        """
        now = self._now()
        if done != self._seen[-1][1]:
            self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] <= now - WINDOW:
            self._seen.popleft()
        then, before = self._seen[0]
        return (done - before) / (now - then) if now > then else 0.0

    def left(self, done: int, total: int) -> str:
        """Return the time left, as `12 min left`; empty where it is unknown or nothing is left."""
        rate = self.rate(done)
        return f"{span((total - done) / rate)} left" if rate > 0 and total > done else ""


@dataclass(slots=True)
class Task:
    """Work of `total` steps (None: unknown). `unit` names what is counted, for the rate."""

    title: str
    total: int | None = None
    unit: str = ""
    done: int = 0
    note: str = ""
    pace: Pace = field(default_factory=Pace)
    _ended: float | None = None

    def advance(self, n: int = 1) -> None:
        """Count `n` more steps."""
        self.done += n
        if self.done == self.total:
            self._ended = self.pace.seconds

    @property
    def seconds(self) -> float:
        """Seconds of work: since the start, up to the last step."""
        return self.pace.seconds if self._ended is None else self._ended

    def line(self) -> str:
        """Return the state on one line."""
        if self.total is None:
            return f"{self.title}: {span(self.seconds)} so far"
        return ", ".join([f"{self.title}: {self.done:,} of {self.total:,}", *self._speed()])

    def summary(self) -> str:
        """Return what was done in which time."""
        seconds = self.seconds
        if self.total is None:
            return f"{self.title}: {span(seconds)}"
        mean = f", {self.done / seconds:,.1f} {self.unit}/s" if seconds > 0 else ""
        return f"{self.title}: {self.done:,} {self.unit} in {span(seconds)}{mean}"

    def _speed(self) -> list[str]:
        """Return the rate, where it says something, and the time left."""
        rate = self.pace.rate(self.done)
        shown = [f"{rate:,.1f} {self.unit}/s"] if self.unit and rate >= 0.1 else []
        return [*shown, *filter(None, [self.pace.left(self.done, self.total or 0)])]

    def cells(self) -> list[RenderableType]:
        """Return a row of the table that `bars` makes."""
        from rich.progress_bar import ProgressBar

        elapsed = span(self.seconds)
        if self.total is None:
            return [self.title, ProgressBar(total=None, pulse=True), "", elapsed, self.note]
        bar = ProgressBar(total=max(self.total, 1), completed=self.done)
        counted = f"{self.done:,}/{self.total:,}"
        return [self.title, bar, counted, elapsed, self.note or ", ".join(self._speed())]


def bars(tasks: Iterable[Task]) -> RenderableType:
    """Return a table with a row per task: title, bar, count, time so far, and its note or rate.

    In a narrow terminal the bars shrink, and rows stay one line.
    """
    from rich.table import Table

    table = Table.grid(padding=(0, 1))
    for most in (32, 40, None, None, None):
        table.add_column(no_wrap=most != 40, max_width=most)  # only the bar's column shrinks
    for task in tasks:
        table.add_row(*task.cells())
    return table


class Display:
    """Shows the state of some work while its `with` block runs.

    `line` returns the state on one line, `view` what a terminal shows (default: the line). Both are called
    from another thread. A display that is opened inside another's block is shown below it; where there is no
    terminal, only the innermost one prints, some time after the last line of any of them.
    """

    def __init__(self, line: Callable[[], str], view: Callable[[], RenderableType] | None = None) -> None:
        self.line = line
        self.view: Callable[[], RenderableType] = view or line
        self._began = self._printed = time.monotonic()
        self._shower: Live | _Ticker | None = None

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._printed = _open[-1]._printed if _open else self._began
        _open.append(self)
        if len(_open) == 1 and not wanted().quiet:
            self._shower = _live() if sys.stderr.isatty() else _Ticker()
            self._shower.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shower is not None:
            self._shower.stop()
            self._shower = None
        _open.remove(self)

    def tick(self) -> None:
        """Print the line if it is due. On a terminal the display redraws itself."""
        if _open[-1] is not self or not isinstance(_open[0]._shower, _Ticker):
            return
        with _printing:
            so_far = self._printed - _open[0]._began
            if time.monotonic() - self._printed < max(PLAIN_EVERY, min(so_far, AT_LAST * PLAIN_EVERY)):
                return
            for display in list(_open):
                display._printed = time.monotonic()
            say(self.line())


class Steps(Display):
    """Shows one `Task`; without a total, for how long it has been running."""

    def __init__(self, title: str, total: int | None = None, unit: str = "") -> None:
        self.task = Task(title, total, unit)
        super().__init__(self.task.line, lambda: bars([self.task]))

    def __exit__(self, *_: object) -> None:
        task = self.task
        if wanted().verbose or (task.total is not None and task.done and task.seconds >= LONG):
            say(task.summary())
        super().__exit__()

    def advance(self, n: int = 1) -> None:
        """Count `n` more steps."""
        self.task.advance(n)
        self.tick()


#: The displays that are shown now, the innermost last.
_open: list[Display] = []

#: Held while a plain line is printed: the ticker and the work itself may find it due at the same time.
_printing = threading.Lock()


class _Ticker(threading.Thread):
    """Prints the plain lines of work that doesn't call `tick` for a long time."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(TICK):
            with suppress(IndexError):  # the innermost display has just been closed
                _open[-1].tick()

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _live() -> Live:
    from rich.console import Console, Group
    from rich.live import Live

    return Live(
        get_renderable=lambda: Group(*(display.view() for display in list(_open))),
        console=Console(stderr=True),
        refresh_per_second=4,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # output that goes to a file or a pipe stays there
    )
