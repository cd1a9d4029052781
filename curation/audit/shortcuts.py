"""Shortcuts: words, marks of sites, image sizes, formats, hosts and years that tell the label.

A row has a value (the word `quickmeme`, the size 500 x 500) or lacks it; the mutual information of that with
the label is measured in bits. To know what chance gives, the labels are permuted `PERMUTATIONS` times. A
value is a shortcut if

- its mutual information is exceeded by the largest one of all values in at most `LEVEL` of the permutations,
  which corrects for their number (the maximum statistic of Westfall and Young 1993), and
- the odds of the class that it tells are at least `ODDS` times those in all rows: among many rows, the
  slightest difference is significant.

Rows that are copies of another row with the same label count once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from affectory.core.numbers import count, number
from curation.audit.finding import Finding
from curation.audit.rows import Array, Rows

PERMUTATIONS, LEVEL, ODDS = 199, 0.01, 1.75
#: The fewest rows that have, and that lack, a value which is tested; the most values that are.
LEAST, MOST = 10, 20_000

#: What families of values are called, in the order of the page.
FAMILIES = {
    "mark": "mark of a site",
    "host": "host",
    "year": "year",
    "size": "image size",
    "shape": "image shape",
    "format": "image format",
    "mode": "colour mode",
    "lacks": "missing part",
    "length": "length of the text",
    "word": "word",
}
_MANY = {
    "mark": "marks of sites",
    "length": "lengths of the text",
    "lacks": "missing parts",
}

#: The ends of names that make a word the name of a site: "quickmeme" in "quickmeme.com".
_SITE = re.compile(r"\b((?:[\w-]+\.)+(?:com|net|org|co|io|me|tv|us|uk|info|ly))\b", re.IGNORECASE)
#: Sites and agencies that write their names on images.
_MARKS = frozenset(
    """
    9gag alamy blogspot cheezburger demotivational depositphotos deviantart diylol dreamstime ebaumsworld
    facebook fakeposters flickr frabz generatememes getty gettyimages giphy hugelol icanhascheezburger ifunny
    imgflip imgur instagram istock istockphoto knowyourmeme makeameme mematic memebase memecandy memecenter
    memecreator memecrunch memedroid memeful memegen memegenerator pinterest quickmeme ragegenerator reddit
    shutterstock snapchat tiktok tumblr twitter weknowmemes whatsapp wordpress youtube zazzle zipmeme
    """.split()  # noqa: SIM905
)
#: The share of a word's rows in which it is part of an address, from which on it is a mark.
_MOSTLY = 0.3
#: Upper bounds of the lengths of texts, in words.
_LENGTHS = (0, 2, 5, 10, 20, 40, 80, 160)


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A value that tells the label: what it is in bits, by chance, and the class that it tells.

    `bits` is the mutual information; `chance` its 97.5% quantile under permutation of the labels, of this
    value alone; `p` is corrected for all values. `here` of `rows` rows with the value are of the class, which
    has a share of `base` in all rows.
    """

    family: str
    value: str
    bits: float
    chance: float
    p: float
    label: str
    here: int
    rows: int
    base: float


def find(rows: Rows, keep: Array) -> tuple[list[Shortcut], int]:
    """Return the shortcuts, the strongest first, and how many values were tested."""
    chosen = np.flatnonzero(keep & (rows.label >= 0))
    labels = rows.label[chosen]
    if len(np.unique(labels)) < 2:
        return [], 0
    values, owners, columns = _values(rows, chosen)
    if not values:
        return [], 0
    from scipy import sparse  # type: ignore[import-untyped]

    shape = (len(values), len(chosen))
    matrix = sparse.csr_array((np.ones(len(owners), np.float32), (columns, owners)), shape=shape)
    sums = np.bincount(columns, minlength=len(values)).astype(np.float64)
    base = np.bincount(labels, minlength=len(rows.classes)).astype(np.float64)
    counts = _by_class(matrix, [labels], len(base))[:, 0]
    bits = _information(counts, sums, base)
    highest, own = _by_chance(matrix, labels, sums, base)
    p = (1 + (highest[None, :] >= bits[:, None] - 1e-12).sum(axis=1)) / (1 + len(highest))
    found = []
    for at in np.flatnonzero(p <= LEVEL):
        label, odds = _told(counts[at], sums[at], base)
        if odds >= ODDS:
            here, of = int(counts[at, label]), int(sums[at])
            share = float(base[label] / base.sum())
            chance = float(np.quantile(own[at], 0.975))
            family, value = values[at]
            label_ = rows.classes[label]
            found.append(
                Shortcut(family, value, float(bits[at]), chance, float(p[at]), label_, here, of, share)
            )
    return sorted(found, key=lambda one: (-one.bits, one.family, one.value)), len(values)


