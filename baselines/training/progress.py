"""The progress of training: a bar and a row per model on a terminal, a line per network elsewhere."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from affectory.core.output import say
from affectory.core.progress import Display, Pace, Task, bars, span
from baselines.models import registry
from baselines.training.checkpoint import Checkpoint
from baselines.training.epochs import now

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(slots=True)
class _Row:
    """What is shown of a model: how many of its networks are trained, and the last thing heard of it."""

    title: str
    total: int
    done: int = 0
    note: str = ""


class Progress(Display):
    """Counts the networks that are trained; a context manager.

    Call `tuned` after a candidate of the search, `finetuned` after an epoch, `fitted` after a network. In
    `epochs`, a folder that the `with` block has, processes that train say how far they are.
    """

    def __init__(self, networks: Mapping[str, int]) -> None:
        # `networks`: how many of each model.
        self._rows = {model: _Row(registry.entry(model).title, n) for model, n in networks.items()}
        self._tried: dict[str, int] = {}  # candidates of the search
        self._all = Task("training", sum(networks.values()), "networks")
        self._on_terminal = sys.stderr.isatty()
        self.epochs = Path(tempfile.gettempdir(), f"affectory-{uuid4().hex}")
        super().__init__(self._state, self._view)

    def __enter__(self) -> Self:
        self._all.pace = Pace()
        self.epochs.mkdir(mode=0o700)
        return super().__enter__()

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        shutil.rmtree(self.epochs, ignore_errors=True)

    def tuned(self, model: str, done: int, total: int) -> None:
        """Note that `done` of `total` candidates of the search have been tried."""
        self._tried[model] = done
        self._rows[model].note = f"tuning: {done} of {total}"
        if not self._on_terminal and done == total:
            say(f"{model}: {total} candidates tried on validation")

    def finetuned(self, model: str, seed: int, epoch: int) -> None:
        """Note the end of an epoch."""
        self._rows[model].note = f"seed {seed}: epoch {epoch}"
        if not self._on_terminal:
            say(f"{model} seed {seed}: epoch {epoch} is over")

    def fitted(self, fold: int | None, one: Checkpoint, stood: bool) -> None:
        """Note a trained network; `stood` says that it was read from its checkpoint."""
        where = "" if fold is None else f"fold {fold} "
        where += f"{one.condition}, " if one.condition else ""
        if one.problem:
            state = f"given up: {one.problem}"
        else:
            how = "from its checkpoint" if stood else f"{one.seconds:.1f} s"
            state = f"epoch {one.epoch}, validation {one.score:.1%}, {how}"
        row = self._rows[one.model]
        row.done += 1
        row.note = f"{where}seed {one.seed}: {state}"
        self._all.advance()
        if not self._on_terminal or one.problem:
            say(f"{one.model} {row.note}")

    def _state(self) -> str:
        done, total = self._all.done, self._all.total or 0
        parts = [f"training: {done:,} of {total:,} networks"]
        if self._tried:
            parts.append(f"{sum(self._tried.values()):,} candidates tried")
        parts.append(f"{span(self._all.seconds)} so far")
        if left := self._all.pace.left(done, total):
            parts.append(left)
        training = "; ".join(f"{one.model} {one}" for one in now(self.epochs))
        return ", ".join(parts) + (f" ({training})" if training else "")

    def _view(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table

        table = Table.grid(padding=(0, 1))
        for _ in range(3):
            table.add_column(no_wrap=True)
        training = now(self.epochs)
        for model, row in self._rows.items():
            note = "; ".join(str(one) for one in training if one.model == model) or row.note or "waiting"
            table.add_row(f"  {row.title}", f"{row.done:,}/{row.total:,}", note)
        return Group(bars([self._all]), table)
