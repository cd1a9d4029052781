"""The posts that a release dropped: their number by reason, and a few examples of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from affectory.core.html.markup import clip
from affectory.core.html.thumbnails import thumbnail
from curation.report.contents import Release, batches
from curation.report.picks import Lowest, Place, hashes
from curation.report.shown import LONGEST, Post, fetch_rows, pictured

#: The most reasons with examples on the page, and the most examples of one reason.
REASONS, EXAMPLES = 12, 6

COLUMNS = (
    "post_id",
    "community",
    "label",
    "stage",
    "reason",
    "detail",
    "title",
    "permalink",
    "score",
    "over_18",
    "thumbnail",
)

#: The columns that a tombstone of a removed post lacks.
_CONTENT = ("label", "title", "permalink", "score")

#: The stage that dropped a post, and its reason.
Reason = tuple[str, str]

#: The reason whose detail names the post that was kept instead.
DUPLICATE = ("duplicates", "duplicate")


@dataclass
class Dropped:
    """Rows by stage and reason, and examples with the value that caused each drop.

    `told` is the number of rows with more than an id, which tombstones lack; `sample` are some of them.

    `kept` has, by post id, the places of the posts that were kept instead of the examples' duplicates.
    """

    counts: Counter[Reason] = field(default_factory=Counter)
    told: int = 0
    sample: Lowest = field(default_factory=lambda: Lowest(0))
    examples: dict[Reason, list[tuple[Post, str]]] = field(default_factory=dict)
    kept: dict[str, Place] = field(default_factory=dict)


def look(release: Release, sample: int) -> Dropped:
    """Read the dropped rows once, then the examples again with their thumbnails.

    `sample` is the number of rows to choose at random.
    """
    found = Dropped(sample=Lowest(sample))
    picks: dict[Reason, Lowest] = {}
    for number, path in enumerate(release.dropped):
        first = 0
        for batch in batches(path, ("post_id", "stage", "reason", "thumbnail", *_CONTENT)):
            reasons = list(zip(batch["stage"].to_pylist(), batch["reason"].to_pylist(), strict=True))
            found.counts.update(reasons)
            ties = hashes(batch["post_id"].to_pylist())
            unseen = np.asarray(batch["thumbnail"].is_null())  # posts with a thumbnail come first
            keys = np.asarray([f"{stage}/{reason}" for stage, reason in reasons])
            for reason in sorted(set(reasons)):
                here = np.flatnonzero(keys == "/".join(reason))
                picks.setdefault(reason, Lowest(EXAMPLES)).offer(
                    number, first + here, ties[here], unseen[here]
                )
            told = np.flatnonzero(np.any([np.asarray(batch[name].is_valid()) for name in _CONTENT], axis=0))
            found.sample.offer(number, first + told, ties[told])
            found.told += len(told)
            first += batch.num_rows
    for reason in _order(release, found.counts)[:REASONS]:
        found.examples[reason] = []
        for file, row in picks[reason].places:
            [(_, values)] = fetch_rows(release.dropped[file], COLUMNS, [row])
            post, data, _, detail = _read(values, LONGEST)
            picture = thumbnail(data) if data else None
            found.examples[reason].append((pictured(post, None, picture, release), detail))
    found.kept = _kept(release, found.examples.get(DUPLICATE, []))
    return found


def kept_instead(detail: str) -> str:
    """Return the id of the post that was kept, from a duplicate's detail ("of reddit:278gwr")."""
    return detail.removeprefix("of ")


def _kept(release: Release, examples: list[tuple[Post, str]]) -> dict[str, Place]:
    """Find the posts that were kept; one that was removed since is left out."""
    wanted = pa.array({kept_instead(detail) for _, detail in examples}, pa.string())
    places: dict[str, Place] = {}
    for number, (_, path) in enumerate(release.data if len(wanted) else ()):
        first = 0
        for batch in batches(path, ("post_id",)):
            for row in np.flatnonzero(np.asarray(pc.is_in(batch["post_id"], wanted))).tolist():
                places.setdefault(batch["post_id"][row].as_py(), (number, first + row))
            first += batch.num_rows
    return places


def _order(release: Release, counts: Counter[Reason]) -> list[Reason]:
    """Return the reasons in the order of the ledger, then those that it doesn't name."""
    named = [(step.stage, step.reason) for step in release.manifest.ledger.steps]
    return [one for one in dict.fromkeys(named) if one in counts] + sorted(set(counts) - set(named))


def read(
    release: Release, places: Collection[Place], longest: int
) -> Iterator[tuple[Place, Post, bytes | None, str, str]]:
    """Read these rows: the place, the post without a picture, its thumbnail, the reason and its value."""
    for number, path in enumerate(release.dropped):
        for row, values in fetch_rows(path, COLUMNS, [row for file, row in places if file == number]):
            yield (number, row), *_read(values, longest)


def _read(values: dict[str, Any], longest: int) -> tuple[Post, bytes | None, str, str]:
    post = Post(
        post_id=values["post_id"],
        text=clip(values["title"] or "", longest),
        label=values["label"] or "",
        score=values["score"],
        community=values["community"] or "",
        permalink=values["permalink"] or "",
        veiled=bool(values["over_18"]),
    )
    return post, values["thumbnail"], values["reason"], clip(values["detail"] or "", 120)
