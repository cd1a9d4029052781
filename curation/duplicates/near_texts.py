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
other's signatures. Texts are read as hashes alone (`hashed`), shard by shard. The probability that two
different texts have the same hash is 2^-64; among a million titles, it is a few in a million that any hash or
signature is another text's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation.duplicates.components import ALONE, Labels
from curation.duplicates.detector import Detector
from curation.measure.normalise import normalise

Hashes: TypeAlias = NDArray[np.uint64]
Numbers: TypeAlias = NDArray[np.int32]  # of texts

#: The columns that `hashed` returns.
HASHES = TEXT_HASH, WORD_HASHES = "text_hash", "word_hashes"

#: The fewest words of a text that is near to others.
MIN_WORDS = 6
#: The most different words, or none, that stand in one place of texts that are otherwise the same.
SERIES = 5

_STEP = np.uint64(0x9E3779B97F4A7C15)
_ONE = np.uint64(1)
#: How many signatures are sorted, and how many texts are hashed, at a time, to bound memory.
_AT_ONCE = 1 << 21
_TEXTS_AT_ONCE = 1 << 14


def hashed(texts: Sequence[str]) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Return each text's hash, and the hashes of its words: uint64[n], list<uint64>[n].

    They are of the normal form. Where nothing is left of a text its hash is null, and it has no words. The
    lowest bit of a word's hash says whether it has a digit.
    """
    wholes, words = [pa.array([], pa.uint64())], [pa.array([], pa.list_(pa.uint64()))]
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        normal = list(map(normalise, texts[start : start + _TEXTS_AT_ONCE]))
        lengths = np.array([text.count(" ") + 1 if text else 0 for text in normal], dtype=np.int64)
        hashes, numeric = _hash_words(" ".join(filter(None, normal)))
        ends = np.cumsum(lengths)
        sums = _running(_placed(hashes, lengths))
        wholes.append(pa.array(sums[ends] - sums[ends - lengths], mask=lengths == 0))
        offsets = np.concatenate([[0], ends]).astype(np.int32)
        words.append(pa.ListArray.from_arrays(offsets, hashes & ~_ONE | numeric))
    return pa.chunked_array(wholes), pa.chunked_array(words)


def equal_groups(texts: Sequence[str]) -> Labels:
    """Label each text with the first row of the same normal form, or `ALONE` where nothing is left."""
    return _equal_groups(hashed(texts)[0])


def near_text_groups(texts: Sequence[str], min_words: int = MIN_WORDS) -> Labels:
    """Label each text with the first row of its group of near-equal texts; `ALONE`: nothing is left."""
    if min_words < 1:
        raise ValueError(f"near-equal texts of at least {min_words!r} words: give 1 or more")
    return _near_groups(*hashed(texts), min_words)


def _equal_groups(wholes: pa.ChunkedArray) -> Labels:
    known = np.asarray(wholes.is_valid())
    _, first, inverse = np.unique(
        np.asarray(wholes.drop_null(), dtype=np.uint64), return_index=True, return_inverse=True
    )
    labels = np.full(len(known), ALONE, dtype=np.int64)
    labels[known] = np.flatnonzero(known)[first][inverse]
    return labels


def _near_groups(wholes: pa.ChunkedArray, words: pa.ChunkedArray, min_words: int) -> Labels:
    labels = _equal_groups(wholes)
    lengths = np.asarray(pc.list_value_length(words), dtype=np.int64)
    rows = np.flatnonzero((labels == np.arange(len(labels))) & (lengths >= min_words))
    taken = pa.array(rows)
    hashes = np.asarray(words.take(taken).combine_chunks().flatten(), dtype=np.uint64)
    pairs = _near_pairs(_sign(hashes, lengths[rows]))
    groups = np.arange(len(labels))
    groups[rows] = rows[_around_centres(np.asarray(wholes.take(taken)), *pairs)]
    return np.where(labels == ALONE, ALONE, groups[labels])


def _equal(rows: pa.Table, distance: int) -> Labels:
    return _equal_groups(rows[TEXT_HASH])


def _near(rows: pa.Table, distance: int) -> Labels:
    return _near_groups(rows[TEXT_HASH], rows[WORD_HASHES], MIN_WORDS)


EQUAL = Detector(_equal, (TEXT_HASH,))
NEAR = Detector(_near, (TEXT_HASH, WORD_HASHES))


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


def _placed(hashes: Hashes, lengths: Labels, moved: int = 0) -> Hashes:
    """Return the hashes of words, each mixed with its place in its text; `moved` places further on."""
    starts = np.cumsum(lengths) - lengths
    places = np.arange(len(hashes)) - np.repeat(starts, lengths) + moved
    return _mix(hashes + (places.astype(np.uint64) + _ONE) * _STEP)


class _Signed(NamedTuple):
    """The hash of each text, and for each of its words the text without it."""

    whole: Hashes
    signatures: Hashes
    places: NDArray[np.int32]  # of the word that is left out
    numeric: NDArray[np.bool_]  # whether it has a digit
    owners: Numbers  # the text


def _sign(hashes: Hashes, lengths: Labels) -> _Signed:
    """Return each text's hash, and its hash without each of its words, of the hashes of the words.

    A text's hash is the sum of its words' hashes, each mixed with its place. Without a word, those before it
    keep their places and those after it move up by one: two running sums give all of them at once.
    """
    ends = np.cumsum(lengths)
    starts = ends - lengths
    staying = _running(_placed(hashes, lengths))
    whole = staying[ends] - staying[starts]
    signatures = staying[:-1] - np.repeat(staying[starts], lengths)
    del staying
    moving = _running(_placed(hashes, lengths, moved=-1))
    signatures += np.repeat(moving[ends], lengths) - moving[1:]
    del moving
    places = (np.arange(len(hashes)) - np.repeat(starts, lengths)).astype(np.int32)
    owners = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    return _Signed(whole, signatures, places, (hashes & _ONE).astype(np.bool_), owners)


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


def _around_centres(wholes: Hashes, lefts: Numbers, rights: Numbers) -> Labels:
    """Return for each text the first text of its group, of the pairs of near-equal texts (see the module)."""
    number = len(wholes)
    low, high = np.minimum(lefts, rights).astype(np.int64), np.maximum(lefts, rights)
    low, high = np.divmod(np.unique(low * number + high), max(number, 1))  # a pair may have several slots
    linked, ends = np.unique(np.concatenate([low, high]), return_inverse=True)
    one, other = ends, np.roll(ends, len(low))
    degrees = np.bincount(one, minlength=len(linked))
    bounds = np.concatenate([[0], np.cumsum(degrees)]).tolist()
    near = other[np.argsort(one)].tolist()
    centre = [-1] * len(linked)
    for text in np.lexsort((wholes[linked], -degrees)).tolist():
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
