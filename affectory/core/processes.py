"""Worker processes that end with the process that started them, however it ends.

    with Pool(4, preload=["curation.rows.shards"]) as pool:
        futures = [pool.submit(work, item) for item in items]

Workers are forked from a server process that has imported the modules of `preload` and nothing else of the
parent's. Ctrl-C reaches the parent alone, which then stops its workers.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from typing import Any, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Process(ForkServerProcess):
    """A process that doesn't import the program's main module again."""

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:
        with _without_main():
            return ForkServerProcess._Popen(process_obj)


class _Context(ForkServerContext):
    Process = _Process


#: Held while the main module has no name.
_unnamed = threading.Lock()


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide where the main module comes from: a process that is started in the block can't import it.

    No work of ours is defined there. A user's script that calls the Python API would otherwise run once more
    in each worker, unless all of it stood under `if __name__ == "__main__"`.
    """
    main = sys.modules["__main__"]
    with _unnamed:
        named = vars(main)
        kept = {name: value for name, value in named.items() if name in ("__spec__", "__file__")}
        named["__spec__"] = None
        named.pop("__file__", None)
        try:
            yield
        finally:
            named.update(kept)


def fork_server(preload: Sequence[str]) -> ForkServerContext:
    """Start the server that forks this process's workers, unless it runs already; return its context.

    Ctrl-C is blocked in the server, and so in the workers while they start. Modules that can't be imported
    are skipped. A process has one server: later calls don't change what it has imported.
    """
    context = _Context()
    context.set_forkserver_preload(list(preload))
    resource_tracker.ensure_running()  # otherwise the server starts it, which unblocks the signal again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        with _without_main():
            forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


def end_with(parent: Connection | int, cleanup: Callable[[], object] | None = None) -> None:
    """In a worker: ignore Ctrl-C, and exit at once when the other end of `parent` is closed.

    The system closes that end even if its process is killed. `cleanup` is called before the exit.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server may be older than `fork_server`'s call
    threading.Thread(target=_wait_and_exit, args=(parent, cleanup), daemon=True).start()


def _wait_and_exit(parent: Connection | int, cleanup: Callable[[], object] | None) -> None:
    wait([parent])
    try:
        if cleanup is not None:
            cleanup()
    finally:
        os._exit(1)


class Pool:
    """Worker processes for functions that can be pickled.

    `prepare` runs once in each worker; `cleanup` runs in a worker whose parent was killed or interrupted.
    A `with` block that ends with an exception ends the workers at once, otherwise they finish their work.

    A killed worker breaks the pool: its futures raise `concurrent.futures.process.BrokenProcessPool`.
    """

    def __init__(
        self,
        processes: int,
        *,
        preload: Sequence[str],
        prepare: Callable[[], object] | None = None,
        cleanup: Callable[[], object] | None = None,
    ) -> None:
        context = fork_server(preload)
        self._theirs, self._ours = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(
            processes, mp_context=context, initializer=_start, initargs=(self._theirs, prepare, cleanup)
        )
        self._starter = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._starter.shutdown(cancel_futures=True)
        if kind is not None:
            self._ours.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._ours.close()
        self._theirs.close()

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `work` in a worker; return its future. Raises `BrokenProcessPool` if no worker can start."""
        try:
            # In another thread: Ctrl-C in this one could interrupt the start of a process, and lose it.
            return self._starter.submit(self._pool.submit, work, *args, **kwargs).result()
        except (EOFError, OSError) as error:  # the server of the workers was killed, or there is no memory
            raise BrokenProcessPool(f"a worker can't start: {error}") from error


def _start(
    parent: Connection, prepare: Callable[[], object] | None, cleanup: Callable[[], object] | None
) -> None:
    end_with(parent, cleanup)
    if prepare is not None:
        prepare()
