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
import logging
import os
import re
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from affectory.core.errors import AffectoryError, InputError
from affectory.core.processes import Pool

T = TypeVar("T")

#: How often work is started again after its node or its process died.
RETRIES = 3

#: Seconds that an address has to accept a connection, a cluster to let this process join, Ray to start on
#: this machine, and all nodes to say what they have.
ANSWER, JOIN, START, NODES = 5.0, 60.0, 180.0, 180.0

#: Seconds that a Ray on this machine has to end its processes before it is killed.
LEAVE = 10.0

#: Seconds between two looks at whether the head of the cluster still is there, while a result is awaited.
LOOK = 2.0

#: The items per core that are taken beyond the one whose result comes next, if the caller sets no limit. So
#: the other cores have work while one takes long.
PER_CORE = 8

#: Read by Ray at its import: no usage statistics over the network, no hints on standard error.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def check(address: str | None) -> None:
    """Raise `InputError` if Ray isn't installed or the address has another form than HOST:PORT."""
    if importlib.util.find_spec("ray") is None:
        raise InputError(
            "--engine ray needs the package ray: pip install 'affectory[cluster]' (or uv sync --extra cluster)"
        )
    if address is not None and not re.fullmatch(r"[\w.-]+:\d{1,5}|\[[\da-fA-F:.]+\]:\d{1,5}", address):
        raise InputError(
            f"--address {address!r} isn't HOST:PORT, such as 10.0.0.1:6379, which ray start --head prints"
        )


class Ray:
    """An engine of the cores of a Ray cluster. Without an address, Ray starts here with `workers` cores.

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
    ) -> None:
        check(address)
        self._address, self._workers = address, workers
        self._folders = [str(folder.absolute()) for folder in (Path(), *folders)]
        self._packages = dict(packages or {})
        self._where = f"the Ray cluster at {address}" if address else "Ray on this machine"
        self._numbers = itertools.count()
        self._head: str | None = None

    def __enter__(self) -> Self:
        if self._address is not None and (fault := _unreachable(self._address)):
            raise AffectoryError(
                f"no Ray cluster answers at {self._address} ({fault}): start one with ray start --head, or "
                "correct --address"
            )
        # A Ray of its own ends with it; a cluster stays, and notices by itself that this process has ended.
        cleanup = None if self._address else _leave_within_limit
        self._pool = Pool(1, preload=[], prepare=_silence, cleanup=cleanup)
        try:
            self._call(_import, limit=START)
            self._call(_join, self._address, self._workers, limit=JOIN if self._address else START)
            self._call(_check_nodes, self._folders, self._packages, limit=NODES)
            self._head, self._cores = self._call(_head_and_cores)
        except BaseException as error:
            self._pool.__exit__(type(error))
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object, /) -> None:
        try:
            if kind is None:
                self._call(_leave)
        finally:
            self._pool.__exit__(kind, error, trace)

    def map(
        self, work: Callable[..., T], items: Iterable[Any], *common: object, ahead: int | None = None
    ) -> Iterator[T]:
        """Yield `work(item, *common)` for each item, as `Engine.map` says."""
        number, waiting = next(self._numbers), 0
        most = PER_CORE * self._cores if ahead is None else ahead
        self._call(_begin, number, work, common)
        for item in items:
            self._call(_add, number, item)
            waiting += 1
            if waiting > most:
                yield self._call(_next, number)
                waiting -= 1
        for _ in range(waiting):
            yield self._call(_next, number)

    def _call(self, function: Callable[..., Any], *arguments: object, limit: float | None = None) -> Any:
        """Run one of the functions below in Ray's process. Raises `AffectoryError` if Ray is gone."""
        try:
            future = self._pool.submit(function, *arguments)
            waited = 0.0
            while not wait([future], LOOK).done:
                waited += LOOK
                if limit is not None and waited >= limit:
                    raise AffectoryError(f"{self._where} doesn't answer within {limit:.0f} s")
                if self._head is not None and (fault := _unreachable(self._head)):
                    raise AffectoryError(f"{self._where} is gone ({fault}): {_AGAIN}")
            return future.result()
        except BrokenProcessPool:
            raise AffectoryError(f"{self._where} is gone: {_AGAIN}") from None


