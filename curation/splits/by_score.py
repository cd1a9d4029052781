"""The rule `top-score`: the best-scored posts of each class are held out."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from curation.splits.ranked import TENTH, best_first, first_of_units, within_classes
from curation.splits.rule import Rule, Split, floats
from curation.splits.units import Leakage, Rank, Result, Strings, posts, share


def top_score(
    post_ids: Strings,
    labels: Strings,
    rank: Rank,
    groups: ArrayLike | None = None,
    *,
    test: float | Fraction = TENTH,
    validation: float | Fraction = TENTH,
    leakage: Leakage = "group",
) -> Result:
    """Hold out the best-scored posts of each class, as Duong et al. 2017 do.

    Of a class's n posts the best floor(n·test) are test, the next floor(n·(test + validation)) −
    floor(n·test) validation; ties go to the lower id. `rank` holds one key or more, the first counting
    most: `(score,)`, or for voted data `(agreeing votes, their share)`.
    """
    table = posts(post_ids, labels, rank, groups, leakage)
    first = first_of_units(table, best_first(table))
    return within_classes(table, first, share(test), share(validation))


def _assign(rows: pa.Table, groups: NDArray[np.int64], options: Split) -> Result:
    """Rank by score, or posts with votes by the number of agreeing votes, then their share."""
    voted = rows["agreeing"].null_count < len(rows)
    keys = ("agreeing", "agreement") if voted else ("score",)
    return top_score(
        rows["post_id"],
        rows["label"],
        [floats(rows[key]) for key in keys],
        groups,
        test=options.test,
        validation=options.validation,
        leakage=options.leakage,
    )


RULE = Rule(_assign, columns=("agreeing", "agreement", "score"))
