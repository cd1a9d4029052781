"""Import torchvision without torch's compiler, which it asks for, and classifiers don't use.

`torchvision.ops.roi_align` imports `torch._dynamo.utils` for one function that only object detectors call.
That imports some 900 modules (dynamo, inductor, sympy, triton): more than half of the time until the first
image is read. Here the function is imported when it is called.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_COMPILER = "torch._dynamo.utils"


class _Later(ModuleType):
    """Has every function of a module; each imports the module when it is called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def later(*given: Any, **options: Any) -> Any:
            return getattr(importlib.import_module(self.__name__), name)(*given, **options)

        return later


@contextmanager
def without_the_compiler() -> Iterator[None]:
    """Import modules in the block, without the compiler unless it is imported already."""
    if _COMPILER in sys.modules:
        yield
        return
    later = _Later(_COMPILER)
    sys.modules[_COMPILER] = later
    try:
        yield
    finally:
        if sys.modules.get(_COMPILER) is later:
            del sys.modules[_COMPILER]
