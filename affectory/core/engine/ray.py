"""An engine on a Ray cluster, or on a Ray of its own on this machine.

    with Ray("10.0.0.1:6379", folders=[store, scratch], packages={"affectory": "0.1.0"}) as engine:
        for result in engine.map(work, items):
            ...

Items, common arguments and results travel through Ray; files don't. Work that reads or writes files needs
`folders` that every node sees under the same path. A relative path means the same on the nodes as here.

Work whose node or process dies is run again on another. So work may run twice, even at the same time: it must
give the same result, and the files that it writes must appear whole.

Ray is used in a process of its own: it prints to standard output, takes over signals, and ends its process
when the head of the cluster dies.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Self, TypeVar

from affectory.core.engine import ray_process
from affectory.core.errors import AffectoryError, InputError
from affectory.core.processes import Pool

T = TypeVar("T")

#: Seconds that an address has to accept a connection, Ray to start or to let this process join, and all nodes
#: to say what they have. Starting takes a minute on a machine that is busy with other programs.
ANSWER, START, NODES = 5.0, 180.0, 180.0

#: Seconds between two looks at whether the head of the cluster still is there, while a result is awaited.
LOOK = 2.0

#: The items per core that are taken beyond the one whose result comes next, if the caller sets no limit. So
#: the other cores have work while one takes long.
PER_CORE = 8


def check(address: str | None) -> None:
    """Raise `InputError` if Ray isn't installed or the address has another form than HOST:PORT."""
    if importlib.util.find_spec("ray") is None:
        raise InputError(
            "--engine ray needs the package ray: pip install 'affectory[cluster]' "
            "(or uv sync --extra cluster)"
        )
    if address is not None and not re.fullmatch(r"[\w.-]+:\d{1,5}|\[[\da-fA-F:.]+\]:\d{1,5}", address):
        raise InputError(
            f"--address {address!r} isn't HOST:PORT, such as 10.0.0.1:6379, which ray start --head prints"
        )


class Ray:
    """An engine of the cores of a Ray cluster. Without an address, Ray starts here with `workers` cores.

    With `actors`, each process of the cluster unpickles the work and its common arguments once, and keeps
    them: for work with a network. There is one for each GPU, with a share of its node's cores as threads, or
    one for each core where no node has a GPU. In the block, `gpus` is their number, and `slots` that of items
    at once.

    The nodes must see `folders`, and have `packages` in these versions. Raises `AffectoryError` at the start
    of the block if one doesn't, or if no cluster answers.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        workers: int = 1,
        folders: Sequence[Path] = (),
        packages: Mapping[str, str] | None = None,
        actors: bool = False,
    ) -> None:
        check(address)
        self._address, self._workers = address, workers
        self._folders = [str(folder.absolute()) for folder in (Path(), *folders)]
        self._packages = dict(packages or {})
        self._where = f"the Ray cluster at {address}" if address else "Ray on this machine"
        self._begin = ray_process.begin_actors if actors else ray_process.begin_tasks
        self._numbers = itertools.count()
        self._head: str | None = None

    def __enter__(self) -> Self:
        if self._address is not None and (fault := _unreachable(self._address)):
            raise AffectoryError(
                f"no Ray cluster answers at {self._address} ({fault}): start one with ray start --head, or "
                "correct --address"
            )
        # A Ray of its own ends with it; a cluster stays, and notices by itself that this process has ended.
        cleanup = None if self._address else ray_process.leave_within_limit
        self._pool = Pool(1, preload=[], prepare=ray_process.silence, cleanup=cleanup)
        try:
            self._call(ray_process.import_ray, limit=START)
            self._call(ray_process.join, self._address, self._workers, limit=START)
            self._call(ray_process.check_nodes, self._folders, self._packages, limit=NODES)
            self._head, self.gpus, self.slots = self._call(
                ray_process.head_gpus_slots, self._begin is ray_process.begin_actors
            )
        except BaseException as error:
            self._pool.__exit__(type(error))
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object, /) -> None:
        self._head = None  # a Ray on this machine ends now
        if kind is None:
            try:
                self._call(ray_process.leave, limit=START)
            except AffectoryError as late:  # all results are there: no error of the command
                kind = type(late)
        self._pool.__exit__(kind, error, trace)

    def map(
        self, work: Callable[..., T], items: Iterable[Any], *common: object, ahead: int | None = None
    ) -> Iterator[T]:
        """Yield `work(item, *common)` for each item, as `Engine.map` says."""
        number, waiting = next(self._numbers), 0
        most = PER_CORE * self.slots if ahead is None else ahead
        self._call(self._begin, number, work, common)
        for item in items:
            self._call(ray_process.add, number, item)
            waiting += 1
            if waiting > most:
                yield self._call(ray_process.next_result, number)
                waiting -= 1
        for _ in range(waiting):
            yield self._call(ray_process.next_result, number)

    def _call(self, function: Callable[..., Any], *arguments: object, limit: float | None = None) -> Any:
        """Run a function of `ray_process` in Ray's process. Raises `AffectoryError` if Ray is gone."""
        try:
            future = self._pool.submit(function, *arguments)
            waited = 0.0
            while not wait([future], LOOK).done:
                waited += LOOK
                if limit is not None and waited >= limit:
                    raise AffectoryError(f"{self._where} doesn't answer within {limit:.0f} s")
                if self._head is not None and (fault := _unreachable(self._head)):
                    raise AffectoryError(f"{self._where} is gone ({fault}): {ray_process.AGAIN}")
            return future.result()
        except BrokenProcessPool:
            raise AffectoryError(f"{self._where} is gone: {ray_process.AGAIN}") from None


def _unreachable(address: str) -> str:
    """Return why nothing accepts connections at an address, or an empty string."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""
