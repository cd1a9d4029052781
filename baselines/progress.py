"""What a run says while it works: a bar a model on a terminal, a line a network elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from baselines.checkpoint import Checkpoint
from baselines.experiment import needed
from baselines.settings import TITLES


class Progress:
    """Use as a context manager; `tuned` and `fitted` are called as the work goes on."""

    def __init__(self, models: Sequence[str], seeds: int, folds: int) -> None:
        self._live = sys.stderr.isatty()
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[said]}"),
            console=Console(stderr=True),
            transient=True,
            disable=not self._live,
        )
        self._tasks: dict[str, TaskID] = {
            model: self._bars.add_task(TITLES[model], total=seeds * folds, said="")
            for model in needed(models)
        }

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def tuned(self, model: str, done: int, total: int) -> None:
        """Say that a candidate has been tried."""
        if self._live:
            self._bars.update(self._tasks[model], said=f"tuning: {done} of {total}")
        elif done == total:
            print(f"{model}: {total} candidates tried on validation", file=sys.stderr)

    def finetuned(self, model: str, seed: int, epoch: int) -> None:
        """Say that an epoch is over."""
        if self._live:
            self._bars.update(self._tasks[model], said=f"seed {seed}: epoch {epoch}")
        else:
            print(f"{model} seed {seed}: epoch {epoch} is over", file=sys.stderr, flush=True)

    def fitted(self, fold: int | None, one: Checkpoint, stood: bool) -> None:
        """Say that a network is there."""
        where = "" if fold is None else f"fold {fold} "
        if one.problem:
            said = f"given up: {one.problem}"
        else:
            how = "from its checkpoint" if stood else f"{one.seconds:.1f} s"
            said = f"epoch {one.epoch}, validation {one.accuracy:.1%}, {how}"
        if self._live:
            self._bars.update(self._tasks[one.model], advance=1, said=f"{where}seed {one.seed}: {said}")
        if not self._live or one.problem:
            print(f"{one.model} {where}seed {one.seed}: {said}", file=sys.stderr)
