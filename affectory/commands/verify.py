"""Check a crawl store or a release: every digest and every count.

    affectory verify data/reddit
    affectory verify datasets/reddit-emotion              all versions and the card
    affectory verify datasets/reddit-emotion/1.0.0
    affectory verify s3://BUCKET/datasets/reddit-emotion  its files are fetched
    affectory verify data/reddit --repair

Of a store: the database, each image's file, size and sha256, and files that no post has. `--repair` makes
images pending whose file is missing or damaged, so that the next crawl asks for them again, and removes files
that no post has. Of a release: each file's sha256 and rows, the images' sha256, the counts of the manifest
and its ledger, and the card's list of files.

Exit code: 0 if all is right or was repaired, 1 if not.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from affectory.core import mirrors
from affectory.core.addresses import Place
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import InputError
from affectory.core.numbers import count
from affectory.core.output import Outcome
from affectory.core.place_option import PlaceOption

if TYPE_CHECKING:
    from collectors.store.check import StoreCheck
    from curation.release.check import ReleaseCheck

#: Faults of a kind that are listed one by one.
SHOWN = 5


@dataclass(frozen=True)
class Options:
    """Check a crawl store or a release: every digest and every count. Exit code 1 if anything is wrong."""

    path: Positional[Annotated[PlaceOption, arg(metavar="STORE|RELEASE")]]
    """A crawl store (data/reddit), a dataset (datasets/NAME) or one of its versions (datasets/NAME/1.0.0); of
    the latter two also the address (s3://…)."""

    repair: FlagCreatePairsOff[bool] = False
    """Of a store: make missing and damaged images pending, so that the next crawl asks for them again, and
    remove files that no post has. Of a release the command that builds it again is printed anyway."""


def main(arguments: list[str] | None = None, *, prog: str = "affectory verify") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    return finish(lambda: _verify(read_options(Options, arguments, prog, __doc__)))


def _verify(options: Options) -> Outcome:
    path = _folder(options.path)
    if (path / "crawl.sqlite").is_file():
        return _store(path, repair=options.repair)
    versions = [path] if (path / "manifest.json").is_file() else _versions(path)
    if versions:
        return _release(path, versions)
    from curation.manifest.released import meant_by_name

    raise InputError(
        meant_by_name(path)
        or f"{str(path)!r} is neither a crawl store nor a release: name a folder that holds crawl.sqlite, "
        "manifest.json or versions with one"
    )


def _folder(path: Place) -> Path:
    """Return the folder to check; of an address a copy that is fetched anew."""
    if isinstance(path, Path):
        return path if path.name.strip(".") else path.resolve()
    if re.fullmatch(r"\d+\.\d+\.\d+", path.name):
        return mirrors.fetch(path.parent, f"{path.name}/*", fresh=True) / path.name
    return mirrors.fetch(path, "*/*", fresh=True)


def _versions(folder: Path) -> list[Path]:
    from curation.release import versions

    return [folder / version for version in versions.built(folder)]


def _store(folder: Path, *, repair: bool) -> Outcome:
    from collectors.store.check import TO_FETCH, TO_REMOVE, check

    found = check(folder)
    holds = f"{count(found.posts, 'post')}, {count(found.images, 'image')}, {found.bytes / 1e6:,.1f} MB"
    lines = list(_told(f"store {folder}: {holds}", found.faults))
    if found.is_used:
        lines.append("note    a run is working on the store: files that no post has were not looked for")
    kinds = {kind for kind, _ in found.faults}
    mendable = kinds & {*TO_FETCH, *TO_REMOVE}
    then = []
    if mendable and not repair:
        then.append(f"affectory verify {shlex.quote(str(folder))} --repair")
    elif mendable:
        lines.append(_repair(folder, found))
        if kinds & {*TO_FETCH}:
            then.append(found.last_command or "collect into the store again")
    then += [_STORE_STEPS[kind].format(folder=shlex.quote(str(folder))) for kind in sorted(kinds - mendable)]
    data = {
        "store": str(folder),
        **{"posts": found.posts, "images": found.images, "bytes": found.bytes},
        "is_used": found.is_used,
        "repaired": bool(repair and mendable),
        "faults": _listed(found.faults),
        "next": then,
    }
    lines += [f"next    {step}" for step in then]
    return Outcome("\n".join(lines), data, int(bool(kinds - mendable if repair else kinds)))


#: What to do about faults of a store that a repair can't mend.
_STORE_STEPS = {
    "damaged_database": "restore {folder}/crawl.sqlite from a copy, or collect into another --store",
    "author_key": "restore {folder}/author.key from a copy",
    "media_of_no_post": "restore {folder}/crawl.sqlite from a copy, or collect into another --store",
    "removed_with_content": "collect these posts again: a post that is still removed is emptied",
    "damaged_value": "restore {folder}/crawl.sqlite from a copy, or collect into another --store",
}


def _repair(folder: Path, found: StoreCheck) -> str:
    from collectors.store import Store
    from collectors.store.check import TO_FETCH

    if found.is_used:
        raise InputError(f"a run is working on the store {str(folder)!r}: repair it when the run has ended")
    lost = sorted({Path(what).stem for kind, what in found.faults if kind in TO_FETCH})
    files = [what for kind, what in found.faults if kind == "file_without_row"]
    with Store.open(folder) as store:  # deletes the orphans
        pending, removed = store.repair(lost, files)
    images, gone = count(pending, "image is", "images are"), count(removed, "file was", "files were")
    return f"repair  {images} pending, {gone} removed"


def _release(path: Path, versions: Sequence[Path]) -> Outcome:
    from curation.release.check import card_faults, check

    checks = [check(version) for version in versions]
    lines: list[str] = []
    for found in checks:
        holds = f"{count(found.files, 'file')}, {count(found.rows, 'row')}, {count(found.images, 'image')}"
        lines += _told(f"release {found.name} {found.version}: {holds}", found.faults)
    folder = versions[0].parent
    card = list(card_faults(folder)) if versions[0] != path or (folder / "README.md").exists() else []
    if card:
        lines += _told(f"card {folder / 'README.md'}", card)
    pairs = zip(checks, versions, strict=True)
    then = [_again(found, version) for found, version in pairs if found.faults]
    if card and not then:
        then.append(f"{_command('build', checks[0], folder)} writes the card again")
    data = {
        "releases": [
            {
                **{"name": one.name, "version": one.version, "files": one.files, "rows": one.rows},
                **{"images": one.images, "ids_only": one.ids_only, "faults": _listed(one.faults)},
            }
            for one in checks
        ],
        "card": _listed(card),
        "next": then,
    }
    return Outcome("\n".join([*lines, *(f"next    {step}" for step in then)]), data, int(bool(then)))


def _again(found: ReleaseCheck, version: Path) -> str:
    """Return the command that makes a version right."""
    kinds = {kind for kind, _ in found.faults}
    if kinds == {"unlisted_file"}:
        return "remove the unlisted files, or move them elsewhere"
    if found.ids_only:
        return "get the ids again from where they came: they can't be rebuilt from themselves"
    if found.made_by == "purge":
        return _remove(version) + _command("purge", found, version.parent)
    if found.made_by == "hydrate":
        return f"{_remove(version)}affectory hydrate IDS_FOLDER --out {shlex.quote(str(version.parent))}"
    build = f"{_command('build', found, version.parent)} --version {found.version}"
    if kinds & {"damaged_manifest", "ledger", "wrong_count", "wrong_rows", "ids_differ"}:
        return _remove(version) + build
    return _remove(*found.damaged) + build if found.damaged else build


def _remove(*paths: Path) -> str:
    """Return the first half of a next step. At an address, files are removed with its own tools."""
    named = " ".join(shlex.quote(str(path)) for path in paths)
    if mirrors.is_copy(paths[0]):
        return f"remove {named}, then "
    return f"rm {'-r ' * paths[0].is_dir()}{named} && "


def _command(name: str, found: ReleaseCheck, folder: Path) -> str:
    """Return a command for the dataset in `folder`; the user fills in a store that isn't the recipe's."""
    where = "" if folder.parent == Path("datasets") else f" --datasets {shlex.quote(str(folder.parent))}"
    known = not found.store or (Path(found.store) / "crawl.sqlite").is_file()
    return f"affectory {name} {shlex.quote(found.name)}{where}{'' if known else ' --store STORE'}"


def _listed(faults: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"kind": kind, "what": what} for kind, what in faults]


def _told(title: str, faults: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield what was checked, and the number of faults of each kind with the first ones."""
    yield title + ("" if faults else ": all right")
    for kind, number in Counter(kind for kind, _ in faults).items():
        first = [what for one, what in faults if one == kind][:SHOWN]
        yield f"  {kind.replace('_', ' ')} {number:,}"
        yield from (f"    {what}" for what in first)
        if number > SHOWN:
            yield f"    and {number - SHOWN:,} more"
