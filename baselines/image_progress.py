"""How far a run over images is: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

#: Seconds between two plain lines.
PLAIN_EVERY = 10.0


def say(line: str) -> None:
    """Print a line for the user, beside the results."""
    print(line, file=sys.stderr, flush=True)


class ImageProgress:
    """Counts images, with their rate and the time left."""

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.done = title, total, 0
        self._bar: Progress | None = None
        self._began = self._last = monotonic()

    def __enter__(self) -> ImageProgress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.add_task(self.title, total=self.total, rate="")
            self._bar.start()
        return self

    def advance(self, n: int) -> None:
        """Count `n` more images."""
        self.done += n
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self.done, rate=self._rate())
        elif monotonic() - self._last >= PLAIN_EVERY:
            self._last = monotonic()
            say(f"{self.title}: {self.done:,} of {self.total:,}, {self._rate()}")

    def _rate(self) -> str:
        seconds = max(monotonic() - self._began, 1e-9)
        rate = self.done / seconds
        left = (self.total - self.done) / rate if rate else 0.0
        return f"{rate:,.1f} images/s" + (f", {_span(left)} left" if left else "")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        seconds = monotonic() - self._began
        say(f"{self.title}: {self.done:,} images in {_span(seconds)}, {self._rate()}")


def _span(seconds: float) -> str:
    """Return a time in words: `45 s`, `12 min`, `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
