"""Which engine runs the stages of a command, as the user chose it with `--engine` and `--address`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from affectory.core.engine.engine import Engine
from affectory.core.errors import InputError

if TYPE_CHECKING:
    from affectory.core.engine.ray import Ray


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine by its name. `address` is that of a Ray cluster; without it, Ray starts on this machine."""

    name: Literal["local", "ray"] = "local"
    address: str | None = None

    def check(self) -> None:
        """Raise `InputError` for a choice that no engine can be started by."""
        if self.name == "ray":
            from affectory.core.engine import ray

            ray.check(self.address)
        elif self.address is not None:
            raise InputError(f"--address {self.address} is that of a Ray cluster: add --engine ray")

    def start(
        self, workers: int, *, preload: Sequence[str], folders: Sequence[Path], packages: Mapping[str, str]
    ) -> Engine:
        """Return the engine, to be used in a `with` block.

        `workers` is the number of processes on this machine; a cluster uses all its cores. `preload` are the
        modules of the work, `folders` those that it reads and writes, `packages` the versions that all
        machines must have.
        """
        self.check()
        if self.name == "ray":
            from affectory.core.engine.ray import Ray

            return Ray(self.address, workers=workers, folders=folders, packages=packages)
        from affectory.core.engine.local import Processes

        return Processes(workers, preload=preload)

    def actors(self, workers: int) -> Ray:
        """Return Ray with processes that keep what all items need, for work with a network."""
        import importlib.metadata

        from affectory.core.engine.ray import Ray

        here = {name: importlib.metadata.version(name) for name in ("affectory", "numpy", "pillow")}
        return Ray(self.address, workers=workers, packages=here, actors=True)


#: The default.
LOCAL = EngineChoice()
