"""Write the parts of a release that may be passed on to a folder: card, manifest, ids and opt-out list.

    python -m curation.ids datasets/reddit-emotion

The folder has no texts, no images and no dropped posts. `affectory hydrate` rebuilds a full release from it.
"""

from __future__ import annotations

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from affectory.core import mirrors
from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.errors import ReleaseError
from affectory.core.numbers import count
from affectory.core.place_option import PlaceOption


@dataclass(frozen=True)
class Options:
    """Write a release's ids, which may be passed on, to a folder."""

    folder: Positional[Annotated[PlaceOption, arg(metavar="FOLDER")]]
    """The dataset's folder, datasets/NAME, or its address."""

    out: Annotated[PlaceOption | None, arg(metavar="DIR", help_behavior_hint="(default: FOLDER-ids)")] = None
    """The folder, or address, that gets card, manifest, ids and, if there is one, the opt-out list."""

    version: Annotated[str | None, arg(metavar="X.Y.Z", help_behavior_hint="(default: the newest)")] = None
    """The version whose ids are written."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m curation.ids") -> int:
    """Run the command with these arguments; return its exit code."""
    return finish(lambda: _ids(read_options(Options, arguments, prog, __doc__, has_json=False)))


def _ids(options: Options) -> object:
    from curation.release.versions import POSTS, beside  # pyarrow: not for --help

    out = options.out or beside(options.folder, "-ids")
    folder = mirrors.fetch(options.folder, *POSTS)
    with mirrors.written(out, *POSTS) as there:
        return write(folder, there, options.version)


def write(folder: Path, out: Path | None = None, version: str | None = None) -> str:
    """Write a version's ids to `out` (default: beside `folder`); return a summary.

    Raises `ReleaseError` if the version isn't built or is incomplete, or if `out` has it already.
    """
    from curation.manifest import manifest
    from curation.recipe import exclude
    from curation.release import card, held, versions  # pyarrow: not for --help
    from curation.release.workplace import workplace

    out = out or versions.beside(folder, "-ids")
    found = versions.find(folder, version)
    described = manifest.read(found / "manifest.json")
    files = described.tables(ids=True)
    missing = [file.path for file in files if not (found / file.path).is_file()]
    if missing:
        raise ReleaseError(
            f"{str(found / missing[0])!r} is missing, though the manifest lists it: build again"
        )
    names = ["manifest.json", *(file.path for file in files)]
    there = out / described.version
    again = versions.unnamed(there) and {path.name for path in there.iterdir()} == set(names)
    versions.check_free(there, unless=again)
    with workplace(out) as place:
        for path in names:
            shutil.copyfile(found / path, place / "release" / path)
        if again:
            there.rename(place / "unfinished")
        (place / "release").rename(there)
    listed = exclude.carry(folder, out)
    card.write(out, folder / "card.md")
    rows = sum(file.rows for file in files)
    lines = [
        f"{described.name} {described.version}: {count(rows, 'id')}, no text, no images",
        f"ids     {out}",
    ]
    if listed:
        lines.append(f"exclude {out / exclude.EXCLUDE} has {count(listed, 'id')}, which a rebuild leaves out")
    if still := held.opted_out_since(folder, described.version):
        lines.append(
            f"note    {still:,} of these posts opted out later: write the ids of a version without "
            f"them, which affectory purge {described.name} makes"
        )
    if not mirrors.is_copy(out):
        lines.append(f"publish {versions.to_push(out, described.name)}")
    if others := [name for name in versions.built(out) if name != described.version]:
        lines.append(
            f"note    other versions in this folder: {', '.join(others)}; remove those with deleted posts"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
