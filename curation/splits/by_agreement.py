"""The rule `unanimous`: posts on which all annotators agree are held out."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from curation.splits.ranked import best_first, first_by_id, tickets
from curation.splits.rule import Rule, Split, floats
from curation.splits.units import (
    TEST,
    VALIDATION,
    Ints,
    Leakage,
    Result,
    Strings,
    fill,
    posts,
    quota,
    share,
)

#: Pagé Fortin & Chaib-draa 2019: the top 20% of all, halved.
FIFTH = Fraction(1, 5)


def unanimous(
    post_ids: Strings,
    labels: Strings,
    agreeing: ArrayLike,
    total: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    pairs: ArrayLike | None = None,
    held_out: float | Fraction = FIFTH,
    seed: int = 0,
    leakage: Leakage = "group",
) -> Result:
    """Hold out posts that all annotators agree on, as Pagé Fortin & Chaib-draa 2019 do.

    Of the posts with `agreeing == total` votes, those with the most votes are held out, up to a fifth of
    **all** posts, regardless of class; posts with equally many are chosen at random by `seed`. They are
    halved at random; an odd one goes to validation. A unit with a post that is not unanimous is in training.
    So is one with a row that is not among `pairs` (bool[n]; default: all are): in the paper, image-only posts
    are only trained on, and the fifth is of the pairs.
    """
    voted = np.nan_to_num(np.asarray(total, np.float64))
    paired = np.ones(len(voted), np.bool_) if pairs is None else np.asarray(pairs, np.bool_)
    whole = (np.asarray(agreeing, np.float64) == voted) & (voted > 0) & paired
    table = posts(post_ids, labels, (whole, voted), groups, leakage)
    n_posts = len(np.unique(table.of_row[paired]))
    sizes = np.bincount(table.unit)
    split_one = np.zeros(len(sizes), np.bool_)
    split_one[table.unit[table.keys[1] == 0]] = True  # -whole: 0 where not unanimous
    order = best_first(table, seed)
    order = order[~split_one[table.unit[order]]]
    wanted = quota(share(held_out), n_posts)
    held = order[fill(sizes[table.unit[order]], wanted)]
    n_held = int(sizes[table.unit[held]].sum())

    ids = [table.ids[post] for post in first_by_id(table, held)]
    first = held[np.argsort(tickets(ids, seed), kind="stable")]
    is_test = fill(sizes[table.unit[first]], n_held // 2)
    of_unit = np.zeros(len(sizes), np.int8)
    of_unit[table.unit[first]] = np.where(is_test, TEST, VALIDATION)
    result = of_unit[table.unit]
    notes = _shortage(n_posts, sizes[table.unit[order]], wanted, result) if n_held < wanted else ()
    return Result(result[table.of_row], notes)


def _assign(rows: pa.Table, groups: NDArray[np.int64], options: Split) -> Result:
    """Count posts with text as the pairs, if there are any."""
    with_text = rows["n_words"].to_numpy() > 0
    return unanimous(
        rows["post_id"],
        rows["label"],
        floats(rows["agreeing"]),
        floats(rows["votes_total"]),
        groups,
        pairs=with_text if with_text.any() else None,
        seed=options.seed,
        leakage=options.leakage,
    )


RULE = Rule(_assign, columns=("agreeing", "votes_total", "n_words"))


def _shortage(n_posts: int, open_sizes: Ints, wanted: int, result: NDArray[np.int8]) -> tuple[str, ...]:
    found, held = int(open_sizes.sum()), int((result > 0).sum())
    halves = f"{(result == TEST).sum():,} for test, {(result == VALIDATION).sum():,} for validation"
    if found < wanted:
        why = f"only {found:,} of {n_posts:,} posts are unanimous with all their duplicates"
    else:
        why = f"the duplicate groups left do not fit into the last {wanted - held:,} places"
    return (f"{why}: {held:,} are held out ({halves}), not the {wanted:,} of the rule",)
