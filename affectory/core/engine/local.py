"""Engines on this machine: worker processes for Python code, threads for code that releases the GIL."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Self, TypeVar

from affectory.core.errors import AffectoryError
from affectory.core.processes import Pool

T = TypeVar("T")


class Processes:
    """An engine of worker processes, which import `preload` once. With one worker, it uses none."""

    def __init__(self, workers: int, *, preload: Sequence[str] = ()) -> None:
        self._pool = Pool(workers, preload=preload) if workers > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object, /) -> None:
        if self._pool is not None:
            self._pool.__exit__(kind, error, trace)

    def map(
        self, work: Callable[..., T], items: Iterable[Any], *common: object, ahead: int | None = None
    ) -> Iterator[T]:
        """Yield `work(item, *common)` for each item, as `Engine.map` says."""
        pool = self._pool
        if pool is None:
            yield from (work(item, *common) for item in items)
            return
        try:
            yield from _in_order((pool.submit(work, item, *common) for item in items), ahead)
        except BrokenProcessPool:
            raise AffectoryError(
                "a worker process was killed, most often for lack of memory: "
                "close other programs, or use fewer processes with --workers 1"
            ) from None


class Threads:
    """An engine of threads, for work that releases the GIL. `prepare` runs once in each thread."""

    def __init__(self, workers: int, *, prepare: Callable[[], object] | None = None) -> None:
        self._pool = ThreadPoolExecutor(workers, initializer=prepare)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object, /) -> None:
        self._pool.shutdown(cancel_futures=True)

    def map(
        self, work: Callable[..., T], items: Iterable[Any], *common: object, ahead: int | None = None
    ) -> Iterator[T]:
        """Yield `work(item, *common)` for each item, as `Engine.map` says."""
        yield from _in_order((self._pool.submit(work, item, *common) for item in items), ahead)


def _in_order(started: Iterable[Future[T]], ahead: int | None) -> Iterator[T]:
    """Yield the results of futures, which start as they are taken, at most `ahead` before they are wanted."""
    waiting: deque[Future[T]] = deque()
    for future in started:
        waiting.append(future)
        if ahead is not None and len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
