"""What a crawl shows: a live view on a terminal, plain lines elsewhere, and a summary that adds up."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from collectors.store.record import Outcome
from collectors.http.hosts import Host

#: Seconds between two plain lines where there is no terminal.
PLAIN_EVERY = 5.0


@dataclass(slots=True)
class Progress:
    """Counters of a running crawl. `asked` counts what the source gave; `posts` what became of it."""

    hosts: Mapping[str, Host] = field(default_factory=dict)
    asked: int = 0
    posts: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    by_host: dict[str, Counter[str]] = field(default_factory=dict)  # what each host answered
    waiting: Mapping[str, int] = field(default_factory=dict)
    doing: str = "starting"
    started: float = field(default_factory=time.monotonic)
    _last_images: list[tuple[float, int]] = field(default_factory=list)

    def image(self, outcome: Outcome) -> None:
        """Count an image's outcome: `stored`, or its reason."""
        self.images[_named(outcome)] += 1

    def answered(self, host: str, outcome: Outcome) -> None:
        """Count what a host answered for an address, or why it didn't."""
        self.by_host.setdefault(host, Counter())[_named(outcome)] += 1

    def album(self) -> None:
        """Count an album that was opened: its images wait in its place."""
        self.images["albums_opened"] += 1

    @property
    def settled(self) -> int:
        """Images with an outcome in this run."""
        return sum(n for reason, n in self.images.items() if reason != "albums_opened")

    def rate(self) -> float:
        """Images a second over the last ten seconds."""
        now = time.monotonic()
        self._last_images.append((now, self.settled))
        while now - self._last_images[0][0] > 10:
            self._last_images.pop(0)
        began, then = self._last_images[0]
        return (self.settled - then) / (now - began) if now > began else 0.0

    def line(self) -> str:
        """Return the state on one line."""
        waiting = sum(self.waiting.values())
        rate = self.rate()
        failed = self.settled - self.images["stored"]
        parts = [
            f"{time.monotonic() - self.started:6.0f} s",
            f"posts {self.asked:,}",
            f"images {self.images['stored']:,} stored, {failed:,} not, {waiting:,} waiting",
            f"{rate:.1f}/s" + (f", {eta(waiting / rate)} left" if rate > 0 and waiting else ""),
            self.doing,
        ]
        return " | ".join(parts)

    def view(self) -> RenderableType:
        """Return the live view: the line, the hosts at work, the errors by reason."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        hosts = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for column in ("host", "waiting", "rate", "state"):
            hosts.add_column(column, justify="left" if column in ("host", "state") else "right")
        busy = sorted(self.waiting, key=lambda name: -self.waiting[name])[:8]
        for name in busy:
            host = self.hosts.get(name)
            state = host.state + (f" {host.paused_for:.0f} s" if host.paused_for > 1 else "") if host else ""
            hosts.add_row(name, f"{self.waiting[name]:,}", f"≤{host.rate:.0f}/s" if host else "", state)
        reasons = " · ".join(
            f"{reason} {n:,}"
            for reason, n in self.images.most_common()
            if reason not in ("stored", "albums_opened")
        )
        return Group(Text(self.line()), hosts, Text(reasons, style="yellow"))


def _named(outcome: Outcome) -> str:
    return "stored" if outcome.status == "stored" else outcome.reason or outcome.status


def eta(seconds: float) -> str:
    """Return a span of time in words short enough for a status line: `45 s`, `12 min`, `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


async def show(progress: Progress) -> None:
    """Show the progress until cancelled: live on a terminal, a plain line now and then elsewhere."""
    if not sys.stderr.isatty():
        while True:
            await asyncio.sleep(PLAIN_EVERY)
            print(progress.line(), file=sys.stderr, flush=True)
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), refresh_per_second=4, transient=True) as live:
        while True:
            live.update(progress.view())
            await asyncio.sleep(0.25)
