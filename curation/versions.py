"""A dataset's folder and its versions: which there are, and which number the next one gets.

datasets/<name>/recipe.toml, card.md      tracked
datasets/<name>/README.md, <version>/     what a build writes
"""

from __future__ import annotations

import re
from pathlib import Path

from affectory.core.errors import AffectoryError
from curation import manifest
from curation.manifest import Manifest

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class VersionError(AffectoryError):
    """A version that can't be built or read."""


def parse(text: str) -> tuple[int, int, int]:
    """Return the numbers of "1.2.3"; raise `VersionError` for anything else."""
    found = _VERSION.fullmatch(text)
    if found is None:
        raise VersionError(f"--version {text!r} is no version: write it as 1.0.0")
    return int(found[1]), int(found[2]), int(found[3])


def built(folder: Path) -> list[str]:
    """Return the versions of a dataset that are there whole, the newest first."""
    names = [p.parent.name for p in folder.glob("*/manifest.json") if _VERSION.fullmatch(p.parent.name)]
    return sorted(names, key=parse, reverse=True)


def find(folder: Path, version: str | None) -> Path:
    """Return the folder of a version, the newest by default; raise `VersionError` where it isn't built."""
    there = built(folder)
    if not there:
        raise VersionError(
            f"{folder.name!r} is not built in {str(folder.parent)!r}: affectory build {folder.name}"
        )
    if version is not None and version not in there:
        raise VersionError(f"{folder.name!r} has no version {version!r}; it has {', '.join(there)}")
    return folder / (version or there[0])


def beside(folder: Path, suffix: str) -> Path:
    """Return the folder beside a dataset's that has its name and a suffix; "." has a name where it stands."""
    named = folder if folder.name.strip(".") else folder.resolve()
    return named.with_name(named.name + suffix)


def choose(folder: Path, asked: str | None, recipe_digest: str, input_digest: str) -> tuple[str, bool]:
    """Return the version to build, and whether it stands already, of the same recipe and input.

    Unasked, a changed recipe raises the middle number and a changed store the last one. A version that
    stands and was built of something else is refused: it is a promise to whoever has loaded it.
    """
    there = {version: manifest.read(folder / version / "manifest.json") for version in built(folder)}
    same = [
        version
        for version, m in there.items()
        if (m.recipe_digest, m.input_digest) == (recipe_digest, input_digest)
    ]
    if asked is not None:
        parse(asked)
        if asked in there and asked not in same:
            raise VersionError(_refusal(folder.name, asked, there[asked], recipe_digest))
        return asked, asked in same
    if same:
        return same[0], True
    if not there:
        return "1.0.0", False
    newest, (major, minor, patch) = next(iter(there.values())), parse(next(iter(there)))
    if newest.recipe_digest != recipe_digest:
        return f"{major}.{minor + 1}.0", False
    return f"{major}.{minor}.{patch + 1}", False


def _refusal(name: str, asked: str, old: Manifest, recipe_digest: str) -> str:
    what = "recipe" if old.recipe_digest != recipe_digest else "store's contents"
    major, minor, patch = parse(asked)
    ahead = f"{major}.{minor + 1}.0" if what == "recipe" else f"{major}.{minor}.{patch + 1}"
    return (
        f"{name} {asked} stands already, and the {what} differ{'s' * (what == 'recipe')} from what it was "
        f"built of: build it as --version {ahead}, or leave --version out"
    )
