"""Likely label errors: rows whose label a cheap model contradicts that hasn't seen them.

The probabilities are out-of-fold, of a logistic regression on TF-IDF word counts. A row is listed by the rule
of confident learning (Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in
Dataset Labels", Journal of Artificial Intelligence Research 70): a class is confident where its probability
reaches the mean of its own rows, so that classes of which the model is never sure are not all called errors;
of the confident classes, the most probable is suggested; if that isn't the label, the row is a likely error.
Rows are ranked by the margin between both probabilities.

The model is trusted only where it is mostly right. Rows are ordered by their largest probability, and of that
order the longest beginning is taken in which the most probable class is the label of a share of `AGREE`.

Copies are in one fold, so that none vouches for another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affectory.core.numbers import count, percent
from curation.audit.copies import Copies
from curation.audit.finding import Finding
from curation.audit.rows import Array, Rows
from curation.audit.text_model import out_of_fold
from curation.duplicates.components import Labels, merge

#: Folds, and the fewest rows of a class, and of all, that a model is trained with.
FOLDS, LEAST_OF_CLASS, LEAST = 4, 8, 40
#: The share of labels that the model must predict where it is trusted, and the least share of the rows on
#: which it may be: less is found by chance.
AGREE, TRUSTED = 0.75, 0.05


@dataclass(frozen=True)
class Doubts:
    """Rows whose label the model contradicts, ranked; the class that it suggests, and the margin of each.

    `right` is the share of labels that the model predicts, `majority` that of the largest class; `trusted`
    counts the rows on which the model is trusted, of `of`.
    """

    rows: Array
    suggested: Array
    margin: Array
    right: float
    majority: float
    trusted: int
    of: int


def find(rows: Rows, copies: list[Copies]) -> Doubts | str:
    """Return the doubts, or why there is no model."""
    if rows.texts is None or not rows.classes:
        return f"likely label errors: the {'labels' if rows.texts else 'texts'} are missing"
    labels = rows.label
    has = (labels >= 0) & np.array([bool(text) for text in rows.normal], dtype=bool)
    sizes = np.bincount(labels[has], minlength=len(rows.classes))
    chosen = np.flatnonzero(has & (np.where(labels >= 0, sizes[labels], 0) >= LEAST_OF_CLASS))
    if len(chosen) < LEAST or len(np.unique(labels[chosen])) < 2:
        return (
            f"likely label errors: {LEAST} rows with label and text are needed, and two classes of "
            f"{LEAST_OF_CLASS} or more"
        )
    alone = np.arange(len(rows), dtype=np.int64)
    groups = merge(alone, *(one.labels for one in copies))[chosen]
    given = np.searchsorted(np.unique(labels[chosen]), labels[chosen])
    texts = [rows.normal[row] for row in chosen.tolist()]
    probabilities = out_of_fold(texts, given, _folds(given, groups))
    trusted = _trusted(probabilities, given)
    at, suggested, margin = confident(probabilities, given)
    at, suggested, margin = (part[trusted[at]] for part in (at, suggested, margin))
    classes = np.unique(labels[chosen])
    return Doubts(
        chosen[at],
        classes[suggested],
        margin,
        float((probabilities.argmax(axis=1) == given).mean()),
        float(np.bincount(given).max() / len(given)),
        int(trusted.sum()),
        len(chosen),
    )


def confident(probabilities: Array, given: Array) -> tuple[Array, Array, Array]:
    """Return the rows that confident learning calls errors, the classes it suggests, and the margins.

    The rows are ranked by their margin: the probability of the suggested class less that of the label.
    """
    own = probabilities[np.arange(len(given)), given]
    classes = probabilities.shape[1]
    thresholds = np.bincount(given, own, classes) / np.maximum(np.bincount(given, minlength=classes), 1)
    sure = np.where(probabilities >= thresholds, probabilities, -1)
    suggested = sure.argmax(axis=1)
    margin = sure.max(axis=1) - own
    at = np.flatnonzero((sure.max(axis=1) >= 0) & (suggested != given) & (margin > 0))
    at = at[np.lexsort((at, -np.round(margin[at], 6)))]  # the last digits differ between machines
    return at, suggested[at], margin[at]


def _trusted(probabilities: Array, given: Array) -> Array:
    """Return the rows on which the model is trusted (bool[n])."""
    largest = np.round(probabilities.max(axis=1), 6)
    right = probabilities.argmax(axis=1) == given
    order = np.lexsort((np.arange(len(given)), -largest))
    share = np.cumsum(right[order]) / np.arange(1, len(given) + 1)
    enough = np.flatnonzero(share >= AGREE)
    trusted = np.zeros(len(given), dtype=bool)
    if len(enough) and enough[-1] + 1 >= TRUSTED * len(given):
        trusted[order[: enough[-1] + 1]] = True
    return trusted


def finding(rows: Rows, doubts: Doubts) -> Finding | None:
    """Return the finding, with the rows in the order of their margins."""
    if not len(doubts.rows):
        return None
    number = len(doubts.rows)
    says = (
        f"{count(number, 'label')} of {doubts.trusted:,} {'is' if number == 1 else 'are'} contradicted by a "
        f"model of the words where it is sure; it predicts {percent(doubts.right, 1)} of all labels."
    )
    captions = [
        f"{rows.label_of(row)}; rather {rows.classes[other]} (margin {margin:.2f})"
        for row, other, margin in zip(doubts.rows, doubts.suggested, doubts.margin, strict=True)
    ]
    return Finding(
        "errors", "text_model", says, number, doubts.trusted, [[int(row)] for row in doubts.rows], captions
    )


def _folds(given: Array, groups: Labels) -> Array:
    """Return the fold of each row: whole groups, dealt class by class, at random."""
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = np.random.default_rng(0).permutation(len(first))
    order = shuffled[np.argsort(given[first][shuffled], kind="stable")]
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.arange(len(first)) % FOLDS
    return np.asarray(fold[member])
