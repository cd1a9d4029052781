"""The rule `top-score`: the best-scored posts, of each class or of all, are held out."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from pydantic import SerializerFunctionWrapHandler, model_serializer

from curation.splits.ranked import TENTH, Within, best_first, held_out
from curation.splits.rule import Rule, Split, floats
from curation.splits.units import Leakage, Rank, Result, Strings, posts, share


class TopScore(Split):
    """The `[split]` of `top-score`. `within`: the best of each `class`, or of `all` posts together."""

    within: Within = "class"

    @model_serializer(mode="wrap")
    def _without_default(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the default: recipes without `within` keep the digest that they had before the key."""
        said: dict[str, Any] = dump(self)
        return {key: value for key, value in said.items() if (key, value) != ("within", "class")}


def top_score(
    post_ids: Strings,
    labels: Strings,
    rank: Rank,
    groups: ArrayLike | None = None,
    *,
    test: float | Fraction = TENTH,
    validation: float | Fraction = TENTH,
    within: Within = "class",
    seed: int = 0,
    leakage: Leakage = "group",
) -> Result:
    """Hold out the best-scored posts, as Duong et al. 2017 do (section 5.4).

    Of n posts the best floor(n·test) are test, the next floor(n·(test + validation)) − floor(n·test)
    validation; n are the posts of each class, or with `within="all"` all posts. The paper doesn't say which;
    docs/curation.md has the evidence for the classes. Posts of equal rank are ordered at random by `seed`.
    `rank` holds one key or more, the first counting most: `(score,)`, or for voted data `(agreeing votes,
    their share)`.
    """
    table = posts(post_ids, labels, rank, groups, leakage)
    return held_out(table, best_first(table, seed), share(test), share(validation), within)


def _assign(rows: pa.Table, groups: NDArray[np.int64], options: TopScore) -> Result:
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
        within=options.within,
        seed=options.seed,
        leakage=options.leakage,
    )


RULE = Rule(_assign, columns=("agreeing", "agreement", "score"), options=TopScore)
