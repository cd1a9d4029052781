"""What of a release may be published, and the folder for it: all rows, or the ids alone.

The dropped posts, and the report that shows them, are never published: nothing says what licence they have.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from affectory.core import ids_releases
from affectory.core.generated import NOWHERE
from affectory.core.parquet_files import read_rows
from curation.manifest import manifest
from curation.recipe import exclude
from curation.release import card, versions

#: Licences under which copies may be passed on, some of them with conditions.
_FREE = re.compile(
    r"cc[ -]?(by|0)\b.*|creative commons .*|public domain.*|no known copyright restrictions"
    r"|united states government work",
    re.IGNORECASE,
)

#: How rows are counted whose source states no licence.
NONE_STATED = "none stated"


def allows_copies(licence: str | None) -> bool:
    """Return whether copies of a post of this licence may be passed on. Without a licence they may not."""
    return licence is not None and _FREE.fullmatch(licence.strip()) is not None


@dataclass(frozen=True, slots=True)
class Sharing:
    """What decides whether the rows of a version may be published.

    `licences` counts the rows by licence, `unfree` those whose licence allows no copies, `over_18` and
    `generated` those that are marked so. `empty`: the rows have no texts and no images.
    """

    rows: int
    licences: Mapping[str, int]
    unfree: int
    over_18: int
    generated: int
    empty: bool

    @property
    def may_be_copied(self) -> bool:
        """Whether the rows may be published with their texts and images."""
        return self.empty or not self.unfree


def look(version: Path) -> Sharing:
    """Read the licences and marks of the rows of the version in this folder."""
    described = manifest.read(version / "manifest.json")
    licences: Counter[str] = Counter()
    unfree = over_18 = generated = 0
    for file in described.tables(ids=True):
        rows = read_rows(version / file.path, columns=["licence", "permalink", "over_18"]).to_pylist()
        for row in rows:
            is_generated = (row["permalink"] or "").startswith(NOWHERE)
            licences["generated" if is_generated else row["licence"] or NONE_STATED] += 1
            unfree += not is_generated and not allows_copies(row["licence"])
            over_18 += row["over_18"] is True
            generated += is_generated
    shown = described.recipe.get("publish") or {}
    return Sharing(
        licences.total(),
        dict(sorted(licences.items(), key=lambda one: (-one[1], one[0]))),
        unfree,
        over_18,
        generated,
        empty=ids_releases.has_ids_only(version)
        or not (described.pictured or shown.get("text") is not False),
    )


def stage(version: Path, out: Path, *, ids_only: bool, adult: bool, there: Collection[str] = ()) -> list[str]:
    """Make the folder `out` of what is published of a version; return its files, as paths in it.

    They are links to the release's files, and the card. It describes the other versions, too, of which
    `there`, the files of a repository, has the rows. `adult`: the card says that posts are over 18.
    """
    folder = version.parent
    described = manifest.read(version / "manifest.json")
    tables = [file.path for file in described.tables(ids=True if ids_only else None)]
    own = [] if ids_only else ["croissant.json"]
    files = [f"{version.name}/{name}" for name in ("manifest.json", *tables, *own)]
    for path in [*files, *_others(folder, version.name, there)]:
        (out / path).parent.mkdir(exist_ok=True)
        (out / path).symlink_to((folder / path).absolute())
    if ids_only:
        exclude.carry(folder, out)
    card.write(out, folder / "card.md", adult=adult)
    beside = [path.name for path in sorted(out.iterdir()) if path.is_file()]
    return [*beside, *files]


def _others(folder: Path, version: str, there: Collection[str]) -> list[str]:
    """Return the files of other versions that this folder and a repository both have."""
    found: list[str] = []
    for other in versions.built(folder):
        if other == version or f"{other}/manifest.json" not in there:
            continue
        described = manifest.read(folder / other / "manifest.json")
        paths = [f"{other}/{name}" for name in ("manifest.json", *(one.path for one in described.tables()))]
        found += [path for path in paths if path in there and (folder / path).is_file()]
    return found
