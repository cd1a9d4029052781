"""How far networks are that train in other processes.

    with under_way(folder, "joint", (0,)) as tell:      # in a process that trains
        tell(epoch)
    now(folder)                                         # in the one that shows it

Each process has a file in `folder` while it trains: its name says what, its content is the epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_WIDTH = 8  # of the number in a file, so that an epoch is one write


@dataclass(frozen=True, slots=True, order=True)
class UnderWay:
    """Networks of a model that train together, and the last epoch that they have ended."""

    model: str
    seeds: tuple[int, ...]
    epoch: int

    def __str__(self) -> str:
        seeds = f"seed {self.seeds[0]}" if len(self.seeds) == 1 else f"{len(self.seeds)} seeds"
        return f"{seeds}: epoch {self.epoch + 1}" if self.epoch else f"{seeds}: begun"


def untold(epoch: int) -> None:
    """Tell nobody of an epoch."""


@dataclass(frozen=True, slots=True)
class _Told:
    """Writes each epoch to a file, also from other processes that train the same network."""

    file: Path

    def __call__(self, epoch: int) -> None:
        # A file that is gone is of a training that is over; a full disk doesn't matter here.
        with suppress(OSError), self.file.open("r+b") as file:
            file.write(f"{epoch:{_WIDTH}}".encode())


@contextmanager
def under_way(folder: Path | None, model: str, seeds: Sequence[int]) -> Iterator[Callable[[int], None]]:
    """Give the block what it calls with each epoch that has ended. Without a folder that does nothing."""
    if folder is None:
        yield untold
        return
    path = folder / f"{os.getpid()} {model} {' '.join(map(str, seeds))}"
    with suppress(OSError):  # a full disk: nothing is shown
        path.touch()
    try:
        yield _Told(path)
    finally:
        path.unlink(missing_ok=True)


def now(folder: Path) -> list[UnderWay]:
    """Return what trains now, by model and seed."""
    found = []
    with suppress(OSError):  # the folder is gone: all training has ended
        for path in folder.iterdir():
            _, model, *seeds = path.name.split()
            with suppress(OSError):  # it has just ended
                found.append(UnderWay(model, tuple(map(int, seeds)), int(path.read_bytes() or b"0")))
    return sorted(found)
