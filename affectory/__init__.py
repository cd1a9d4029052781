"""Affectory: multimodal emotion datasets, from their sources to the field's baselines.

    import affectory

    affectory.collect("reddit", subs=["happy", "creepy", "rage", "gore"])
    affectory.build("reddit-emotion")
    affectory.train("reddit-emotion")

docs/python.md shows each call with its output; `affectory --help` lists the commands that they stand for.
`affectory.__version__` is the installed version. Nothing is imported before it is used (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affectory.api import Predictor as Predictor
    from affectory.api import build as build
    from affectory.api import collect as collect
    from affectory.api import load as load
    from affectory.api import train as train

    __version__: str

#: What is found in `affectory.api` when it is first asked for.
_API = ("Predictor", "build", "collect", "load", "train")


def __getattr__(name: str) -> Any:
    """Return a part of the API, or the version, when it is first asked for."""
    if name in _API:
        from affectory import api

        return getattr(api, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("affectory")
    raise AttributeError(f"module 'affectory' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_API, "__version__"])
