"""Worker processes that decode images, so that downloading and decoding overlap.

Each worker has a socket to the event loop and at most two images: the one it works on and the next. When a
worker dies, only the image it worked on is blamed; the next one goes to another worker.

An image may take a limited time (`TimeLimits`). The kernel keeps the time and ends the process, because
Python can't interrupt a decoder: its signal handlers don't run before the C code returns.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import signal
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Self

from affectory.core.errors import AffectoryError
from affectory.core.processes import end_with, fork_server
from collectors.crawl.decode import ImagePolicy, keep
from collectors.store.record import Outcome

#: Images that a worker holds: the one it works on, and the next, so that it never waits for the event loop.
HELD = 2

#: What a worker does with an image's bytes and address, as `images.keep` does.
Work = Callable[[bytes, str, Path, int, ImagePolicy], Outcome]

#: `multiprocessing.Connection`'s own framing, for messages below 2 GB: the length, then the bytes.
_LENGTH = struct.Struct("!i")


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long a worker may take for one image, in seconds.

    An image that exceeds `cpu`, the CPU time of the worker's process, would exceed it again: it has failed
    for good. One that exceeds `wall` may have met a slow disk or a busy machine: a rerun tries it again.
    """

    cpu: float = 10.0
    wall: float = 60.0


class Workers:
    """Processes that examine images and write them to the store's `media/`. Make it in a running loop.

    No more images are taken in than the processes hold, so that a fast network can't fill the memory.
    """

    def __init__(
        self,
        processes: int,
        folder: Path,
        run_id: int,
        policy: ImagePolicy,
        work: Work = keep,
        limits: TimeLimits = TimeLimits(),
    ) -> None:
        try:
            context = fork_server(["collectors.crawl.decode"])
        except OSError as error:
            raise _cannot_start(error.strerror or str(error)) from None
        self._arguments = (context, work, folder, run_id, policy, limits)
        self._room = asyncio.Semaphore(processes * HELD)
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
        """Do the work on an image in a worker and return its outcome.

        An image that takes too long is `decoder_timeout`; one that kills its worker twice is
        `decoder_crashed`. Raises `WorkersError` if a worker can't start.
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
    """The worker of this image has died. `at_work`: while it decoded this image or the one before."""

    def __init__(self, at_work: bool) -> None:
        super().__init__(at_work)
        self.at_work = at_work


class _Worker:
    """One process, its socket, and the images that it was given, in order."""

    def __init__(
        self,
        context: ForkServerContext,
        work: Work,
        folder: Path,
        run_id: int,
        policy: ImagePolicy,
        limits: TimeLimits,
    ) -> None:
        self.dead = self.begun = False
        self._limits = limits
        self.waiting: deque[asyncio.Future[Outcome]] = deque()
        self._sending = asyncio.Lock()
        self._received = bytearray()
        self._loop = asyncio.get_running_loop()
        self._socket, its_own = socket.socketpair()
        self._socket.setblocking(False)
        with Connection(its_own.detach()) as end:
            self.process = context.Process(
                target=_serve, args=(end, work, folder, run_id, policy, limits), daemon=True
            )
            try:
                self.process.start()
            except (EOFError, OSError) as error:  # the server was killed; no memory or no processes left
                self._socket.close()
                raise _cannot_start(getattr(error, "strerror", None) or str(error)) from None
        self._loop.add_reader(self._socket, self._receive)

    async def keep(self, data: bytes, url: str) -> Outcome:
        """Send an image to the process and wait for its outcome; raise `_Died` if the process dies first."""
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        self.waiting.append(answer)
        async with self._sending:
            try:
                await self._loop.sock_sendall(self._socket, _message((data, url)))
            except OSError:
                pass  # the process is dead: `_receive` sees that too
            except asyncio.CancelledError:
                self.process.kill()  # it has half a message: it would take the next one for the rest
                raise
        if self.dead:
            self._hang_up()
        return await answer

    def _receive(self) -> None:
        """Read what the process has sent; the loop calls this when there is something to read."""
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
                self.begun = True  # the first message says only that
                continue
            answer = self.waiting.popleft()
            if answer.done():  # cancelled
                continue
            if isinstance(outcome, Outcome):
                answer.set_result(outcome)
            else:
                answer.set_exception(outcome)

    def _lost(self) -> None:
        """Take no more images: the process has closed its end, and its exit code follows in a moment."""
        self.dead = True
        self._loop.remove_reader(self._socket)
        self._loop.add_reader(self.process.sentinel, self._ended)
        self._hang_up()

    def _ended(self) -> None:
        """Settle the images that the dead process held. Its exit code says why it died."""
        self._loop.remove_reader(self.process.sentinel)
        self.process.join()
        timeout = self._timeout()
        for place, answer in enumerate(self.waiting):
            if answer.done():
                continue
            if not self.begun:
                code = self.process.exitcode
                answer.set_exception(_cannot_start(f"exit code {code}; its error message is above"))
            elif place == 0 and timeout is not None:
                answer.set_result(timeout)
            else:
                answer.set_exception(_Died(at_work=place == 0))
        self.waiting.clear()

    def _timeout(self) -> Outcome | None:
        """Return the outcome of the image that was being decoded, if a timer ended the process."""
        if self.process.exitcode == -signal.SIGPROF:
            detail = f"more than {self._limits.cpu:g} s of CPU time"
            return Outcome("failed", "decoder_timeout", detail=detail)
        if self.process.exitcode == -signal.SIGALRM:
            detail = f"more than {self._limits.wall:g} s"
            return Outcome("failed", "decoder_timeout", detail=detail, retry=True)
        return None

    def _hang_up(self) -> None:
        if not self._sending.locked():  # otherwise `keep` closes it, after an error of the socket
            self._socket.close()

    def close(self) -> None:
        """Close the socket: the process ends when it has finished the image it works on."""
        if not self.dead:
            self._loop.remove_reader(self._socket)
        self._loop.remove_reader(self.process.sentinel)
        self._socket.close()


def _cannot_start(why: str) -> WorkersError:
    return WorkersError(
        f"the process that decodes images can't start ({why}): free some memory and run again, or if it "
        "stays so, install again with `uv sync --reinstall`"
    )


def _message(content: object) -> bytes:
    pickled = pickle.dumps(content)
    return _LENGTH.pack(len(pickled)) + pickled


def _serve(
    end: Connection, work: Work, folder: Path, run_id: int, policy: ImagePolicy, limits: TimeLimits
) -> None:
    """Work on images until the parent closes the socket or dies. Ctrl-C is left to the parent."""
    for number in (signal.SIGPROF, signal.SIGALRM):  # inherited: a caller may have ignored or blocked them
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGPROF, signal.SIGALRM))
    parent = multiprocessing.parent_process()
    assert parent is not None
    end_with(parent.sentinel)
    outcome: Outcome | Exception
    try:
        end.send(None)  # begun
        while True:
            data, url = end.recv()
            _set_timers(limits.cpu, limits.wall)
            try:
                outcome = work(data, url, folder, run_id, policy)
            except Exception as error:  # a full disk: the parent reports it
                outcome = error
            _set_timers(0, 0)
            end.send(outcome)
    except (EOFError, OSError):
        return


def _set_timers(cpu: float, wall: float) -> None:
    """Let the kernel end this process after so much CPU or wall time, in seconds; 0 clears a timer.

    Both signals end a process without a core dump, which SIGXCPU would write.
    """
    signal.setitimer(signal.ITIMER_PROF, cpu)
    signal.setitimer(signal.ITIMER_REAL, wall)