_AGAIN = "finished files are kept; start it and run the same command again"


def _unreachable(address: str) -> str:
    """Return why nothing accepts connections at an address, or an empty string."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


# What follows runs in Ray's process, but for `_run`, which runs on the nodes.


@dataclass
class _Map:
    """A map that isn't finished: what starts its work, and the results to come."""

    start: Callable[[object], Any]
    results: deque[Any] = field(default_factory=deque)


_maps: dict[int, _Map] = {}


def _silence() -> None:
    """Send to nowhere what Ray prints, which its logs hold too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _import() -> None:
    os.environ.update(_QUIET)
    import ray  # noqa: F401 takes a while, which `_join` is not to pay for


def _join(address: str | None, workers: int) -> None:
    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        if address is None:
            ray.init("local", num_cpus=workers, include_dashboard=False, **options)
        else:
            ray.init(address, **options)
    except (OSError, RuntimeError, ValueError) as error:
        where = f"the Ray cluster at {address}" if address else "Ray on this machine"
        raise AffectoryError(f"{where} can't be used: {' '.join(str(error).split())}") from error


def _head_and_cores() -> tuple[str, int]:
    import ray

    return ray.get_runtime_context().gcs_address, int(ray.cluster_resources().get("CPU", 1))


def _check_nodes(folders: Sequence[str], packages: Mapping[str, str]) -> None:
    """Raise `AffectoryError` for a node that lacks a package in this version, or doesn't see a folder."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Defined here, because Ray then sends its code: a node without the package can run it.
    def fault() -> str:
        import importlib.metadata
        from pathlib import Path

        for name, version in packages.items():
            try:
                found = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                return f"lacks the package {name}: install {name}=={version} there"
            if found != version:
                return f"has {name} {found}, not {version} as this machine: install {name}=={version} there"
        for folder in folders:
            if not Path(folder).is_dir():
                return f"doesn't see the folder {folder!r}: use a folder that all nodes share"
        return ""

    nodes = [node for node in ray.nodes() if node["Alive"]]
    look = ray.remote(num_cpus=0, max_retries=0)(fault)
    asked = [
        look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote()
        for node in nodes
    ]
    for node, said in zip(nodes, asked, strict=True):
        if why := ray.get(said):
            raise AffectoryError(f"the node {node['NodeManagerAddress']} of the Ray cluster {why}")


def _begin(number: int, work: Callable[..., object], common: Sequence[object]) -> None:
    import ray

    run = ray.remote(max_retries=RETRIES)(_run)
    shared = [ray.put(one) for one in common]
    folder = Path.cwd()
    _maps[number] = _Map(lambda item: run.remote(folder, work, item, *shared))


def _add(number: int, item: object) -> None:
    _maps[number].results.append(_maps[number].start(item))


def _next(number: int) -> object:
    import ray

    try:
        return ray.get(_maps[number].results.popleft())
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)  # what the work raised
        if isinstance(cause, Exception) and not isinstance(cause, ray.exceptions.RayError):
            raise cause from error
        why = str(error).strip().partition("\n")[0]
        raise AffectoryError(
            f"a node or a process of the Ray cluster ended {RETRIES + 1} times at the same work, most often "
            f"for lack of memory ({type(error).__name__}: {why})"
        ) from error


def _leave() -> None:
    import ray

    _maps.clear()
    ray.shutdown()


def _leave_within_limit() -> None:
    """End Ray from another thread than the one that uses it, which may be stuck."""
    import ray

    leaving = threading.Thread(target=ray.shutdown, daemon=True)
    leaving.start()
    leaving.join(LEAVE)


def _run(folder: Path, work: Callable[..., T], item: object, *common: object) -> T:
    """Do a piece of work on a node, with this folder as the current one."""
    os.chdir(folder)
    return work(item, *common)
