"""A post's label, and how far its annotators agree on it.

`votes` of a post is emotion -> annotators who agreed to it. Where they were asked about one emotion alone
(You, Luo, Jin, Yang 2016), `votes_total` says how many were asked about the leading one; where each chose
one of several, it is missing, and all votes together are the total. The label is the leading emotion, if
more than half of those agreed and no other emotion has as many votes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from curation.recipe import Recipe


def labelled(columns: Mapping[str, Sequence[Any]], recipe: Recipe) -> dict[str, list[Any]]:
    """Return each row's `label`, `agreeing` votes for it, `votes_total` and their share, `agreement`.

    The label comes from the annotators' majority, else from the source's own label, else from the community.
    """
    found: dict[str, list[Any]] = {"label": [], "agreeing": [], "votes_total": [], "agreement": []}
    names = ("votes", "votes_total", "label", "community")
    for votes, asked, own, community in zip(*(columns[name] for name in names), strict=True):
        leading: tuple[Any, ...] = (community if own is None else own, None, None, None)
        if votes != "{}":
            leading = _leading(json.loads(votes), asked)
        for name, value in zip(found, (recipe.labels.get(leading[0]), *leading[1:]), strict=True):
            found[name].append(value)
    return found


def _leading(votes: Mapping[str, int], asked: int | None) -> tuple[str | None, int, int, float]:
    """Return the majority's emotion (None: there is none), its votes, of how many, and their share."""
    (emotion, most), *others = sorted(votes.items(), key=lambda item: (-item[1], item[0]))
    total = sum(votes.values()) if asked is None else asked
    tied = bool(others) and others[0][1] == most
    return None if tied or 2 * most <= total else emotion, most, total, most / max(1, total)
