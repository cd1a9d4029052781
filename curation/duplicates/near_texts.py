"""Near-duplicate texts: equal in their normal form, or one word apart.

**The rule**: two texts are near-equal when their normal forms (`curation.measure.normalise`) are equal, or
when, each having at least `min_words` words, one becomes the other by inserting, deleting or substituting one
word, unless that word is the varying one of a **series**:

- both words have a digit ("Day 1 of drawing a frog", "Day 2 of drawing a frog"), or
- among all texts, more than `SERIES` different words, or none, stand in that place ("they told me I could be
  anything so I became a frog", "… a tank", "… a sheep" and so on).

A text of which nothing is left equals no text. Words are separated by spaces: in a script without spaces
(Chinese, Thai) a sentence counts as one word, so that only equal texts are found.

**Groups have a centre**, to which every member is near-equal: a chain of texts, each near the next, is not
one group. In the order of their numbers of near-equal texts, the largest first, the texts that are in no
group yet become centres, and take in their near-equal texts that are in no group yet. Of texts with equally
many, the one with the lower hash is first. So groups depend on the texts alone, not on their order, and two
near-equal texts may be in different groups.

**Linear time**: texts are not compared in pairs. A text of n words has n signatures, each a 64-bit hash of
the text without one word. Two texts of n words differ in exactly one place if and only if they have the same
signature there. A text of n words is another one of n + 1 words without one of them if its hash is among the
other's signatures. The probability that two different texts have the same hash is 2^-64; among a million
titles, it is about two in a million that any two have.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.duplicates.components import ALONE, Labels
from curation.duplicates.detector import Detector
from curation.measure.normalise import normalise

Hashes: TypeAlias = NDArray[np.uint64]
Numbers: TypeAlias = NDArray[np.int32]  # of texts

#: The most different words, or none, that stand in one place of texts that are otherwise the same.
SERIES = 5

_STEP = np.uint64(0x9E3779B97F4A7C15)
#: How many signatures are sorted, and how many texts are hashed, at a time, to bound memory.
_AT_ONCE = 1 << 21
_TEXTS_AT_ONCE = 1 << 14


def equal_groups(texts: Sequence[str]) -> Labels:
    """Label each text with the first row of the same normal form, or `ALONE` where nothing is left."""
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
    labels, words = _read(texts, min_words)
    signed = _sign(words)
    groups = np.arange(len(texts))
    groups[words.rows] = words.rows[_around_centres(signed, *_near_pairs(signed))]
    return np.where(labels == ALONE, ALONE, groups[labels])


def _equal(rows: pa.Table, distance: int) -> Labels:
    return equal_groups(rows["text"].to_pylist())


def _near(rows: pa.Table, distance: int) -> Labels:
    return near_text_groups(rows["text"].to_pylist())


EQUAL = Detector(_equal, ("text",))
NEAR = Detector(_near, ("text",))


class _Words(NamedTuple):
    """The words of several texts, end to end, as hashes."""

    hashes: Hashes
    numeric: NDArray[np.bool_]  # whether a word has a digit
    lengths: Labels
    rows: Labels  # of each text, ascending


def _read(texts: Sequence[str], min_words: int) -> tuple[Labels, _Words]:
    """Return the labels of equal texts, and the words of one of each that has enough of them."""
    first: dict[str, int] = {}
    labels = np.empty(len(texts), dtype=np.int64)
    hashed, waiting = [_hash_words("")], list[str]()
    lengths, rows = array("q"), array("q")
    for row, text in enumerate(texts):
        normal = normalise(text)
        labels[row] = seen = first.setdefault(normal, row) if normal else ALONE
        if seen == row and (words := normal.count(" ") + 1) >= min_words:
            waiting.append(normal)
            lengths.append(words)
            rows.append(row)
            if len(waiting) == _TEXTS_AT_ONCE:
                hashed.append(_hash_words(" ".join(waiting)))
                waiting.clear()
    hashed.append(_hash_words(" ".join(waiting)))
    hashes, numeric = (np.concatenate(parts) for parts in zip(*hashed, strict=True))
    return labels, _Words(hashes, numeric, np.array(lengths, dtype=np.int64), np.array(rows, dtype=np.int64))


def _hash_words(text: str) -> tuple[Hashes, NDArray[np.bool_]]:
    """Return a hash of each word, the sum of its bytes, each mixed with its place; and if it has a digit."""
    if not text:
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.bool_)
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    spaces = np.flatnonzero(data == ord(" "))
    starts = np.concatenate(([0], spaces + 1))
    places = np.arange(len(data)) - np.repeat(starts, np.diff(starts, append=len(data)))
    mixed = _mix((places.astype(np.uint64) << np.uint64(8) | data) + _STEP)
    mixed[spaces] = 0
    is_digit = (data >= ord("0")) & (data <= ord("9"))
    return _mix(np.add.reduceat(mixed, starts)), np.logical_or.reduceat(is_digit, starts)


class _Signed(NamedTuple):
    """The hash of each text, and for each of its words the text without it."""

    whole: Hashes
    signatures: Hashes
    places: NDArray[np.int32]  # of the word that is left out
    numeric: NDArray[np.bool_]  # whether it has a digit
    owners: Numbers  # the text


def _sign(words: _Words) -> _Signed:
    """Return each text's hash, and its hash without each of its words.

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
    owners = np.repeat(np.arange(len(words.rows), dtype=np.int32), words.lengths)
    return _Signed(whole, signatures, places, words.numeric, owners)


