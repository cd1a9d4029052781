"""Worker processes for the CPU's part of fetching an image, so that download and decode overlap.

Each has a socket to the event loop, and at most two images: the one it works on and the next. No
thread stands between them, and a worker that dies takes no other's image with it.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import signal
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Self

from affectory.core.errors import AffectoryError
from collectors.images import ImagePolicy, keep
from collectors.record import Outcome

#: Images a worker holds: one in hand, and one so that it never waits for the event loop.
HELD = 2

#: What a worker does with an image's bytes and address, as `images.keep` does.
Work = Callable[[bytes, str, Path, int, ImagePolicy], Outcome]

_CONTEXT = multiprocessing.get_context("forkserver")

#: `multiprocessing.Connection`'s own framing, for messages below 2 GB: the length, then the bytes.
_LENGTH = struct.Struct("!i")


class Workers:
    """Processes that examine images and write them to the store's `media/`. Make it in a running loop.

    No more images are taken in than the processes hold, so that a fast network can't fill the memory.
    """

    def __init__(
        self, processes: int, folder: Path, run_id: int, policy: ImagePolicy, work: Work = keep
    ) -> None:
        self._arguments = (work, folder, run_id, policy)
        self._room = asyncio.Semaphore(processes * HELD)
        _CONTEXT.set_forkserver_preload(["collectors.images"])
        self._workers = [_Worker(*self._arguments) for _ in range(processes)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.close()
        until = time.monotonic() + 1
        for worker in self._workers:
            worker.process.join(max(0.0, until - time.monotonic()))
            worker.process.kill()
            worker.process.join()

    async def keep(self, data: bytes, url: str) -> Outcome:
        """Do the work on an image in a worker. One that kills its worker twice is a failure of its own.

        Raises `WorkersError` where a worker ends before it has begun.
        """
        killed = 0
        async with self._room:
            while killed < 2:
                try:
                    return await self._free().keep(data, url)
                except _Died as died:
                    killed += died.at_work
        return Outcome("failed", "decoder_crashed", detail="killed twice: out of memory?", retry=True)

    def _free(self) -> _Worker:
        """Return the worker with the least to do; dead ones are replaced."""
        for place, worker in enumerate(self._workers):
            if worker.dead:
                self._workers[place] = _Worker(*self._arguments)
        return min(self._workers, key=lambda worker: len(worker.waiting))


class WorkersError(AffectoryError):
    """The processes that decode images can't start: no image of the crawl could be kept."""


class _Died(Exception):
    """A worker has ended with this image before it, `at_work` on it or on the one before."""

    def __init__(self, at_work: bool) -> None:
        super().__init__(at_work)
        self.at_work = at_work


class _Worker:
    """One process, its socket, and the images that it was given, in order."""

    def __init__(self, work: Work, folder: Path, run_id: int, policy: ImagePolicy) -> None:
        self.dead = self.begun = False
        self.waiting: deque[asyncio.Future[Outcome]] = deque()
        self._sending = asyncio.Lock()
        self._received = bytearray()
        self._loop = asyncio.get_running_loop()
        self._socket, its_own = socket.socketpair()
        self._socket.setblocking(False)
        with Connection(its_own.detach()) as end:
            self.process = _CONTEXT.Process(
                target=_serve, args=(end, work, folder, run_id, policy), daemon=True
            )
            try:
                self.process.start()
            except OSError as error:  # no memory or no processes left
                self._socket.close()
                raise _cannot_start(error.strerror or str(error)) from None
        self._loop.add_reader(self._socket, self._receive)

    async def keep(self, data: bytes, url: str) -> Outcome:
        """Hand an image over and wait for what became of it; raise `_Died` where the process ends first."""
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        self.waiting.append(answer)
        async with self._sending:
            try:
                await self._loop.sock_sendall(self._socket, _message((data, url)))
            except OSError:
                pass  # it is dead: `_receive` sees that too
            except asyncio.CancelledError:
                self.process.kill()  # half a message: what followed would be taken for the rest
                raise
        if self.dead:
            self._hang_up()
        return await answer

    def _receive(self) -> None:
        """Take in what the process has sent; the loop calls this when there is something."""
        try:
            got = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        if not got:
            self._lost()
            return
        self._received += got
        while len(self._received) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._received)[0]
            if len(self._received) < end:
                return
            outcome = pickle.loads(self._received[_LENGTH.size : end])  # by our own `_serve`
            del self._received[:end]
            if not self.begun:
                self.begun = True  # its first message says no more
                continue
            answer = self.waiting.popleft()
            if answer.done():  # cancelled
                continue
            if isinstance(outcome, Outcome):
                answer.set_result(outcome)
            else:
                answer.set_exception(outcome)

    def _lost(self) -> None:
        self.dead = True
        self._loop.remove_reader(self._socket)
        for place, answer in enumerate(self.waiting):
            if not answer.done():
                answer.set_exception(_Died(at_work=place == 0) if self.begun else self._stillborn())
        self.waiting.clear()
        self._hang_up()

    def _stillborn(self) -> WorkersError:
        self.process.join(1)  # it has hung up, so it ends
        return _cannot_start(f"exit code {self.process.exitcode}; its own words stand above")

    def _hang_up(self) -> None:
        if not self._sending.locked():  # else the one who sends is told by the socket first
            self._socket.close()

    def close(self) -> None:
        """Hang up: the process ends when it is through with the image in hand."""
        if not self.dead:
            self._loop.remove_reader(self._socket)
        self._socket.close()


def _cannot_start(why: str) -> WorkersError:
    return WorkersError(
        f"the process that decodes images can't start ({why}): free some memory and run again, or if it "
        "stays so, install anew with `uv sync --reinstall`"
    )


def _message(content: object) -> bytes:
    pickled = pickle.dumps(content)
    return _LENGTH.pack(len(pickled)) + pickled


def _serve(end: Connection, work: Work, folder: Path, run_id: int, policy: ImagePolicy) -> None:
    """Keep images until the parent hangs up. Ctrl-C is left to it; its death, by SIGKILL too, ends us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()
    outcome: Outcome | Exception
    try:
        end.send(None)  # begun
        while True:
            data, url = end.recv()
            try:
                outcome = work(data, url, folder, run_id, policy)
            except Exception as error:  # a full disk: the parent's to report
                outcome = error
            end.send(outcome)
    except (EOFError, OSError):
        return


def _die_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
