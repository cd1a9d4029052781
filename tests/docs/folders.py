"""The files that a reader has before a page's commands are typed."""

import random
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.conftest import SHARED

ROOT = Path(__file__).parents[2]


def checkout(folder: Path) -> None:
    """The source code, to be changed."""
    for package in ("affectory", "baselines", "collectors", "curation"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for recipe in (ROOT / "datasets").glob("*/recipe.toml"):
        (folder / "datasets" / recipe.parent.name).mkdir(parents=True)
        shutil.copy(recipe, folder / "datasets" / recipe.parent.name)


def two_classes(folder: Path) -> None:
    """Sixty pictures in a folder for each of two classes."""
    for name, colour in {"calm": (40, 90, 200), "merry": (240, 180, 40)}.items():
        for number in range(30):
            picture(folder / "pictures" / name / f"{number}.jpg", colour, number)


def shelf(folder: Path) -> None:
    """Forty photos in a table, a file of them missing, and a row twice."""
    moods = ["calm" if i % 2 else "merry" for i in range(40)]
    rows = [f"p{i},A {mood} day number {i},{mood}" for i, mood in enumerate(moods)]
    for i in range(39):
        picture(folder / "FOLDER" / "photos" / f"p{i}.jpg", (40 * (i % 2), 5 * i, 120), i)
    (folder / "FOLDER" / "photos.csv").write_text("\n".join(["photo,caption,mood", *rows, rows[3]]) + "\n")


def votes(folder: Path) -> None:
    """A vote table with two rows that are no photos."""
    good = "https://live.staticflickr.com/8383/8674318733_0f4c8d1f5d_z.jpg"
    (folder / "awe_1.csv").write_text(f"0,{good},1,4\n1,http://x.example/1.jpg,2,3\n2,3\n")


def picture(path: Path, colour: tuple[int, int, int], number: int) -> None:
    """Write a picture of ellipses on a coloured ground; each number gives others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draws = random.Random(f"{path.parent.name} {number}")
    image = Image.new("RGB", (160, 120), colour)
    for _ in range(12):
        x, y, wide, high = (draws.randrange(10, 120) for _ in range(4))
        shade = tuple(draws.randrange(256) for _ in range(3))
        box = (x - wide // 2, y - high // 2, x + wide // 2, y + high // 2)
        ImageDraw.Draw(image).ellipse(box, fill=shade)
    image.save(path)


def _linked(name: str, place: str = "FOLDER"):
    """Real files that aren't the repository's."""

    def link(folder: Path) -> None:
        if not (SHARED / name).exists():
            pytest.skip(f"no {name} on this machine")
        if (folder / place).is_symlink():
            (folder / place).unlink()
        elif (folder / place).exists():
            shutil.rmtree(folder / place)
        (folder / place).symlink_to(SHARED / name)

    return link


FOLDERS = {
    "checkout": checkout,
    "two-classes": two_classes,
    "shelf": shelf,
    "votes": votes,
    "met-meme": _linked("met_meme"),
    "mami": _linked("mami"),
    "index": _linked("reddit_emotion_index", "INDEX"),
}