def _near_pairs(signed: _Signed) -> tuple[Numbers, Numbers]:
    """Return the pairs of different texts that are near-equal, a share of the signatures at a time."""
    order = np.argsort(signed.whole).astype(np.int32)
    whole = signed.whole[order]
    lefts, rights = [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.int32)]
    parts = 1 + len(signed.signatures) // _AT_ONCE
    for part in range(parts):
        mine = np.flatnonzero(signed.signatures % np.uint64(parts) == part)
        mine = mine[np.argsort(signed.signatures[mine])]
        keys = signed.signatures[mine]
        at = np.minimum(np.searchsorted(whole, keys), len(whole) - 1)
        inserted = whole[at] == keys
        again = keys[1:] == keys[:-1]
        shared = inserted.copy()
        shared[1:] |= again
        shared[:-1] |= again
        mine, at, inserted = mine[shared], at[shared], inserted[shared]
        # A slot is the place of the word that its texts, otherwise the same, differ in.
        slots = signed.signatures[mine] ^ _mix(signed.places[mine].astype(np.uint64))
        by_slot = np.argsort(slots)
        mine, at, inserted, slots = mine[by_slot], at[by_slot], inserted[by_slot], slots[by_slot]
        _, slot, sizes = np.unique(slots, return_inverse=True, return_counts=True)
        few = sizes[slot] + inserted <= SERIES
        mine, at, inserted, slot = mine[few], at[few], inserted[few], slot[few]
        owners, numeric = signed.owners[mine], signed.numeric[mine]
        lefts.append(order[at[inserted]])
        rights.append(owners[inserted])
        for apart in range(1, SERIES):  # one word substituted
            pairs = (slot[apart:] == slot[:-apart]) & ~(numeric[apart:] & numeric[:-apart])
            lefts.append(owners[:-apart][pairs])
            rights.append(owners[apart:][pairs])
    return np.concatenate(lefts), np.concatenate(rights)


def _around_centres(signed: _Signed, lefts: Numbers, rights: Numbers) -> Labels:
    """Return for each text the first text of its group, of the pairs of near-equal texts (see the module)."""
    number = len(signed.whole)
    low, high = np.minimum(lefts, rights).astype(np.int64), np.maximum(lefts, rights)
    low, high = np.divmod(np.unique(low * number + high), max(number, 1))  # a pair may have several slots
    linked, ends = np.unique(np.concatenate([low, high]), return_inverse=True)
    one, other = ends, np.roll(ends, len(low))
    degrees = np.bincount(one, minlength=len(linked))
    bounds = np.concatenate([[0], np.cumsum(degrees)]).tolist()
    near = other[np.argsort(one)].tolist()
    centre = [-1] * len(linked)
    for text in np.lexsort((signed.whole[linked], -degrees)).tolist():
        if centre[text] < 0:
            centre[text] = text
            for neighbour in near[bounds[text] : bounds[text + 1]]:
                if centre[neighbour] < 0:
                    centre[neighbour] = text
    first = np.full(len(linked), number)
    np.minimum.at(first, centre, linked)
    groups = np.arange(number)
    groups[linked] = first[centre]
    return groups


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
