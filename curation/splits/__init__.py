"""Which split every post goes to, and that no duplicate sits on both sides of a cut.

    top_score   the best-scored posts of each class are test, the next validation (Duong et al. 2017)
    unanimous   of the posts whose annotators all agree, the most-voted (Pagé Fortin & Chaib-draa 2019)
    random      seeded, within each class
    given       as a column says
    twins       how many held-out posts have a duplicate in training

All take a value per row, a row being an image of a post or a post of text alone, and return a
`Result`: an int8 per row, 0 train, 1 validation, 2 test, and notes for the report. What a post gets
follows from its id, label, rank and duplicates, never from the order of the rows.

**Leakage.** `leakage="paper"` counts posts, as the papers do; the images of a post stay together.
`leakage="group"` (the default) moves whole *units*: posts that share a duplicate group, directly or
through others. A unit stands where its best-ranked post stands (for `random`: its first post by id,
or large units would draw more tickets), and has that post's label as its class. All its posts count
towards that class, so the share asked for is of the posts in the class's units; where no group mixes
labels, that is of the class's posts. Units are taken in rank order for test, then from the rest for
validation; one too large for the room left is passed over, and trains if validation has no room
for it either. Hence:

- a quota is never exceeded, and falls short by less than the smallest unit of the class (in training)
  that did not fit: as long as a post without duplicates trains, test and validation are full;
- a class depends on its own units alone: posts added to another class change nothing here.

Errors:

    SplitError(AffectoryError)
    ├── SmallClass          a class has fewer than 10 posts
    ├── UnknownSplit        a given split's name is none of train, validation, test
    └── Straddling          a given split has a post, or under leakage="group" a duplicate group, in two
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from affectory.core.tables import one_of, refuse
from curation.splits import at_random, by_agreement, by_score, published
from curation.splits.at_random import random
from curation.splits.by_agreement import unanimous
from curation.splits.by_score import top_score
from curation.splits.errors import SmallClass, SplitError, Straddling, UnknownSplit
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
    "Leakage",
    "Result",
    "SmallClass",
    "Split",
    "SplitError",
    "SplitOptions",
    "Straddling",
    "Twins",
    "UnknownSplit",
    "given",
    "random",
    "top_score",
    "twins",
    "unanimous",
]
