"""The progress of training: a bar per model on a terminal, a line per network elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from affectory.core.output import say
from affectory.core.progress import Display, Pace, Task, bars, span
from baselines.models import registry
from baselines.training.checkpoint import Checkpoint


class Progress(Display):
    """Counts the networks that are trained; a context manager.

    Call `tuned` after a candidate of the search, `finetuned` after an epoch, `fitted` after a network.
    """

    def __init__(self, networks: Mapping[str, int]) -> None:
        # `networks`: how many of each model.
        self._tasks = {model: Task(registry.entry(model).title, n) for model, n in networks.items()}
        self._tried: dict[str, int] = {}  # candidates of the search
        self._pace = Pace()
        self._on_terminal = sys.stderr.isatty()
        super().__init__(self._state, lambda: bars(self._tasks.values()))

    def tuned(self, model: str, done: int, total: int) -> None:
        """Note that `done` of `total` candidates of the search have been tried."""
        self._tried[model] = done
        self._tasks[model].note = f"tuning: {done} of {total}"
        if not self._on_terminal and done == total:
            say(f"{model}: {total} candidates tried on validation")

    def finetuned(self, model: str, seed: int, epoch: int) -> None:
        """Note the end of an epoch."""
        self._tasks[model].note = f"seed {seed}: epoch {epoch}"
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
        task = self._tasks[one.model]
        task.advance()
        task.note = f"{where}seed {one.seed}: {state}"
        if not self._on_terminal or one.problem:
            say(f"{one.model} {task.note}")

    def _state(self) -> str:
        done = sum(task.done for task in self._tasks.values())
        total = sum(task.total or 0 for task in self._tasks.values())
        parts = [f"training: {done:,} of {total:,} networks"]
        if self._tried:
            parts.append(f"{sum(self._tried.values()):,} candidates tried")
        parts.append(f"{span(self._pace.seconds)} so far")
        if left := self._pace.left(done, total):
            parts.append(left)
        return ", ".join(parts)
