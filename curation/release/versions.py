"""A dataset's folder and its versions: which exist, and the number of the next one.

datasets/<name>/recipe.toml, card.md      tracked, with exclude.txt (curation.recipe.exclude) if there is one
datasets/<name>/README.md, <version>/     what a build writes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from affectory.core import mirrors
from affectory.core.addresses import Place
from affectory.core.errors import ReleaseError
from curation.manifest import manifest
from curation.manifest.manifest import Manifest
from curation.manifest.released import built as built
from curation.manifest.released import find as find
from curation.manifest.released import parse as parse
from curation.manifest.released import to_push as to_push

#: The files of earlier versions that a new version's card is written from: which posts they hold.
POSTS = ("*/ids-*.parquet", "*/dropped-*.parquet")


@overload
def beside(folder: Path, suffix: str) -> Path: ...
@overload
def beside(folder: Place, suffix: str) -> Place: ...
def beside(folder: Place, suffix: str) -> Place:
    """Return the folder beside a dataset's with its name and a suffix; "." is resolved to its name."""
    named = folder.resolve() if isinstance(folder, Path) and not folder.name.strip(".") else folder
    return named.with_name(named.name + suffix)


def unnamed(version: Path) -> bool:
    """Return whether a version's folder is complete, but its dataset's card doesn't name it.

    The card is written after the folder is renamed, so the command was killed in between. A version that
    could not be sent to its address counts, too.
    """
    card = version.parent / "README.md"
    named = card.is_file() and f"- {version.name}/" in card.read_text(encoding="utf-8")
    return (version / "manifest.json").is_file() and (not named or mirrors.is_unsent(version))


def check_free(version: Path, *, unless: bool) -> None:
    """Raise `ReleaseError` if a version's folder exists, unless it may be written again."""
    if version.exists() and not unless:
        raise ReleaseError(f"{str(version)!r} exists already: remove it, or name another --out")


@dataclass(frozen=True, slots=True)
class Choice:
    """The version that a build makes, or that exists already."""

    version: str
    stands: bool = False  # built already, and complete
    repairs: bool = False  # built already, but files are missing: they are written again
    note: str = ""


def standing(folder: Path, asked: str | None, recipe_digest: str, input_digest: str) -> str | None:
    """Return the newest complete version of this recipe, input and format; with `asked` only that version.

    Raises `ReleaseError` if the version `asked` was built by another recipe or format.
    """
    there = _manifests(folder)
    if asked in there:
        _check_maker(folder.name, there[asked], recipe_digest)
    for version, described in there.items():
        wanted = asked in (None, version) and _identity(described) == _wanted(recipe_digest, input_digest)
        if wanted and not defect(folder / version, described):
            return version
    return None


def choose(folder: Path, asked: str | None, recipe_digest: str, input_digest: str) -> Choice:
    """Return the version to build.

    A complete version of this recipe, input and format is kept. One with missing files is built again under
    its number, but only by the tools that made it, because others may give other bytes. Otherwise, without
    `asked`, a changed recipe or format raises the middle number, a changed store the last one; the note says
    what changed in the format. Raises `ReleaseError` if the version `asked` was built from other input, or by
    other tools: the files of a version never change.
    """
    if version := standing(folder, asked, recipe_digest, input_digest):
        return Choice(version, stands=True)
    there = _manifests(folder)
    broken = {
        version: described
        for version, described in there.items()
        if _identity(described) == _wanted(recipe_digest, input_digest)
    }
    if asked is not None and asked in there:
        if asked not in broken:
            raise ReleaseError(_refusal(folder.name, asked, "the store's contents differ", _next(asked)))
        broken = {asked: broken[asked]}
    elif asked is not None:
        return Choice(asked, note=_news(asked, there))
    notes = []
    for version, described in broken.items():
        why = f"{version} is incomplete: {defect(folder / version, described)}"
        if described.tools == manifest.tools(described.recipe):
            return Choice(version, repairs=True, note=f"{why}; it was built again")
        notes.append(f"{why}; it was made with other versions of {_changed(described)}")
    if asked is not None:
        raise ReleaseError(
            f"{folder.name} {notes[0]}, so its bytes may differ: build it as --version {_next(asked)}, or "
            "leave --version out"
        )
    if not there:
        return Choice("1.0.0")
    newest, described = next(iter(there.items()))
    # recipe and format, without the input
    changed = _identity(described)[::2] != _wanted(recipe_digest, input_digest)[::2]
    number = _next(newest, middle=changed and not broken)
    return Choice(number, note=f"{notes[0]}, so this is {number}" if notes else _news(number, there))


def defect(folder: Path, described: Manifest) -> str:
    """Return which file of a full release is missing, or hasn't the size in the manifest; "" if none."""
    sizes = {"report.html": None, "croissant.json": None} | {f.path: f.bytes for f in described.files}
    for name, size in sizes.items():
        found = mirrors.size(folder / name)
        if found is None:
            return f"{name} is missing"
        if size is not None and found != size:
            return f"{name} has {found:,} bytes instead of {size:,}"
    return ""


def _manifests(folder: Path) -> dict[str, Manifest]:
    return {version: manifest.read(folder / version / "manifest.json") for version in built(folder)}


def _identity(described: Manifest) -> tuple[str, str, int]:
    return described.recipe_digest, described.input_digest, described.format


def _wanted(recipe_digest: str, input_digest: str) -> tuple[str, str, int]:
    return recipe_digest, input_digest, manifest.FORMAT


def _next(version: str, *, middle: bool = False) -> str:
    major, minor, patch = parse(version)
    return f"{major}.{minor + 1}.0" if middle else f"{major}.{minor}.{patch + 1}"


def _news(number: str, there: Mapping[str, Manifest]) -> str:
    """Return what changed in the format since the newest version, in one line; "" if nothing did."""
    if not there:
        return ""
    newest, described = next(iter(there.items()))
    changes = manifest.changes(described.format, manifest.FORMAT)
    if not changes:
        return ""
    formats = f"{number} has format {manifest.FORMAT}, {newest} has format {described.format}"
    return f"{formats}: {'; '.join(changes.values())}"


def _changed(described: Manifest) -> str:
    """Return the tools that have another version now than when a release was made."""
    now = manifest.tools(described.recipe)
    names = sorted(name for name in {*now, *described.tools} if now.get(name) != described.tools.get(name))
    return ", ".join(names)


def _check_maker(name: str, old: Manifest, recipe_digest: str) -> None:
    if old.recipe_digest != recipe_digest:
        raise ReleaseError(_refusal(name, old.version, "the recipe differs", _next(old.version, middle=True)))
    if old.format != manifest.FORMAT:
        differs = f"the format ({manifest.FORMAT}) differs"
        raise ReleaseError(_refusal(name, old.version, differs, _next(old.version, middle=True)))


def _refusal(name: str, asked: str, differs: str, ahead: str) -> str:
    return (
        f"{name} {asked} exists already, and {differs} from what it was built from: "
        f"build it as --version {ahead}, or leave --version out"
    )
