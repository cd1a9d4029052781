"""Affectory: multimodal emotion datasets, from their sources to the field's baselines.

`affectory --help` lists the commands. `affectory.__version__` is the installed version.
"""

from __future__ import annotations


def __getattr__(name: str) -> str:
    """Return `__version__` when it is first asked for: importing the package reads no metadata (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("affectory")
    raise AttributeError(f"module 'affectory' has no attribute {name!r}")
