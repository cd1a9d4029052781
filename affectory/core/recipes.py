"""Find a dataset's recipe and card: the user's own, else the built-in ones.

    ./datasets/NAME/recipe.toml, card.md            the user's own, used first
    affectory/recipes/NAME/recipe.toml, card.md     built-in, in an installed wheel
    datasets/NAME/recipe.toml, card.md              built-in, in a checkout

What a recipe says is read elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from affectory.core.errors import InputError, meant
from affectory.core.files import writable, write

RECIPE, CARD = "recipe.toml", "card.md"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def built_in() -> Path:
    """Return the folder of the built-in recipes."""
    inside = Path(__file__).parents[1] / "recipes"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "datasets"


def names(datasets: Path) -> list[str]:
    """Return the names of the datasets that have a recipe in this folder, sorted."""
    return sorted(path.parent.name for path in datasets.glob(f"*/{RECIPE}"))


def find(name: str, datasets: Path) -> Path:
    """Return the folder with the dataset's recipe: `datasets/NAME` if it has one, else the built-in one's.

    Raises `InputError` if there is neither, and for a name that can't be a dataset's.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is not a dataset's name: use lower-case letters, digits and '-'")
    for folder in (datasets / name, built_in() / name):
        if (folder / RECIPE).exists():
            return folder
    hint = meant(name, sorted({*names(datasets), *names(built_in())}))
    if not hint.endswith("?"):
        hint += ": write one, or name its folder with --datasets"
    raise InputError(
        f"there is no recipe {str(datasets / name / RECIPE)!r}, nor a built-in one of that name; {hint}"
    )


def not_built(name: str, datasets: Path, built: Collection[str]) -> str:
    """Return the message on a dataset that isn't built: those that are, and the next step."""
    known = sorted({*names(datasets), *names(built_in())})
    step = f"affectory build {name}" if name in known else meant(name, sorted({*known, *built}))
    if step.startswith("it is one of"):  # most of those aren't built either
        step = f"there is no recipe of that name either; the recipes are {', '.join(known)}"
    return f"{name!r} is not built in {str(datasets)!r} (built: {', '.join(sorted(built)) or 'none'}): {step}"


def files(name: str) -> list[Path]:
    """Return the built-in recipe of this name and, if there is one, its card."""
    return [path for file in (RECIPE, CARD) if (path := built_in() / name / file).is_file()]


def changed(name: str, datasets: Path) -> list[Path]:
    """Return the files of `datasets/NAME` that differ from the built-in recipe and card."""
    pairs = [(path, datasets / name / path.name) for path in files(name)]
    return [own for path, own in pairs if own.exists() and not _same(path, own)]


def write_out(name: str, datasets: Path) -> list[Path]:
    """Write the built-in recipe and card to `datasets/NAME`; return the files that were written.

    Existing files are left as they are. Raises `AffectoryError` if one can't be written.
    """
    missing = [(path, datasets / name / path.name) for path in files(name)]
    missing = [(path, own) for path, own in missing if not own.exists()]
    for path, own in missing:
        with writable(own.parent, own.name):
            own.parent.mkdir(parents=True, exist_ok=True)
        write(own, path.read_bytes())
    return [own for _, own in missing]


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and other.read_bytes() == one.read_bytes()
