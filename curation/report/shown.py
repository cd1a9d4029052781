"""The rows that the page shows, with thumbnails. Only the row groups that have them are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
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


def fetch(release: Release, places: Collection[Place], flagged_groups: Collection[str]) -> dict[Place, Post]:
    """Read these rows. An image is veiled if its post, or one of its duplicates, is marked 18+."""
    found: dict[Place, Post] = {}
    for place, (split, path) in enumerate(release.data):
        wanted = sorted({row for file, row in places if file == place})
        for row, values in _rows(path, COLUMNS, wanted):
            number = -1 if values["label"] is None else values["label"]  # the last class is "no label"
            post = _post(values, release.manifest.classes[number], split, release.manifest.pictured)
            veiled = post.veiled or values["duplicate_group"] in flagged_groups
            found[place, row] = dataclasses.replace(post, veiled=veiled)
    return found


def fetch_rows(path: Path, columns: tuple[str, ...], rows: Collection[int]) -> dict[int, dict[str, Any]]:
    """Read rows of a file as dictionaries, by row number."""
    return dict(_rows(path, columns, sorted(rows)))


def _rows(path: Path, columns: tuple[str, ...], wanted: list[int]) -> list[tuple[int, dict[str, Any]]]:
    """Return rows with their numbers; only their row groups are read, 16 rows at a time."""
    if not wanted:
        return []
    with open_file(path, [column.split(".")[0] for column in columns]) as file:
        lengths = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    starts = np.cumsum([0, *lengths])
    rows = np.asarray(wanted)
    groups = np.searchsorted(starts, rows, side="right") - 1
    found: list[tuple[int, dict[str, Any]]] = []
    for group in np.unique(groups):
        at = int(starts[group])
        last = int(rows[groups == group][-1])
        for batch in batches(path, columns, 16, row_groups=[int(group)]):
            for row in rows[(rows >= at) & (rows < at + batch.num_rows)].tolist():
                found.append((row, batch.slice(row - at, 1).to_pylist()[0]))
            at += batch.num_rows
            if at > last:
                break
    return found


def _post(values: dict[str, Any], label: str, split: str, pictured: bool) -> Post:
    data = (values["image"] or {}).get("bytes")
    picture = thumbnail(data) if data else None
    missing = "" if picture or not pictured else "unreadable image" if data else "no image"
    return Post(
        post_id=values["post_id"],
        text=clip(values["text"] or values["title"] or "", LONGEST),
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
        picture=picture,
        missing=missing,
        veiled=bool(values["over_18"]),
    )


def _credit(values: dict[str, Any]) -> str:
    attributed, licence = values["attribution"] or "", values["licence"] or ""
    plain = attribution(
        values["source"] or "", values["post_id"], values["community"] or "", None, None, None
    )
    said = "" if attributed == plain else attributed
    return said if licence in said else " · ".join(filter(None, (said, licence)))
