"""What training aims at, where the user says so: weights of classes (--balance), a score (--select).

Aim(by_class({"joy": 3, "fear": 2, "anger": 1})).weights      # ((2/3, 1, 2),)
Aim(by_side({"shaming": 1, "violence": 3}, 4)).weights        # negatives (2/3, 2), positives (2, 2/3)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from affectory.core.errors import BaselineError

#: A validation score by which epochs and settings are chosen.
Select = Literal["likelihood", "accuracy", "macro-f1"]

#: The metric that each of them is; the likelihood is none.
SELECTS: Mapping[Select, str] = {"likelihood": "", "accuracy": "accuracy", "macro-f1": "f1_macro"}


@dataclass(frozen=True, slots=True)
class Aim:
    """What a task carries to every model.

    `weights`: of one label a post a row, the weight of each class; of several labels two rows, the weights of
    each label's negatives and positives; none: every post weighs alike. `select`: the validation score by
    which epochs and settings are chosen; None: each model's own rule.
    """

    weights: tuple[tuple[float, ...], ...] = ()
    select: Select | None = None


#: The aim of a training without --balance and --select.
USUAL_AIM = Aim()


class Judged(NamedTuple):
    """How a network does on validation.

    `score`: the headline metric. `likelihood`: the mean log-likelihood, nats, weighted as in training.
    `selected`: the score of `Aim.select`; NaN without one.
    """

    score: float
    likelihood: float
    selected: float


def by_class(posts: Mapping[str, int]) -> tuple[tuple[float, ...], ...]:
    """Return n / (C n_c) of each class c, whose mean over the posts is 1: scikit-learn's "balanced".

    Raises `BaselineError` for a class without a post.
    """
    n = sum(posts.values())
    for name, number in posts.items():
        if not number:
            raise _weightless(f"no labelled training post is {name!r}")
    return (tuple(n / (len(posts) * number) for number in posts.values()),)


def by_side(positives: Mapping[str, int], n: int) -> tuple[tuple[float, ...], ...]:
    """Return n / (2 n_neg) and n / (2 n_pos) of each label: both sides weigh alike, 1 in the mean.

    Raises `BaselineError` for a label that none of the n posts has, or all.
    """
    for name, number in positives.items():
        if number in (0, n):
            which = "every" if number else "no"
            raise _weightless(f"{which} labelled training post has the label {name!r}")
    return (
        tuple(n / (2 * (n - number)) for number in positives.values()),
        tuple(n / (2 * number) for number in positives.values()),
    )


def _weightless(why: str) -> BaselineError:
    return BaselineError(
        f"--balance: {why}, so a weight would be infinite: leave --balance out, or that class out of the "
        "release"
    )
