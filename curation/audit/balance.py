"""Class balance: classes that are rare, missing from a split, or spread otherwise over the splits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from affectory.core.errors import some
from affectory.core.numbers import count, percent
from curation.audit.finding import Finding
from curation.audit.rows import Rows

#: The largest class may have so many times the rows of the smallest.
RATIO = 10
#: A split whose shares differ from those of the training split by more, in total variation, is another one.
APART = 0.1
#: The fewest labelled rows of a split whose shares are compared.
LEAST = 100


def findings(rows: Rows) -> Iterator[Finding]:
    """Yield what is uneven about the classes."""
    counts, totals = rows.counts, rows.counts.sum(axis=1)
    labelled = int(totals.sum())
    if not labelled:
        return
    table: list[tuple[str | int, ...]] = [
        (name, *map(int, counts[at]), int(totals[at]), percent(float(totals[at]), labelled))
        for at, name in enumerate(rows.classes)
    ]
    shown = partial(Finding, head=("Class", *rows.splits, "All", "Share"), table=table)
    most, least = int(totals.argmax()), int(totals.argmin())
    if totals[most] > RATIO * totals[least]:
        says = (
            f"The largest class, {rows.classes[most]} ({count(int(totals[most]), 'row')}), has more than "
            f"{RATIO} times the rows of the smallest, {rows.classes[least]} ({totals[least]:,})."
        )
        rare = int((totals * RATIO < totals[most]).sum())
        yield shown("balance", "ratio", says, rare, len(totals))
    for at, split in enumerate(rows.splits):
        here = counts[:, at]
        if not here.any():
            continue
        absent = [name for name, n, all_ in zip(rows.classes, here, totals, strict=True) if all_ and not n]
        if absent:
            says = f"{split} has no row of {count(len(absent), 'class', 'classes')}: {some(absent, str)}."
            yield shown("balance", f"absent_{split}", says, len(absent), len(totals))
        other = counts[:, rows.training]
        if at != rows.training and here.sum() >= LEAST and other.sum() >= LEAST:
            apart = abs(here / here.sum() - other / other.sum()).sum() / 2
            if apart > APART:
                says = (
                    f"The classes have other shares in {split} than in {rows.splits[rows.training]}: "
                    f"{percent(float(apart), 1)} of the rows would have to change their class."
                )
                yield shown("balance", f"shares_{split}", says, int(here.sum()), labelled)
