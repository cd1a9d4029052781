"""Where a release is, and which versions it has: what can be said of a name before anything is loaded.

This module imports neither torch nor numpy, so that a mistyped name is answered at once.
"""

from __future__ import annotations

import re
from pathlib import Path

from affectory.core import ids_releases, mirrors, recipes
from affectory.core.addresses import Place
from affectory.core.errors import BaselineError, some

_CONFIG = re.compile(r'config_name: "?([^"\n]+)')


def find(name: str, datasets: Place, version: str | None = None) -> Path:
    """Return a dataset's folder; of an address a copy of its card. Raises `BaselineError` if it isn't built.

    So does a version that it hasn't.
    """
    where = mirrors.fetch(datasets / name)
    if not (where / "README.md").is_file():
        raise BaselineError(_not_built(name, mirrors.local(datasets)))
    versions = [config for config in configs(where) if config != "ids"]
    if not versions:
        raise BaselineError(ids_releases.instead(where))
    if version is not None and version not in versions:
        raise BaselineError(f"{where} has no version {version!r}: it has {some(versions, str)}")
    return where


def configs(where: Path) -> list[str]:
    """Return the configurations that a dataset's card lists: its versions, and `ids`."""
    return _CONFIG.findall((where / "README.md").read_text(encoding="utf-8", errors="replace"))


def _not_built(name: str, folder: Path) -> str:
    there = [path.parent for path in folder.glob("*/README.md")]
    built = sorted(path.name for path in there if not ids_releases.has_ids_only(path))
    return recipes.not_built(name, folder, built)
