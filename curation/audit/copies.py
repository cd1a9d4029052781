"""Which rows are copies of each other, by ever weaker evidence: image and text, the image, the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.audit.rows import Array, Pictures, Rows
from curation.duplicates import dhash
from curation.duplicates.components import ALONE, Labels, merge
from curation.duplicates.detector import Asked
from curation.duplicates.near_texts import equal_groups, near_text_groups

#: Texts of fewer words are no copies: they are equal by chance ("nice", "so true").
LEAST_WORDS = 3


@dataclass(frozen=True, slots=True)
class Copies:
    """Rows with the same label are copies of each other; a row with `ALONE` is nobody's.

    `noun` names what they have: "the same image".
    """

    name: str
    noun: str
    labels: Labels


def find(rows: Rows) -> list[Copies]:
    """Return the copies by each kind of evidence, the strongest first."""
    images, texts = list(_of_images(rows.pictures)), list(_of_texts(rows))
    return [*_of_both(images, texts), *images, *texts]


def _of_both(images: Sequence[Copies], texts: Sequence[Copies]) -> Iterator[Copies]:
    """Yield the rows whose images and whose texts are near-equal: a meme's template under one text."""
    if not images or not texts:
        return
    image, text = (_together([one.labels for one in kind]) for kind in (images, texts))
    both = (image >= 0) & (text >= 0)
    labels = np.full(len(both), ALONE, dtype=np.int64)
    pairs = np.stack([image[both], text[both]])
    labels[both] = np.unique(pairs, axis=1, return_inverse=True)[1].reshape(-1)
    yield Copies("same_post", "the same image and text, or nearly,", labels)


def _together(labelings: Sequence[Labels]) -> Labels:
    """Return the groups of rows that any of the labellings links; `ALONE` where all of them say so."""
    alone = np.all([labels == ALONE for labels in labelings], axis=0)
    return np.where(alone, ALONE, merge(*labelings))


def _of_images(pictures: Pictures | None) -> Iterator[Copies]:
    if pictures is None or not pictures.there.any():
        return
    yield Copies("same_image", "the same image", _equal(pictures.digest))
    table = pa.table(
        {
            "image_hash": pa.array(pictures.hash, mask=~pictures.decoded),
            "fingerprint_dhash": pa.array(pictures.prints, pa.binary()),
        }
    )
    views = any(one is not None for one in pictures.prints)
    options = dhash.Dhash(use="dhash", views=views)
    yield Copies("near_image", "a near-equal image", dhash.DETECTOR.groups(table, Asked(options)))


def _of_texts(rows: Rows) -> Iterator[Copies]:
    if rows.texts is None:
        return
    told = [text if normal.count(" ") >= LEAST_WORDS - 1 else "" for text, normal in _pairs(rows)]
    yield Copies("same_text", "the same text", equal_groups(told))
    yield Copies("near_text", "a text one word apart", near_text_groups(told))


def _pairs(rows: Rows) -> Iterator[tuple[str, str]]:
    return zip(rows.texts or (), rows.normal, strict=True)


def _equal(digests: Sequence[bytes | None]) -> Labels:
    first: dict[bytes, int] = {}
    return np.array(
        [ALONE if one is None else first.setdefault(one, row) for row, one in enumerate(digests)],
        dtype=np.int64,
    )


def groups(labels: Labels, chosen: Array) -> list[list[int]]:
    """Return the groups that have a chosen row (bool[n]), each as its rows, in the order of the rows."""
    wanted = np.unique(labels[chosen & (labels >= 0)])
    rows = np.flatnonzero(np.isin(labels, wanted) & (labels >= 0))
    found: dict[int, list[int]] = {}
    for row, label in zip(rows.tolist(), labels[rows].tolist(), strict=True):
        found.setdefault(label, []).append(row)
    return list(found.values())


def several(labels: Labels, values: Array, number: int) -> Array:
    """Return which rows are in a group with several different values (bool[n]); values below 0 don't count.

    `values` are below `number`.
    """
    has = (labels >= 0) & (values >= 0)
    pairs = np.unique(labels[has] * number + values[has])
    groups, counts = np.unique(pairs // max(number, 1), return_counts=True)
    return np.asarray(has & np.isin(labels, groups[counts > 1]))
