"""A post's label, and the share of its annotators who agree on it.

A post's `votes` are emotion -> number of annotators who agreed to it. If annotators were asked about one
emotion at a time (You, Luo, Jin, Yang 2016), `votes_total` is the number of those asked about the leading
one. If each chose one of several emotions, `votes_total` is missing, and the sum of the votes is used. The
label is the leading emotion, if more than half of the annotators agreed and no other emotion has as many
votes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from curation.recipe.recipe import Recipe


def labelled(columns: Mapping[str, Sequence[Any]], recipe: Recipe) -> dict[str, list[Any]]:
    """Return each row's `label`, `agreeing` votes for it, `votes_total` and their share, `agreement`.

    The label comes from the annotators' majority, else from the source's own label, else from the community.
    `left_out` is the word for it in the source, where the recipe leaves it out.
    """
    own = zip(columns["label"], columns["community"], strict=True)
    words = [community if label is None else label for label, community in own]
    empty: list[Any] = [None] * len(words)
    found = {"agreeing": empty, "votes_total": empty.copy(), "agreement": empty.copy()}
    for row, votes in enumerate(columns["votes"]):
        if votes != "{}":
            words[row], *counted = _leading(json.loads(votes), columns["votes_total"][row])
            for name, value in zip(found, counted, strict=True):
                found[name][row] = value
    labels = [recipe.labels.get(word) for word in words]
    left_out = [word if label == "" else None for word, label in zip(words, labels, strict=True)]
    return {"label": [label or None for label in labels], **found, "left_out": left_out}


def _leading(votes: Mapping[str, int], asked: int | None) -> tuple[str, int, int, float]:
    """Return the majority's emotion ("" without a majority), its votes, the total, and their share."""
    (emotion, most), *others = sorted(votes.items(), key=lambda item: (-item[1], item[0]))
    total = sum(votes.values()) if asked is None else asked
    tied = bool(others) and others[0][1] == most
    return "" if tied or 2 * most <= total else emotion, most, total, most / max(1, total)
