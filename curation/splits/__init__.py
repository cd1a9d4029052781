"""The split of every post, such that no duplicate group has posts on both sides of a split.

    top_score   the best-scored posts are test, the next validation, within each class (Duong et al. 2017)
    unanimous   of the posts whose annotators all agree, the most-voted (Pagé Fortin & Chaib-draa 2019)
    random      at random by a seed, within each class
    given       the published split, as a column names it
    twins       counts the held-out posts that have a duplicate in training

The first four take a value per row, a row being an image of a post or a post without images, and return a
`Result`: an int8 per row, 0 train, 1 validation, 2 test, and notes for the report. The split of a post
depends on its id, label, rank and duplicates and on the seed, never on the order of the rows. Posts of equal
rank are ordered at random by the seed (`curation.splits.ranked`).

To add a rule, write a file with its function, its options if it has any, and its `RULE`, and add a line to
`RULES`.

**Leakage.** `leakage="paper"` counts posts, as the papers do; the images of a post stay together.
`leakage="group"` (the default) moves whole *units*: posts that share a duplicate group, directly or through
other posts. A unit has the rank and the class of its best-ranked post (for `random`: of its first post by id,
as large units would otherwise be drawn more often; for the same reason ties between units are decided by the
hash of that post's id). All its posts count towards that class, so a share is of the posts in the class's
units; where no group mixes labels, that is of the class's posts. Units are taken in rank order for test, then
for validation. A unit that is too large for the places left is passed over; if it doesn't fit into validation
either, it is in training. Hence:

- a quota is never exceeded, and falls short by less than the smallest unit of the class (in training)
  that did not fit: as long as a post without duplicates is in training, test and validation are full;
- a class depends on its own units alone: posts added to another class change nothing in it (unless
  `within="all"`, which fills one quota with the units of all classes).

Errors:

    SplitError(AffectoryError)
    ├── SmallClass          a class has fewer than 10 posts
    ├── EmptySplit          a split that the recipe asks for gets no post
    ├── UnknownSplit        the name of a given split is none of train, validation, test
    └── Straddling          a post, or with leakage="group" a duplicate group, is given two splits
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from affectory.core.tables import one_of, refuse
from curation.splits import at_random, by_agreement, by_score, published
from curation.splits.at_random import random
from curation.splits.by_agreement import unanimous
from curation.splits.by_score import TopScore, top_score
from curation.splits.errors import EmptySplit, SmallClass, SplitError, Straddling, UnknownSplit
from curation.splits.leaks import Twins, twins
from curation.splits.published import given
from curation.splits.rule import Rule, Split
from curation.splits.units import MIN_POSTS, SPLITS, TEST, TRAIN, VALIDATION, Leakage, Result

#: The split rules by the name that `rule` gives in a recipe.
RULES: dict[str, Rule] = {
    "top-score": by_score.RULE,
    "unanimous": by_agreement.RULE,
    "random": at_random.RULE,
    "given": published.RULE,
}


def _parse(raw: Any) -> Any:
    """Validate the `[split]` of a recipe as the options of the rule that it names."""
    if not isinstance(raw, dict):
        return raw
    name = raw.get("rule", Split.model_fields["rule"].default)
    if name not in list(RULES):
        refuse({"rule": name}, f"Input should be {one_of(RULES)}")
    return RULES[name].options.model_validate(raw)


#: The options of any rule of the table: the type of a recipe's `split`.
SplitOptions = Annotated[SerializeAsAny[Split], BeforeValidator(_parse)]

__all__ = [
    "MIN_POSTS",
    "RULES",
    "SPLITS",
    "TEST",
    "TRAIN",
    "VALIDATION",
    "EmptySplit",
    "Leakage",
    "Result",
    "SmallClass",
    "Split",
    "SplitError",
    "SplitOptions",
    "Straddling",
    "TopScore",
    "Twins",
    "UnknownSplit",
    "given",
    "random",
    "top_score",
    "twins",
    "unanimous",
]
