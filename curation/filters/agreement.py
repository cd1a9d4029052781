"""Posts on whose label the annotators disagree, or of which there are too few."""

from __future__ import annotations

import pyarrow as pa

from curation.recipe import Agreement
from curation.stage import separate


def apply(table: pa.Table, options: Agreement) -> tuple[pa.Table, pa.Table]:
    """Drop `too_few_votes`, then `no_majority` or `not_unanimous`; the detail is the votes.

    A majority is more votes for the label than for any other (You et al. 2016 take it so).
    """
    keep, reasons, details = [], [], table["votes"].to_pylist()
    columns = (table["agreeing"].to_pylist(), table["agreement"].to_pylist(), table["label"].to_pylist())
    for agreeing, share, label in zip(*columns, strict=True):
        total = round(agreeing / share) if agreeing else 0
        if total < options.min_votes:
            reasons.append("too_few_votes")
        elif options.rule == "unanimous" and share < 1:
            reasons.append("not_unanimous")
        elif label is None:
            reasons.append("no_majority")
        else:
            reasons.append("")
        keep.append(not reasons[-1])
    return separate(table, keep, "agreement", reasons, details)
