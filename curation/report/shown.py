"""The rows that the page shows, with thumbnails. Only the row groups that have them are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from affectory.core.html.markup import clip
from affectory.core.html.thumbnails import thumbnail
from curation.report.contents import Release, batches, open_file
from curation.report.picks import Place
from curation.rows.attribution import attribution

COLUMNS = (
    "post_id",
    "image.bytes",
    "text",
    "title",
    "label",
    "score",
    "agreement",
    "language",
    "language_score",
    "n_words",
    "has_image",
    "duplicate_group",
    "source",
    "community",
    "permalink",
    "licence",
    "attribution",
    "over_18",
    "created_at",
)

#: The most characters of a post's text on its card.
LONGEST = 220


@dataclass(frozen=True, slots=True)
class Post:
    """A post as its card shows it. `picture` is a data address; `missing` says why there is none.

    `credit` is the attribution, without the id and community, which every card has.
    """

    post_id: str
    text: str
    label: str
    split: str = ""
    score: int | None = None
    agreement: float | None = None
    language: str | None = None
    language_score: float | None = None
    n_words: int | None = None
    community: str = ""
    permalink: str = ""
    credit: str = ""
    picture: str | None = None
    missing: str = ""
    veiled: bool = False
    created: int | None = None  # in seconds since 1970


#: Bytes of a row group that are read at a time, at least 16 rows.
_AT_ONCE = 1 << 22


def fetch(release: Release, places: Collection[Place], flagged_groups: Collection[str]) -> dict[Place, Post]:
    """Read these rows with thumbnails. An image is veiled if its post or a duplicate of it is marked 18+."""
    return {
        place: pictured(post, data, thumbnail(data) if data else None, release)
        for place, post, data in read(release, places, flagged_groups)
    }


def read(
    release: Release, places: Collection[Place], flagged_groups: Collection[str], longest: int = LONGEST
) -> Iterator[tuple[Place, Post, bytes | None]]:
    """Read these rows: the place of each, the post without a picture, and the bytes of its image."""
    for place, (split, path) in enumerate(release.data):
        for row, values in fetch_rows(path, COLUMNS, {row for file, row in places if file == place}):
            number = -1 if values["label"] is None else values["label"]  # the last class is "no label"
            post = _post(values, release.manifest.classes[number], split, longest)
            veiled = post.veiled or values["duplicate_group"] in flagged_groups
            data = (values["image"] or {}).get("bytes")
            yield (place, row), dataclasses.replace(post, veiled=veiled), data


def pictured(post: Post, data: bytes | None, picture: str | None, release: Release) -> Post:
    """Return a post with its picture or, in a release with images, with what it has instead."""
    missing = "" if picture or not release.manifest.pictured else "unreadable image" if data else "no image"
    return dataclasses.replace(post, picture=picture, missing=missing)


def fetch_rows(
    path: Path, columns: tuple[str, ...], wanted: Collection[int]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield rows with their numbers; only their row groups are read, some `_AT_ONCE` bytes at a time."""
    if not wanted:
        return
    with open_file(path, [column.split(".")[0] for column in columns]) as file:
        held = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        lengths = [one.num_rows for one in held]
        sizes = [one.total_byte_size for one in held]
    starts = np.cumsum([0, *lengths])
    rows = np.asarray(sorted(wanted))
    groups = np.searchsorted(starts, rows, side="right") - 1
    for group in np.unique(groups):
        at = int(starts[group])
        last = int(rows[groups == group][-1])
        many = max(16, min(4096, _AT_ONCE * lengths[group] // max(1, sizes[group])))
        for batch in batches(path, columns, many, row_groups=[int(group)]):
            for row in rows[(rows >= at) & (rows < at + batch.num_rows)].tolist():
                yield row, batch.slice(row - at, 1).to_pylist()[0]
            at += batch.num_rows
            if at > last:
                break


def _post(values: dict[str, Any], label: str, split: str, longest: int) -> Post:
    created = values["created_at"]
    return Post(
        post_id=values["post_id"],
        text=clip(values["text"] or values["title"] or "", longest),
        label=label,
        split=split,
        score=values["score"],
        agreement=values["agreement"],
        language=values["language"],
        language_score=values["language_score"],
        n_words=values["n_words"],
        community=values["community"] or "",
        permalink=values["permalink"] or "",
        credit=clip(_credit(values), 300),
        veiled=bool(values["over_18"]),
        created=int(created.timestamp()) if isinstance(created, datetime) else created,
    )


def _credit(values: dict[str, Any]) -> str:
    attributed, licence = values["attribution"] or "", values["licence"] or ""
    plain = attribution(
        values["source"] or "", values["post_id"], values["community"] or "", None, None, None
    )
    said = "" if attributed == plain else attributed
    return said if licence in said else " · ".join(filter(None, (said, licence)))
