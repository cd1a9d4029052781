"""The counters of a running crawl, and the line and table that show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from affectory.core.progress import Pace
from collectors.http.hosts import Host

if TYPE_CHECKING:
    from rich.console import RenderableType

    from collectors.store.record import Outcome


@dataclass(slots=True)
class Progress:
    """Counters of a running crawl. `asked` counts posts that the source returned; `posts` their outcomes.

    `line` and `view` are called from the display's thread, while the crawl changes the counters.
    """

    hosts: Mapping[str, Host] = field(default_factory=dict)
    asked: int = 0
    posts: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    by_host: dict[str, Counter[str]] = field(default_factory=dict)  # outcomes of a host's addresses
    waiting: Mapping[str, int] = field(default_factory=dict)  # images per host
    doing: str = "starting"
    _pace: Pace = field(default_factory=Pace)

    def image(self, outcome: Outcome) -> None:
        """Count an image's outcome: `stored`, or its reason."""
        self.images[_named(outcome)] += 1

    def answered(self, host: str, outcome: Outcome) -> None:
        """Count the outcome of a request to a host: `stored`, or its reason."""
        self.by_host.setdefault(host, Counter())[_named(outcome)] += 1

    def album(self) -> None:
        """Count an album whose images have been found and are waiting now."""
        self.images["albums_opened"] += 1

    @property
    def settled(self) -> int:
        """Images with an outcome in this run."""
        return self.images.total() - self.images["albums_opened"]

    def line(self) -> str:
        """Return the state on one line."""
        return f"{self._counts()} | {self.doing}"

    def _counts(self) -> str:
        settled, waiting = self.settled, sum(self.waiting.values())
        stored = self.images["stored"]
        left = self._pace.left(settled, settled + waiting)
        parts = [
            f"{self._pace.seconds:6.0f} s",
            f"posts {self.asked:,}",
            f"images {stored:,} stored, {settled - stored:,} not, {waiting:,} waiting",
            f"{self._pace.rate(settled):.1f}/s" + (f", {left}" if left else ""),
        ]
        return " | ".join(parts)

    def view(self) -> RenderableType:
        """Return what a terminal shows: the line, the hosts with most images waiting, failures by reason."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for column in ("host", "waiting", "rate", "state"):
            table.add_column(column, justify="left" if column in ("host", "state") else "right")
        waiting = dict(self.waiting)
        for name in sorted(waiting, key=lambda name: -waiting[name])[:8]:
            host = self.hosts.get(name)
            state = host.state + (f" {host.paused_for:.0f} s" if host.paused_for > 1 else "") if host else ""
            table.add_row(name, f"{waiting[name]:,}", f"≤{host.rate:.0f}/s" if host else "", state)
        reasons = " · ".join(
            f"{reason} {n:,}"
            for reason, n in self.images.most_common()
            if reason not in ("stored", "albums_opened")
        )
        doing = Text(f"         {self.doing}", "dim")
        return Group(Text(self._counts()), doing, table, Text(reasons, style="yellow"))


def _named(outcome: Outcome) -> str:
    return "stored" if outcome.status == "stored" else outcome.reason or outcome.status
