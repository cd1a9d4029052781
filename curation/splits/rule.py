"""What a split rule is: its options, what it needs of the rows, and the function that splits them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, model_validator

from affectory.core.tables import Table
from curation.splits.units import Leakage, Result


class Split(Table):
    """The `[split]` of a recipe, as all rules take it.

    With `leakage = "group"` the posts of a duplicate group stay together in one split; with `"paper"` the
    rule counts posts as the paper does. `seed` is that of all random choices, which include the order of
    posts of equal rank. `given` maps the names of published splits to ours. A recipe's digest covers these
    keys for every rule; a rule with further keys adds them in a subclass.
    """

    rule: str = "top-score"
    test: Annotated[float, Field(ge=0, lt=1)] = 0.1
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.1
    leakage: Leakage = "group"
    seed: int = 0
    given: dict[str, Literal["train", "validation", "test"]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> Split:
        if self.test + self.validation >= 1:
            raise ValueError(f"test + validation is {self.test + self.validation:g}: leave some for training")
        return self


@dataclass(frozen=True, slots=True)
class Rule:
    """A split rule of the table `curation.splits.RULES`.

    `assign(rows, groups, options)` returns the split of each row. `rows` has the columns `post_id` and
    `label` and the rule's `columns` (names of `curation.filters.stage.ROWS`); `groups` (int64[n]) is the
    duplicate group of each row; `options` is an instance of `options`. With `unlabelled` the rule takes posts
    without a label and classes of any size; otherwise such posts are dropped and each class has at least
    `MIN_POSTS` posts.
    """

    assign: Callable[[pa.Table, NDArray[np.int64], Any], Result]
    columns: tuple[str, ...] = ()
    options: type[Split] = Split
    unlabelled: bool = False


def floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a numeric column as float64[n], NaN where it is null."""
    return np.asarray(column.cast(pa.float64()).fill_null(np.nan).combine_chunks())