def findings(found: Sequence[Shortcut], tested: int) -> Iterator[Finding]:
    """Yield one finding for each family of shortcuts."""
    for family, noun in FAMILIES.items():
        mine = [one for one in found if one.family == family]
        if not mine:
            continue
        many = count(len(mine), noun, _MANY.get(family))
        says = f"{many} {'tells' if len(mine) == 1 else 'tell'} the label: {in_words(mine[0])}."
        yield Finding(
            "shortcuts",
            family,
            says,
            len(mine),
            tested,
            head=("Value", "Tells", "Of class", "Rows", "Share", "In all rows", "Bits", "By chance", "p"),
            table=[
                (
                    one.value,
                    one.label,
                    one.here,
                    one.rows,
                    round(one.here / one.rows, 4),
                    round(one.base, 4),
                    round(one.bits, 5),
                    round(one.chance, 5),
                    round(one.p, 4),
                )
                for one in mine
            ],
        )


def in_words(one: Shortcut) -> str:
    """Return a shortcut in words: “quickmeme” (63 of 65 rows are happy)."""
    return f"“{one.value}” ({number(one.here)} of {count(one.rows, 'row')} are {one.label})"


def _by_chance(matrix: Any, labels: Array, sums: Array, base: Array) -> tuple[Array, Array]:
    """Return the largest mutual information of each permutation, and all of each value."""
    draw = np.random.default_rng(0)
    own: list[Array] = []
    at_once = max(1, 4_000_000 // max(1, len(labels) * len(base)))
    left = PERMUTATIONS
    while left:
        some = min(at_once, left)
        left -= some
        counts = _by_class(matrix, [draw.permutation(labels) for _ in range(some)], len(base))
        own += [_information(counts[:, at], sums, base).astype(np.float32) for at in range(some)]
    together = np.stack(own, axis=1)
    return together.max(axis=0).astype(np.float64), together


def _by_class(matrix: Any, labels: Sequence[Array], classes: int) -> Array:
    """Return the rows with each value by class, of some labellings (float[value, labelling, class])."""
    rows = len(labels[0])
    one_hot = np.zeros((rows, len(labels) * classes), dtype=np.float32)
    for at, one in enumerate(labels):
        one_hot[np.arange(rows), at * classes + one] = 1
    return np.asarray(matrix @ one_hot, dtype=np.float64).reshape(-1, len(labels), classes)


def _information(counts: Array, sums: Array, base: Array) -> Array:
    """Return the mutual information of each value with the label, in bits.

    `counts` are the rows with the value by class, `sums` those of all classes, `base` all rows by class.
    """
    total = base.sum()
    bits = np.zeros(len(counts))
    for part, of in ((counts, sums), (base - counts, total - sums)):
        expected = of[:, None] * base / total
        with np.errstate(divide="ignore", invalid="ignore"):
            bits += np.where(part > 0, part * np.log2(part / expected), 0).sum(axis=1)
    return np.asarray(bits / total)


def _told(counts: Array, rows: float, base: Array) -> tuple[int, float]:
    """Return the class that a value tells, and how many times its odds are those in all rows."""
    expected = rows * base / base.sum()
    label = int(np.argmax((counts - expected) / np.sqrt(np.maximum(expected, 1e-9))))
    here, all_rows = counts[label] + 0.5, base[label]
    return label, here / (rows + 1 - here) * (base.sum() - all_rows) / all_rows


def _values(rows: Rows, chosen: Array) -> tuple[list[tuple[str, str]], Array, Array]:
    """Return the values (family, value) that are tested, and which row has which, as two arrays of pairs."""
    codes: dict[tuple[str, str], int] = {}
    counts: list[int] = []
    owners: list[int] = []
    columns: list[int] = []
    for family, values in _families(rows, chosen):
        for owner, mine in enumerate(values):
            for value in mine:
                code = codes.setdefault((family, value), len(codes))
                if code == len(counts):
                    counts.append(0)
                counts[code] += 1
                owners.append(owner)
                columns.append(code)
    number_, tested = np.array(counts, dtype=np.int64), np.array(columns, dtype=np.int64)
    fit = np.flatnonzero((number_ >= LEAST) & (number_ <= len(chosen) - LEAST))
    fit = np.sort(fit[np.lexsort((fit, -number_[fit]))[:MOST]])
    place = np.full(len(codes), -1, dtype=np.int64)
    place[fit] = np.arange(len(fit))
    held = place[tested] >= 0 if len(tested) else np.zeros(0, dtype=bool)
    names = list(codes)
    return (
        [names[at] for at in fit.tolist()],
        np.array(owners, dtype=np.int64)[held],
        place[tested[held]] if len(tested) else tested,
    )


def _families(rows: Rows, chosen: Array) -> Iterator[tuple[str, Iterator[Sequence[str]]]]:
    """Yield families of values, each with the values of every chosen row."""
    places = chosen.tolist()
    for name, column in rows.facets.items():
        yield name, ([column[row]] if column[row] else [] for row in places)
    if rows.pictures is not None:
        pictures = rows.pictures
        width, height = pictures.width[chosen].tolist(), pictures.height[chosen].tolist()
        sizes = list(zip(width, height, strict=True))
        yield "size", ([f"{w} x {h}"] if w else [] for w, h in sizes)
        yield "shape", ([_shape(w / h)] if h else [] for w, h in sizes)
        yield "format", ([pictures.format[row]] if pictures.format[row] else [] for row in places)
        yield "mode", ([pictures.mode[row]] if pictures.mode[row] else [] for row in places)
        yield "lacks", ([] if pictures.there[row] else ["no image"] for row in places)
    if rows.texts is not None:
        yield "lacks", ([] if rows.normal[row] else ["no text"] for row in places)
        yield "length", ([_length(rows.normal[row])] for row in places)
        marks = _marks([rows.texts[row] for row in places], [rows.normal[row] for row in places])
        words = [_words(rows.normal[row]) for row in places]
        yield "mark", ([one for one in mine if one in marks] for mine in words)
        yield "word", ([one for one in mine if one not in marks] for mine in words)


def _words(normal: str) -> list[str]:
    return sorted({word for word in normal.split(" ") if 1 < len(word) < 40 or (word and word > "\u2e80")})


def _marks(texts: Sequence[str], normal: Sequence[str]) -> set[str]:
    """Return the words that are names of sites, or mostly parts of addresses."""
    in_address: Counter[str] = Counter()
    for text in texts:
        if "." in text:
            named = {part for found in _SITE.findall(text) for part in found.lower().split(".")}
            in_address.update(named)
    there: Counter[str] = Counter()
    for text in normal:
        there.update(in_address.keys() & set(text.split(" ")))
    mostly = {word for word, n in in_address.items() if n >= 2 and n >= _MOSTLY * there[word]}
    return mostly | _MARKS


def _shape(ratio: float) -> str:
    """Return the shape of an image in words."""
    if 0.97 <= ratio <= 1.03:
        return "square"
    return (
        "wide (over 2:1)"
        if ratio > 2
        else "landscape"
        if ratio > 1
        else "tall (over 1:2)"
        if ratio < 0.5
        else "portrait"
    )


def _length(normal: str) -> str:
    """Return the length of a text as a range of words."""
    words = normal.count(" ") + 1 if normal else 0
    lowest = 0
    for bound in _LENGTHS:
        if words <= bound:
            return f"{lowest} to {bound} words" if bound else "0 words"
        lowest = bound + 1
    return f"over {_LENGTHS[-1]} words"
