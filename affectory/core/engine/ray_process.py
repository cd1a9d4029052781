"""What runs in the process of its own in which `affectory.core.engine.ray` uses Ray, and on the nodes."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from affectory.core.errors import AffectoryError

T = TypeVar("T")

#: How often work is started again after its node or its process died.
RETRIES = 3

#: Seconds that a Ray on this machine has to end its processes before it is killed.
LEAVE = 10.0

#: Threads of an actor with a GPU, at most.
THREADS = 16

#: Read by Ray at its import: no usage statistics over the network, no hints on standard error.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}

#: How the message of an error ends after which the command can be repeated.
AGAIN = "finished files are kept; start it and run the same command again"


class _Tasks:
    """A map that isn't finished, by tasks, which Ray itself runs again."""

    def __init__(self, work: Callable[..., object], common: Sequence[object]) -> None:
        import ray

        self._run = ray.remote(max_retries=RETRIES)(_run)
        self._given = (Path.cwd(), work)
        self._shared = [ray.put(one) for one in common]
        self._results: deque[Any] = deque()

    def add(self, item: object) -> None:
        """Start the work on an item."""
        self._results.append(self._run.remote(*self._given, item, *self._shared))

    def next(self) -> object:
        """Return the first result that hasn't been returned."""
        import ray

        return ray.get(self._results.popleft())


class _Actors:
    """A map that isn't finished, by actors. What one that died had in hand goes to the others."""

    def __init__(self, work: Callable[..., object], common: Sequence[object]) -> None:
        import ray

        kept = ray.remote(max_restarts=0)(_Kept)
        given = ray.put((work, common))
        self._actors: list[Any] = [kept.options(**options).remote(Path.cwd(), given) for options in _places()]
        self._started: deque[tuple[object, Any, Any]] = deque()  # item, actor, reference

    def add(self, item: object) -> None:
        """Start the work on an item by the actor that has the least in hand."""
        import ray

        references = [reference for _, _, reference in self._started]
        unfinished = set(
            ray.wait(references, num_returns=len(references), timeout=0)[1] if references else ()
        )
        load = Counter(actor for _, actor, reference in self._started if reference in unfinished)
        actor = min(self._actors, key=lambda one: load[one])
        self._started.append((item, actor, actor.run.remote(item)))

    def next(self) -> object:
        """Return the first result that hasn't been returned. The last actor's death is raised."""
        import ray

        while True:
            try:
                found = ray.get(self._started[0][2])
            except (
                ray.exceptions.RayActorError,
                ray.exceptions.ActorUnschedulableError,  # its node ended before it began
                ray.exceptions.ObjectLostError,
            ) as error:
                self._replace(self._started[0][1], error)
                continue
            except BaseException:
                self._started.popleft()
                raise
            self._started.popleft()
            return found

    def _replace(self, dead: Any, error: Exception) -> None:
        """Give what a dead actor had in hand to the others. Raises if there are none."""
        if dead in self._actors:
            self._actors.remove(dead)
        if not self._actors:
            raise AffectoryError(
                f"the last process of this work on Ray ended ({_first_line(error)}): {AGAIN}"
            )
        for at, (item, actor, _) in enumerate(self._started):
            if actor is dead:
                other = self._actors[at % len(self._actors)]
                self._started[at] = (item, other, other.run.remote(item))


_maps: dict[int, _Tasks | _Actors] = {}


def silence() -> None:
    """Send to nowhere what Ray prints, which its logs hold too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def import_ray() -> None:
    """Import Ray, which takes a while: time that doesn't count as that of `join`."""
    os.environ.update(_QUIET)
    import ray  # noqa: F401


def join(address: str | None, workers: int) -> None:
    """Join a cluster, or start Ray on this machine. Raises `AffectoryError`."""
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


def head_gpus_slots(actors: bool) -> tuple[str, int, int]:
    """Return the address of the head, the number of GPUs, and how many items are worked on at once."""
    import ray

    places = _places()
    gpus = sum("num_gpus" in place for place in places)
    cores = int(ray.cluster_resources().get("CPU", 1))
    slots = sum(place["max_concurrency"] for place in places) if actors else cores
    return ray.get_runtime_context().gcs_address, gpus, max(1, slots)


def check_nodes(folders: Sequence[str], packages: Mapping[str, str]) -> None:
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
        try:
            why = ray.get(said)
        except (
            ray.exceptions.TaskUnschedulableError,
            ray.exceptions.NodeDiedError,
            ray.exceptions.WorkerCrashedError,
        ):
            continue  # it has ended, which Ray notices late: no work will run there
        if why:
            raise AffectoryError(f"the node {node['NodeManagerAddress']} of the Ray cluster {why}")


def _places() -> list[dict[str, Any]]:
    """Return the options of the actors that fill the cluster: one for each GPU, or else one for each core."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    on_gpus, on_cores = [], []
    for node in ray.nodes():
        if not node["Alive"]:
            continue
        here = {"scheduling_strategy": NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)}
        gpus, cores = (int(node["Resources"].get(name, 0)) for name in ("GPU", "CPU"))
        threads = max(1, min(THREADS, cores // max(1, gpus)))
        on_gpus += [{**here, "num_gpus": 1, "num_cpus": 0, "max_concurrency": threads}] * gpus
        on_cores += [{**here, "num_cpus": 1, "max_concurrency": 1}] * cores
    return on_gpus or on_cores


def begin_tasks(number: int, work: Callable[..., object], common: Sequence[object]) -> None:
    """Begin a map under a new number."""
    _maps[number] = _Tasks(work, common)


def begin_actors(number: int, work: Callable[..., object], common: Sequence[object]) -> None:
    """Begin a map whose work and common arguments are kept by actors."""
    _maps[number] = _Actors(work, common)


def add(number: int, item: object) -> None:
    """Start the work on the next item of a map."""
    _maps[number].add(item)


def next_result(number: int) -> object:
    """Return the next result of a map. Raises what the work raised, and `AffectoryError`."""
    import ray

    try:
        return _maps[number].next()
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)  # what the work raised
        if isinstance(cause, Exception) and not isinstance(cause, ray.exceptions.RayError):
            raise cause from error
        raise AffectoryError(
            f"a node or a process of the Ray cluster ended {RETRIES + 1} times at the same work, most often "
            f"for lack of memory ({_first_line(error)})"
        ) from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def leave() -> None:
    """Leave the cluster; end what `join` started."""
    import ray

    _maps.clear()
    ray.shutdown()


def leave_within_limit() -> None:
    """End Ray from another thread than the one that uses it, which may be stuck."""
    import ray

    leaving = threading.Thread(target=ray.shutdown, daemon=True)
    leaving.start()
    leaving.join(LEAVE)


def _run(folder: Path, work: Callable[..., T], item: object, *common: object) -> T:
    """Do a piece of work on a node, with this folder as the current one."""
    os.chdir(folder)
    return work(item, *common)


class _Kept:
    """An actor on a node: the work and its common arguments, kept from item to item."""

    def __init__(self, folder: Path, given: tuple[Callable[..., Any], Sequence[object]]) -> None:
        os.chdir(folder)
        self._work, self._common = given

    def run(self, item: object) -> Any:
        """Do the work on an item."""
        return self._work(item, *self._common)
