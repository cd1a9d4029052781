"""The rule `random`: posts of each class are held out at random, by a seed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from curation.splits.ranked import TENTH, first_of_units, held_out, tickets
from curation.splits.rule import Rule, Split
from curation.splits.units import Leakage, Result, Strings, posts, share


def random(
    post_ids: Strings,
    labels: Strings,
    groups: ArrayLike | None = None,
    *,
    test: float | Fraction = TENTH,
    validation: float | Fraction = TENTH,
    seed: int = 0,
    leakage: Leakage = "group",
) -> Result:
    """Hold out posts of each class at random: those with the lowest hashes of the seed and their ids."""
    table = posts(post_ids, labels, (), groups, leakage)
    first = first_of_units(table, np.arange(len(table)))
    first = first[np.argsort(tickets([table.ids[post] for post in first], seed), kind="stable")]
    return held_out(table, first, share(test), share(validation))


def _assign(rows: pa.Table, groups: NDArray[np.int64], options: Split) -> Result:
    return random(
        rows["post_id"],
        rows["label"],
        groups,
        test=options.test,
        validation=options.validation,
        seed=options.seed,
        leakage=options.leakage,
    )


RULE = Rule(_assign)
