"""Match the ids of a release to the rows of a store, whose posts may have lost, gained or changed images.

Within a post, ids and rows are matched by sha256, first at the same position, then in order. An id without an
image takes the row at its position. An id without a row gets the reason why its row is missing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

_COLUMNS = ("post_id", "image_index", "image_sha256")


@dataclass(frozen=True, slots=True)
class Match:
    """The match of an id: the number of a kept row, the number of a dropped row, or a reason."""

    row: int | None = None
    lost: int | None = None
    reason: str = ""
    detail: str = ""


@dataclass(eq=False, slots=True)
class _Row:
    """A row of the store. `stage` is the stage that dropped it, "" for a kept row."""

    number: int
    place: int
    sha256: str | None
    stage: str
    taken: bool = False

    def match(self) -> Match:
        return Match(lost=self.number) if self.stage else Match(row=self.number)


def match(named: Sequence[Mapping[str, Any]], rows: pa.Table, lost: pa.Table) -> list[Match]:
    """Return the match of each id of a release among the kept and the dropped rows of a store.

    `named` are the ids; in `rows` and `lost`, `image_index` is the position among all links of the post. No
    row is matched to two ids, except a dropped row of a post that was dropped with all its images.
    """
    there: dict[str, list[_Row]] = defaultdict(list)
    kept_columns, lost_columns = ([table[name].to_pylist() for name in _COLUMNS] for table in (rows, lost))
    for number, (post_id, place, sha256) in enumerate(zip(*kept_columns, strict=True)):
        there[post_id].append(_Row(number, place, sha256, ""))
    stages = lost["stage"].to_pylist()
    for number, (post_id, place, sha256) in enumerate(zip(*lost_columns, strict=True)):
        there[post_id].append(_Row(number, place, sha256, stages[number]))
    wanted: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(named):
        wanted[one["post_id"]].append(number)
    found: dict[int, Match] = {}
    for post_id, numbers in wanted.items():
        numbers.sort(key=lambda number: named[number]["image_index"])
        post = sorted(there[post_id], key=lambda row: row.place)
        found |= _of_post({number: named[number] for number in numbers}, post)
    return [found[number] for number in range(len(named))]


def _of_post(ids: Mapping[int, Mapping[str, Any]], post: Sequence[_Row]) -> dict[int, Match]:
    """Match the ids of one post, in the order of their index, to its rows, in the order of their position."""
    found: dict[int, Match] = {}
    for same_place in (True, False):
        for number, one in ids.items():
            if number not in found and (row := _same(one, post, same_place=same_place)):
                row.taken = True
                found[number] = row.match()
    for number, one in ids.items():
        if number not in found:
            found[number] = _left(one, post)
    return found


def _same(one: Mapping[str, Any], post: Sequence[_Row], *, same_place: bool) -> _Row | None:
    """Return the first unmatched row with the id's image, at its position or anywhere."""
    for row in post:
        here = row.place == one["image_index"]
        if one["image_sha256"] is None:  # an id without an image has only its position
            fits = here
        else:
            fits = row.sha256 == one["image_sha256"] and (here or not same_place)
        if fits and not row.taken:
            return row
    return None


def _left(one: Mapping[str, Any], post: Sequence[_Row]) -> Match:
    """Return why the post has no row for an id."""
    if not post:
        return Match(reason="not_in_store", detail="not collected")
    for row in post:
        if row.stage == "removed":  # the whole post
            return row.match()
    here = next((row for row in post if row.place == one["image_index"] and not row.taken), None)
    wanted = str(one["image_sha256"])
    if here is None or (here.sha256 is None and not here.stage):
        return Match(reason="image_gone", detail=wanted)
    if here.sha256 is not None:
        return Match(reason="image_changed", detail=wanted)
    here.taken = True
    return here.match()
