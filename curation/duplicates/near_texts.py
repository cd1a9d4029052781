"""Near-duplicate texts: equal once normalised, or one word apart.

**Normalised** means: NFKC and case folding; links, apostrophes, joiners and variation selectors are removed;
every other character that is not a letter, mark or digit (punctuation, emoji, symbols) becomes a space; words
are separated by single spaces. `"It's HERE!! 🎉 https://i.redd.it/x.jpg"` becomes `"its here"`. A text of
which nothing is left (only emoji, only a link) equals no text.

**The rule**: two texts are near-equal when their normalised forms are equal or when, each having at least
`min_words` words, one becomes the other by inserting, deleting or substituting one word. Words are separated
by spaces: in a script without spaces (Chinese, Thai) a sentence counts as one word, so that only
equal texts are found. Near-equal texts are linked, and linked texts are a group.

**Linear time**: texts are not compared in pairs. A text of n words has n signatures, each a 64-bit hash of
the text without one word. Two texts of n words differ in exactly one place if and only if they have the same
signature there. A text of n words is another one of n + 1 words without one of them if its hash is among the
other's signatures. The probability that two different texts have the same hash is 2^-64; among a million
titles, it is about two in a million that any two have.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.duplicates.components import ALONE, Forest, Labels
from curation.duplicates.detector import Detector

Hashes: TypeAlias = NDArray[np.uint64]

_LINK = re.compile(r"(?:https?://|\bwww\.)\S+")
_JOINED = {"'", "’", "ʼ", "＇", "\u00ad"}  # apostrophes and the soft hyphen: "don't" is "dont"
_STEP = np.uint64(0x9E3779B97F4A7C15)
#: How many signatures are sorted, and how many texts are hashed, at a time, to bound memory.
_AT_ONCE = 1 << 21
_TEXTS_AT_ONCE = 1 << 14


class _Kept(dict[int, int | None]):
    """What each character is replaced by: itself, a space, or nothing. Filled on first use of a character."""

    def __missing__(self, code: int) -> int | None:
        character = chr(code)
        category = unicodedata.category(character)
        kept: int | None = ord(" ")
        if character in _JOINED or category in ("Cf", "Me") or 0xFE00 <= code <= 0xFE0F or code >> 8 == 0xE01:
            kept = None
        elif category[0] in "LMN":
            kept = code
        self[code] = kept
        return kept


_KEPT = _Kept()


def normalise(text: str) -> str:
    """Return the words of a text, folded, without links, punctuation and emoji (see the module)."""
    while True:
        folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
        folded = folded.casefold()
        if "://" in folded or "www." in folded:
            folded = _LINK.sub(" ", folded)
        folded = " ".join(folded.translate(_KEPT).split())
        # What is left may fold further: U+1E9E is "ss", but U+0390 decomposes and composes again.
        if folded.isascii() or folded == text:
            return folded
        text = folded


def equal_groups(texts: Sequence[str]) -> Labels:
    """Label each text with the first row of the same normalised text, or `ALONE` where nothing is left."""
    first: dict[str, int] = {}
    labels = np.empty(len(texts), dtype=np.int64)
    for row, text in enumerate(texts):
        words = normalise(text)
        labels[row] = first.setdefault(words, row) if words else ALONE
    return labels


def near_text_groups(texts: Sequence[str], min_words: int = 6) -> Labels:
    """Label each text with the first row of its group of near-equal texts; `ALONE`: nothing is left."""
    if min_words < 1:
        raise ValueError(f"near-equal texts of at least {min_words!r} words: give 1 or more")
    labels, table = _read(texts, min_words)
    forest = Forest(len(texts))
    _link_one_apart(forest, table)
    return np.where(labels == ALONE, ALONE, forest.labels()[labels])


def _equal(rows: pa.Table, distance: int) -> Labels:
    return equal_groups(rows["text"].to_pylist())


def _near(rows: pa.Table, distance: int) -> Labels:
    return near_text_groups(rows["text"].to_pylist())


EQUAL = Detector(_equal, ("text",))
NEAR = Detector(_near, ("text",))


class _Words(NamedTuple):
    """The words of several texts, end to end, as hashes."""

    hashes: Hashes
    lengths: Labels
    rows: Labels  # of each text


def _read(texts: Sequence[str], min_words: int) -> tuple[Labels, _Words]:
    """Return the labels of equal texts, and the words of one of each that has enough of them."""
    first: dict[str, int] = {}
    labels = np.empty(len(texts), dtype=np.int64)
    hashes, waiting = [np.empty(0, dtype=np.uint64)], list[str]()
    lengths, rows = array("q"), array("q")
    for row, text in enumerate(texts):
        normal = normalise(text)
        labels[row] = seen = first.setdefault(normal, row) if normal else ALONE
        if seen == row and (words := normal.count(" ") + 1) >= min_words:
            waiting.append(normal)
            lengths.append(words)
            rows.append(row)
            if len(waiting) == _TEXTS_AT_ONCE:
                hashes.append(_hash_words(" ".join(waiting)))
                waiting.clear()
    if waiting:
        hashes.append(_hash_words(" ".join(waiting)))
    return labels, _Words(
        np.concatenate(hashes), np.array(lengths, dtype=np.int64), np.array(rows, dtype=np.int64)
    )


def _hash_words(text: str) -> Hashes:
    """Return a hash of each word: the sum of its bytes, each mixed with its place."""
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    spaces = np.flatnonzero(data == ord(" "))
    starts = np.concatenate(([0], spaces + 1))
    places = np.arange(len(data)) - np.repeat(starts, np.diff(starts, append=len(data)))
    mixed = _mix((places.astype(np.uint64) << np.uint64(8) | data) + _STEP)
    mixed[spaces] = 0
    return _mix(np.add.reduceat(mixed, starts))


def _link_one_apart(forest: Forest, words: _Words) -> None:
    """Link texts that are one word apart, a share of the signatures at a time."""
    whole, signatures, places = _sign(words)
    owners = np.repeat(words.rows.astype(np.int32), words.lengths)
    order = np.argsort(whole)
    whole, short = whole[order], words.rows[order]
    parts = 1 + len(signatures) // _AT_ONCE
    for part in range(parts):
        mine = np.flatnonzero(signatures % np.uint64(parts) == part)
        shares, holders = signatures[mine], owners[mine]
        forest.link_equal(holders, shares ^ _mix(places[mine].astype(np.uint64)))  # one word substituted
        order = np.argsort(shares)
        shares, holders = shares[order], holders[order]
        at = np.minimum(np.searchsorted(whole, shares), len(whole) - 1)
        found = np.flatnonzero(whole[at] == shares)  # one word inserted
        forest.link(short[at[found]], holders[found])


def _sign(words: _Words) -> tuple[Hashes, Hashes, NDArray[np.int32]]:
    """Return each text's hash, its hash without each of its words, and the places of these.

    A text's hash is the sum of its words' hashes, each mixed with its place. Without a word, those before it
    keep their places and those after it move up by one: two running sums give all of them at once.
    """
    ends = np.cumsum(words.lengths)
    starts = ends - words.lengths
    places = (np.arange(len(words.hashes)) - np.repeat(starts, words.lengths)).astype(np.int32)
    turn = places.astype(np.uint64) * _STEP
    staying = _running(_mix(words.hashes + turn + _STEP))
    whole = staying[ends] - staying[starts]
    signatures = staying[:-1] - np.repeat(staying[starts], words.lengths)
    del staying
    moving = _running(_mix(words.hashes + turn))
    signatures += np.repeat(moving[ends], words.lengths) - moving[1:]
    return whole, signatures, places


def _running(values: Hashes) -> Hashes:
    """Return the sums of the first 0, 1, 2… values, modulo 2^64."""
    sums = np.zeros(len(values) + 1, dtype=np.uint64)
    np.cumsum(values, out=sums[1:])
    return sums


def _mix(values: Hashes) -> Hashes:
    """Scatter 64-bit numbers, one to one (the finaliser of SplitMix64)."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return values ^ values >> np.uint64(31)
