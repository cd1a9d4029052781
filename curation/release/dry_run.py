"""What a build would make, which `--dry-run` prints. Rows are read, images are not; nothing is written."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affectory.core.errors import some
from affectory.core.numbers import count
from curation.recipe import exclude
from curation.recipe.recipe import load
from curation.release import versions
from curation.release.assemble import digested
from curation.rows import shards
from curation.rows.read import open_store, plan, unasked


@dataclass(frozen=True, slots=True)
class Planned:
    """A build that wasn't run. `posts` are those that it would read, `choice` the version it would make."""

    recipe: Path
    store: Path
    communities: Sequence[str]
    posts: int
    folder: Path
    choice: versions.Choice
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        there = self.folder / self.choice.version
        what = "is built already" if self.choice.stands else "would be built again" * self.choice.repairs
        lines = [
            f"recipe  {self.recipe}",
            f"store   {self.store}",
            f"reads   {count(self.posts, 'post')} of {some(self.communities, str)}",
            *(f"note    {note}" for note in self.notes),
            f"release {there}  ({what or 'new'})",
        ]
        return "\n".join([*lines, "dry run: no image was read, and nothing was written"])

    def as_json(self) -> dict[str, Any]:
        """Return the same as data."""
        return {
            "recipe": str(self.recipe),
            "store": str(self.store),
            "communities": list(self.communities),
            "posts": self.posts,
            "release": str(self.folder / self.choice.version),
            "version": self.choice.version,
            "already_built": self.choice.stands,
            "notes": list(self.notes),
        }


def planned(recipe_path: Path, *, store: Path | None, folder: Path, version: str | None) -> Planned:
    """Return what a build of this recipe would make in the dataset's folder. Raises `AffectoryError`.

    Images that turn out to be damaged are part of a release's input: the version is that of a build that
    finds none.
    """
    if version is not None:
        versions.parse(version)
    recipe = load(recipe_path)
    _ = recipe.duplicates.fingerprints  # a missing package is found before anything is read
    with (
        open_store(recipe, store, write=False) as source,
        tempfile.TemporaryDirectory() as place,
        shards.engine(1, source.folder, Path(place)) as engine,
    ):
        scratch = Path(place)
        pieces = plan(source, recipe, scratch, exclude.beside(recipe_path.parent, folder))
        choice = versions.choose(folder, version, recipe.digest(), digested(recipe, engine, pieces, scratch))
        notes = [*filter(None, [choice.note]), *unasked(source, recipe)]
    posts = sum(piece.posts for piece in pieces)
    return Planned(recipe_path, source.folder, recipe.communities, posts, folder, choice, notes)
