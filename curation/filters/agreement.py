"""Posts with too few annotators, or whose annotators disagree on the label."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field

from curation.filters.filter import Filter, Options
from curation.filters.stage import separate


class Agreement(Options):
    """Keep posts with at least `min_votes` whose annotators agree: a majority of them, or all."""

    use: Literal["agreement"]
    rule: Literal["majority", "unanimous"] = "majority"
    min_votes: Annotated[int, Field(ge=1)] = 1


def apply(table: pa.Table, options: Agreement) -> tuple[pa.Table, pa.Table]:
    """Drop `too_few_votes`, then `no_majority` or `not_unanimous`; the detail is "2 of 5 for awe".

    A majority is more than half of those who were asked (You et al. 2016: three of five or more).
    """
    keep, reasons, details = [], [], []
    columns = (table[name].to_pylist() for name in ("votes", "agreeing", "votes_total", "label"))
    for votes, agreeing, total, label in zip(*columns, strict=True):
        if (total or 0) < options.min_votes:  # None: nobody voted
            reasons.append("too_few_votes")
        elif options.rule == "unanimous" and agreeing < total:
            reasons.append("not_unanimous")
        elif label is None:
            reasons.append("no_majority")
        else:
            reasons.append("")
        keep.append(not reasons[-1])
        details.append("" if keep[-1] else _told(votes, total))
    return separate(table, keep, options.use, reasons, details)


FILTER = Filter(Agreement, apply)


def _told(votes: str, total: int | None) -> str:
    """Return votes in words: 2 of 5 for awe, 1 for fear."""
    counted = sorted(json.loads(votes).items(), key=lambda item: (-item[1], item[0]))
    if not counted:
        return "nobody voted"
    (leading, most), *others = counted
    return ", ".join([f"{most} of {total} for {leading}", *(f"{n} for {emotion}" for emotion, n in others)])
