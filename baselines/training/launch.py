"""The processes of `accelerate launch`: the main one runs the command, the others train along with it.

    with launch.main_process(device):
        work = partial(train, network, posts)
        launch.call(work)  # all other processes run it too
        work()

The main process alone loads, evaluates, writes and prints. The others read no release: they wait for the work
that it gives them, a network that is trained end to end. Modules are imported where they are needed, as this
one is imported by the commands.
"""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectory.core.command import print_error
from affectory.core.errors import AffectoryError, BaselineError, InputError

if TYPE_CHECKING:
    import torch

#: How long processes wait for each other: as long as the main one may take to compute features, or to train
#: on them. A process that ends is noticed at once. In milliseconds it has to fit 32 bits.
PATIENCE = timedelta(days=20)

#: What torch says in a process whose connection to another one ended.
_LOST = re.compile(
    r"gloo|nccl|connection (?:was )?(?:closed|reset|refused)|broken pipe|tcpstore", re.IGNORECASE
)

#: In the main process, how it reaches the others, if there are any.
_others: Any = None


def size() -> int:
    """Return how many processes were started together: by `accelerate launch`, `torchrun` or MPI."""
    return _number("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", default=1)


def is_helper() -> bool:
    """Return whether this is one of several processes, and not the main one."""
    return size() > 1 and _number("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK") > 0


def is_launched() -> bool:
    """Return whether this process, or one that it comes from, was started together with others."""
    return size() > 1 or "LOCAL_RANK" in os.environ


def _number(*names: str, default: int = 0) -> int:
    found = next((os.environ[name] for name in names if name in os.environ), "")
    return int(found) if found.isdecimal() else default


def accelerate(what: str) -> Any:
    """Return the library. Raises `BaselineError`, which names what needs it, where it isn't installed."""
    try:
        return importlib.import_module("accelerate")  # an extra, and not typed
    except ImportError as error:
        raise BaselineError(
            f"{what} needs Accelerate: pip install 'affectory[finetune]' (or uv sync --extra finetune)"
        ) from error


@contextmanager
def main_process(device: torch.device) -> Iterator[None]:
    """Let the other processes take part in what the block calls; they end with it.

    Raises `InputError` for a device that several processes can't share, and `BaselineError` where one of them
    has ended early.
    """
    global _others
    if size() == 1:
        yield
        return
    _others = _connected(device)
    try:
        yield
        _send(None)
        _disconnect()
    except RuntimeError as error:
        if _LOST.search(str(error)) is None:
            raise
        raise BaselineError(
            "another process of this launch has ended, for the reason that it printed: repeat the command, "
            "which goes on from the checkpoints"
        ) from error
    finally:
        _others = None


def call(work: Callable[[], object]) -> None:
    """Let the other processes, if there are any, run `work` too. It must be one that can be pickled."""
    if _others is None:
        return
    from torch import distributed

    from baselines.training.checkpoint import save

    with tempfile.TemporaryDirectory(prefix="affectory-") as folder:
        path = Path(folder) / "work.pt"
        save(work, path)
        _send(path)
        distributed.barrier(group=_others)  # all have opened the file


def serve(device: Callable[[], torch.device]) -> int:
    """Do what the main process calls for, until it ends; print nothing but an error of this process alone.

    `device` reads what to train on from the options. Return the exit code.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the main process says that it was interrupted
    stderr = sys.stderr
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        try:
            group = _connected(device())
        except AffectoryError:
            return 2  # the main process finds the same, and says so
        try:
            while (work := _received(group)) is not None:
                work()
        except (AffectoryError, OSError) as error:
            with redirect_stderr(stderr):
                print_error(error)
            return 2
        except RuntimeError as error:
            if _LOST.search(str(error)) is None:
                raise
            return 2  # the main process has ended, and said why
        _disconnect()
        return 0


def _connected(device: torch.device) -> Any:
    """Return the group of all processes, which computes on the CPU whatever they train on."""
    import torch
    from torch import distributed

    number = size()
    if device.type not in ("cpu", "cuda") or device.index is not None:
        raise InputError(
            f"--device {device} can't be shared by {number} processes: give cuda, of which each takes a GPU "
            "of its own, or cpu"
        )
    here = _number("LOCAL_WORLD_SIZE", "MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", default=number)
    if device.type == "cuda" and here > torch.cuda.device_count():
        raise InputError(
            f"{here} processes were started, and this machine has {torch.cuda.device_count()} GPUs: start as "
            "many with --num_processes, or give --device cpu"
        )
    they = accelerate(f"a launch of {number} processes")
    they.PartialState(cpu=device.type == "cpu", timeout=PATIENCE)
    return distributed.new_group(backend="gloo", timeout=PATIENCE)


def _disconnect() -> None:
    from torch import distributed

    distributed.destroy_process_group()


def _send(path: Path | None) -> None:
    from torch import distributed

    distributed.broadcast_object_list([path], src=0, group=_others)


def _received(group: Any) -> Callable[[], object] | None:
    """Wait for the main process's work and return it; None at its end."""
    import torch
    from torch import distributed

    given: list[Path | None] = [None]
    distributed.broadcast_object_list(given, src=0, group=group)
    [path] = given
    if path is None:
        return None
    if not path.exists():
        raise BaselineError(
            f"{path} of the main process isn't on this machine: start all processes on one machine, or set "
            "TMPDIR to a folder that all machines have in common"
        )
    work: Callable[[], object] = torch.load(path, map_location="cpu", mmap=True, weights_only=False)
    distributed.barrier(group=group)
    return work
