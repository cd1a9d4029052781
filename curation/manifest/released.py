"""The versions of a dataset in its folder: how they are written, which exist, and where one is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from affectory.core import mirrors, recipes
from affectory.core.addresses import Place
from affectory.core.errors import InputError, ReleaseError, shown, some

#: Plain digits: `\d` has those of all scripts, and `int` reads them.
_VERSION = re.compile(r"\.".join([r"(0|[1-9][0-9]{0,8})"] * 3))


def parse(text: str) -> tuple[int, int, int]:
    """Return the numbers of "1.2.3"; raise `ReleaseError` for anything else."""
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ReleaseError(f"--version {shown(text)} is not a version: write it as 1.0.0")
    return int(found[1]), int(found[2]), int(found[3])


def built(folder: Path) -> list[str]:
    """Return the versions of a dataset that have a manifest, the newest first."""
    names = [p.parent.name for p in folder.glob("*/manifest.json") if _VERSION.fullmatch(p.parent.name)]
    return sorted(names, key=parse, reverse=True)


def find(folder: Path, version: str | None) -> Path:
    """Return the folder of a version, the newest by default; raise `ReleaseError` if it isn't built."""
    there = built(folder)
    if not there:
        others = [one.name for one in folder.parent.glob("*") if built(one)]
        said = recipes.not_built(folder.name, folder.parent, others)
        raise ReleaseError(meant_by_name(folder) or said)
    if version is not None and version not in there:
        raise ReleaseError(f"{folder.name!r} has no version {shown(version)}; it has {some(there, str)}")
    return folder / (version or there[0])


def meant_by_name(folder: Path) -> str:
    """Return what is said of a dataset's name where its folder is asked for; "" if it is no such name."""
    there = Path("datasets") / folder.name
    if folder == there or not built(there):
        return ""
    return f"{str(folder)!r} is not a release: did you mean {there}?"


def chosen(datasets: Place, name: str, version: str | None) -> Path:
    """Return the folder of a version of a dataset; of one at an address, a copy without its Parquet files.

    Raises `AffectoryError` if it isn't built, or the name can't be that of a folder.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise InputError(f"{shown(name)} is not a dataset's name: name a folder of {str(datasets)!r}")
    return find(mirrors.fetch(datasets / name), version)


def to_push(folder: Path, name: str) -> str:
    """Return the command that publishes the dataset in `folder`; the user fills in their own name."""
    given = [folder.name, f"USER/{name}"]
    given += ["--datasets", str(folder.parent)] if folder.parent != Path("datasets") else []
    return f"affectory push {shlex.join(given)}"
