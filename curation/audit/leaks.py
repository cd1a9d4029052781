"""Copies across splits, by each kind of evidence; and copies whose labels contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from affectory.core.numbers import count
from curation.audit.copies import Copies, groups, several
from curation.audit.finding import Finding
from curation.audit.rows import Array, Rows


def leaks(rows: Rows, copies: Sequence[Copies]) -> Iterator[Finding]:
    """Yield the rows outside the training split that have a copy in another split.

    A row is counted once, with the strongest evidence.
    """
    if len(rows.splits) < 2:
        return
    held_out = rows.split != rows.training
    known = np.zeros(len(rows), dtype=bool)
    training = rows.splits[rows.training]
    for one in copies:
        found = several(one.labels, rows.split, len(rows.splits)) & held_out & ~known
        known |= found
        if not found.any():
            continue
        number = int(found.sum())
        says = (
            f"{count(number, 'row')} outside {training} {'has' if number == 1 else 'have'} {one.noun} as a "
            "row of another split."
        )
        table = [
            (name, int((found & (rows.split == s)).sum()), int((rows.split == s).sum()))
            for s, name in enumerate(rows.splits)
            if s != rows.training
        ]
        yield Finding(
            "leaks",
            one.name,
            says,
            number,
            int(held_out.sum()),
            _largest_last(groups(one.labels, found)),
            head=("Split", "Copies", "Rows"),
            table=table,
        )


def conflicts(rows: Rows, copies: Sequence[Copies]) -> Iterator[Finding]:
    """Yield the copies with different labels; a row is counted once, with the strongest evidence."""
    known = np.zeros(len(rows), dtype=bool)
    for one in copies:
        found = several(one.labels, rows.label, len(rows.classes)) & ~known
        known |= found
        if not found.any():
            continue
        number = int(found.sum())
        members = groups(one.labels, found)
        says = (
            f"{count(number, 'row')} {'has' if number == 1 else 'have'} {one.noun} as a row with another "
            f"label: {count(len(members), 'group')}."
        )
        yield Finding("conflicts", one.name, says, number, int(_labelled(rows)), _largest_last(members))


def _labelled(rows: Rows) -> int:
    return int((rows.label >= 0).sum())


def _largest_last(found: list[list[int]]) -> list[list[int]]:
    """Return groups with pairs first: they are read at a glance."""
    return sorted(found, key=lambda group: (len(group), group[0]))


def kept_once(rows: Rows, copies: Sequence[Copies]) -> Array:
    """Return which rows are no copy of an earlier row with their label (bool[n]).

    Copies, which would make a word look more telling than it is, are rows of the same image or, without
    images, of the same text.
    """
    keep = np.ones(len(rows), dtype=bool)
    has_image = rows.pictures.there if rows.pictures is not None else ~keep
    for one in copies:
        if one.name in ("same_image", "same_text"):
            here = np.flatnonzero((one.labels >= 0) & (has_image == (one.name == "same_image")))
            keys = one.labels[here] * (len(rows.classes) + 1) + rows.label[here]
            again = np.ones(len(here), dtype=bool)
            again[np.unique(keys, return_index=True)[1]] = False
            keep[here[again]] = False
    return keep
