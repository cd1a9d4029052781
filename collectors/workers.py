"""Worker processes for the CPU's part of fetching an image, so that download and decode overlap."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from pathlib import Path
from typing import Self

from collectors.images import ImagePolicy, keep
from collectors.record import Outcome


class Workers:
    """A pool of processes that examine images and write them to the store's `media/`.

    No more than four images a process wait for their turn, so that a fast network can't fill the memory.
    """

    def __init__(self, processes: int, folder: Path, run_id: int, policy: ImagePolicy) -> None:
        self._processes = processes
        self._arguments = (folder, run_id, policy)
        self._room = asyncio.Semaphore(processes * 4)
        self._alone = asyncio.Lock()
        self._pool = _new_pool(processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def keep(self, data: bytes, url: str) -> Outcome:
        """Run `images.keep` in a worker. An image that kills its worker twice is a failure of its own.

        A worker's death breaks its whole pool, and every image in it: each is tried again alone.
        """
        async with self._room:
            pool = self._pool
            try:
                return await self._keep_in(pool, data, url)
            except BrokenProcessPool:
                if pool is self._pool:  # the first to notice replaces it
                    self._pool = _new_pool(self._processes)
            async with self._alone:
                lone = _new_pool(1)
                try:
                    return await self._keep_in(lone, data, url)
                except BrokenProcessPool:
                    detail = "killed twice: out of memory?"
                    return Outcome("failed", "decoder_crashed", detail=detail, retry=True)
                finally:
                    lone.shutdown(wait=False, cancel_futures=True)

    async def _keep_in(self, pool: ProcessPoolExecutor, data: bytes, url: str) -> Outcome:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, keep, data, url, *self._arguments)


def _new_pool(processes: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["collectors.images"])
    return ProcessPoolExecutor(processes, mp_context=context, initializer=_start)


def _start() -> None:
    """Leave Ctrl-C to the parent, and end when it dies, even by SIGKILL."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()


def _die_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
