"""The ledger: how many rows were collected, dropped for each reason, and kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Step:
    """How many rows a stage dropped for a reason."""

    stage: str
    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """How many rows a build collected, dropped and kept. `unit` is what a row is: posts or images."""

    unit: str
    collected: int
    steps: tuple[Step, ...]
    kept: int

    @property
    def dropped(self) -> int:
        """The rows that all steps dropped."""
        return sum(step.rows for step in self.steps)

    def check(self) -> None:
        """Assert that the ledger adds up."""
        assert self.collected == self.kept + self.dropped, (self.collected, self.kept, self.dropped)

    def __str__(self) -> str:
        """Return the waterfall as a table."""
        left = self.collected
        rows = [("", f"collected {self.unit}", self.collected, left)]
        for step in self.steps:
            left -= step.rows
            rows.append((step.stage, step.reason, -step.rows, left))
        rows.append(("", "kept", self.kept, left))
        width = max(len(reason) for _, reason, _, _ in rows)
        wide = max(len(stage) for stage, _, _, _ in rows)
        return "\n".join(
            f"{stage:<{wide}}  {reason:<{width}}  {change:>+12,}  {left:>12,}"
            if stage
            else f"{stage:<{wide}}  {reason:<{width}}  {'':>12}  {left:>12,}"
            for stage, reason, change, left in rows
        )


def ledger(unit: str, collected: int, dropped: pa.Table, order: Sequence[str], kept: int) -> Ledger:
    """Build the ledger from the dropped rows, in the `order` of the stages, reasons by frequency."""
    counted = Counter(zip(dropped["stage"].to_pylist(), dropped["reason"].to_pylist(), strict=True))
    ranked = sorted(counted.items(), key=lambda item: (order.index(item[0][0]), -item[1], item[0][1]))
    found = Ledger(unit, collected, tuple(Step(*key, n) for key, n in ranked), kept)
    found.check()
    return found
