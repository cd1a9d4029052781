"""Word error rate of the text that is read in images, against MET-Meme's own texts, and images/s.

    uv run python -m benchmarks.ocr --memes FOLDER [--images 300]

`FOLDER` is MET-Meme (English): `E_text.csv` and `images/`. The images are drawn at random of those with text.
Before comparing, both texts are normalised: NFKC, lower case, apostrophes removed, any other character that
is no letter or digit becomes a space. Errors are inserted, deleted and replaced words (Levenshtein's
distance), of all texts together, divided by the words of MET-Meme's texts; of characters the same without any
spaces, which RapidOCR often leaves out. Words found are those of MET-Meme's texts that are read somewhere, in
any order. Seconds are those of one process with one thread, with decoding, without the start of the engine.
"""

from __future__ import annotations

import csv
import hashlib
import random
import time
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import tyro
from PIL import Image

from benchmarks._measure import machine, show
from curation.measure.ocr import Line, Ocr, read_lines
from curation.rows.pixels import RefusedImage, decoded

MEMES = Path(__file__).parents[2] / "shared" / "data" / "met_meme"
CONFIDENCES = [0.0, 0.5, 0.7, 0.8, 0.9]


def main(memes: Path = MEMES, images: int = 300, worst: int = 0) -> None:
    """Print the table.

    Args:
        memes: The folder of MET-Meme.
        images: The number of images.
        worst: Print so many of the texts with the most errors.
    """
    print(machine())
    if not (memes / "E_text.csv").is_file():
        print(f"{memes} has no E_text.csv: nothing to compare")
        return
    read_lines(Image.new("RGB", (64, 64), "white"))
    given: list[str] = []
    found: list[list[Line]] = []
    wall, cpu = time.monotonic(), time.process_time()
    for path, text in drawn(memes, images):
        try:
            picture = decoded(path, hashlib.sha256(path.read_bytes()).hexdigest()).rgb
        except RefusedImage:
            continue
        given.append(text)
        found.append(read_lines(picture))
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    rows = []
    for least in CONFIDENCES:
        texts = [Ocr(min_confidence=least).text(lines)[0] for lines in found]
        default = " (default)" * (least == Ocr().min_confidence)
        rows.append((f"{least:g}{default}", *(f"{100 * one:.1f}%" for one in rates(given, texts))))
    columns = ["min_confidence", "word error rate", "character error rate", "words found"]
    show("Texts in memes", columns, rows, f"{len(given)} memes of MET-Meme")
    print(f"{len(given) / cpu:.2f} images/s of processor time, {len(given) / wall:.2f} on the clock")
    if worst:
        pairs = [(normalised(a), normalised(Ocr().text(b)[0])) for a, b in zip(given, found, strict=True)]
        for a, b in sorted(pairs, key=lambda pair: -distance(*pair) / max(1, len(pair[0])))[:worst]:
            print(f"  given {' '.join(a)}\n  read  {' '.join(b)}")


def drawn(memes: Path, number: int) -> list[tuple[Path, str]]:
    """Return images at random of those that have a text, each with it."""
    with (memes / "E_text.csv").open(newline="", encoding="gb18030") as file:
        rows = [(memes / "images" / row["file_name"], row["text"]) for row in csv.DictReader(file)]
    rows = [(path, text) for path, text in sorted(rows) if normalised(text) and path.is_file()]
    return random.Random(0).sample(rows, min(number, len(rows)))


def normalised(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("\u2019", "")
    return "".join(letter if letter.isalnum() else " " for letter in plain).split()


def rates(given: Sequence[str], found: Sequence[str]) -> tuple[float, float, float]:
    """Return the word error rate, the character error rate without spaces, and the share of words found."""
    words = [(normalised(a), normalised(b)) for a, b in zip(given, found, strict=True)]
    total = sum(len(a) for a, _ in words)
    letters = [("".join(a), "".join(b)) for a, b in words]
    hits = sum((Counter(a) & Counter(b)).total() for a, b in words)
    return (
        sum(distance(a, b) for a, b in words) / total,
        sum(distance(a, b) for a, b in letters) / sum(len(a) for a, _ in letters),
        hits / total,
    )


def distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the least number of insertions, deletions and replacements that make one the other."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


if __name__ == "__main__":
    tyro.cli(main)
