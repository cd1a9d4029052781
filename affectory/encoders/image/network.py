"""A network without its last layer, and its weights: what networks of all libraries have in common."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor, nn

from affectory.core.errors import BaselineError

#: `weights` of a network as it is before any training.
RANDOM = "random"


@dataclass(frozen=True)
class Network:
    """A network without its last layer, and how an image becomes its input."""

    module: nn.Module  # float[B, 3, H, W] -> float[B, D]
    transform: Callable[[Image.Image], Tensor]  # of an RGB image -> float[3, H, W]
    preprocessing: str  # what `transform` does, in words
    side: int  # H and W
    dim: int | None = None  # D, where it is known without running the network


def state_digest(module: nn.Module) -> str:
    """Return the sha256 of a network's weights: the same from a hub, a .pth or a .safetensors file."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if name.endswith("num_batches_tracked"):  # counts training steps; some files leave it out
            continue
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


T = TypeVar("T")


def seeded(make: Callable[[], T], seed: int) -> T:
    """Return what is made with weights drawn by `seed`, the caller's own random state left as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def check_keys(name: str, where: str, module: nn.Module, state: dict[str, Tensor], extra: str) -> None:
    """Raise `BaselineError` unless `state` fits `module`; keys that match `extra` may stand in it too."""
    faults = list(_differing(module.state_dict(), state, re.compile(extra)))
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise BaselineError(
            f"{where} does not hold the weights of {name}: {'; '.join(faults[:3])}{more}; "
            "name the backbone that they belong to"
        )


def _differing(wanted: dict[str, Tensor], given: dict[str, Tensor], extra: re.Pattern[str]) -> Iterator[str]:
    for key, tensor in wanted.items():
        if key not in given:
            if not key.endswith("num_batches_tracked"):
                yield f"{key} is missing"
        elif given[key].shape != tensor.shape:
            yield f"{key} is {tuple(given[key].shape)}, not {tuple(tensor.shape)}"
    for key in given:
        if key not in wanted and not extra.match(key):
            yield f"{key} is not one of its own"
