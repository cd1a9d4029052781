"""What an engine must do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, Self, TypeVar

T = TypeVar("T")


class Engine(Protocol):
    """Runs a function over items: in this process, in others, or on other machines.

    An engine is a context manager. If its block ends with an exception, Ctrl-C included, work that hasn't
    started is dropped. Nothing of the engine outlives the block, nor the death of this process.

    Functions, items and results must be picklable, and a function must not rely on memory shared with its
    caller. What all items need is passed once, as `common`.
    """

    def __enter__(self) -> Self:
        """Return the engine."""
        ...

    def __exit__(self, kind: object, error: object, trace: object, /) -> None:
        """End the engine and everything it has started."""
        ...

    def map(
        self, work: Callable[..., T], items: Iterable[Any], *common: object, ahead: int | None = None
    ) -> Iterator[T]:
        """Yield `work(item, *common)` for each item, in the order of the items.

        Nothing runs before the first result is asked for. At most `ahead` items are taken beyond the one
        whose result comes next, so that results can't fill the memory; without it, the engine sets the
        limit, or takes all at once.

        Raises what `work` raises, and `AffectoryError` if a worker process is killed, or if a cluster is
        gone. A cluster runs work again whose machine died: it must give the same result, and the files that
        it writes must appear whole.
        """
        ...
