"""Tell releases that hold ids only, as `affectory ids` writes them, from full ones."""

from __future__ import annotations

import shlex
from pathlib import Path


def has_ids_only(folder: Path) -> bool:
    """Return whether the folder of a dataset, or of a version, has ids and no full posts."""
    names = [path.name for path in folder.rglob("*.parquet")]
    return any(name.startswith("ids-") for name in names) and not any(
        name.startswith(("train-", "validation-", "test-")) for name in names
    )


def instead(folder: Path) -> str:
    """Return what a command says that needs the full release of the dataset in `folder`."""
    return (
        f"{str(folder)!r} has ids only, no texts and no images: affectory hydrate "
        f"{shlex.quote(str(folder))} rebuilds the full release, as {folder.name}-full"
    )
