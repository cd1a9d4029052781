"""Posts whose image is gone: the text-only posts of a release's file of dropped rows.

    found = gone(release, Path("datasets/reddit-emotion/1.0.0"))
    found.part.texts, found.left_out        # {"without a label of this task": 12, …}

Their text is the title as it was collected; a recipe may publish no titles.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from affectory.core.parquet_files import read_rows
from baselines.data.release import Part, Release

#: The reason of a row whose image its host has removed: a placeholder, 404 or 410 (docs/curation.md).
GONE = "image_gone"

#: The reasons of tombstones, which hold nothing of a post but its id.
TOMBSTONES = ("removed_by_source", "opted_out")


@dataclass(frozen=True)
class TextOnly:
    """The labelled posts whose image is gone.

    `note`: why there is none. `left_out`: the number of other posts without an image, by reason.
    """

    part: Part | None
    note: str = ""
    left_out: dict[str, int] = field(default_factory=dict)


def gone(release: Release, folder: Path) -> TextOnly:
    """Return the posts of a release's folder whose image is gone, and that have a title and a label.

    Left out are posts that are in the release with another image, and titles that also occur in training.
    """
    whole = f"{release.name} {release.version}"
    if release.task.kind != "single":
        return TextOnly(None, f"{whole}: the file of dropped posts has one label a post, this task several")
    if not (paths := sorted(folder.glob("dropped-*.parquet"))):
        return TextOnly(None, f"{whole} has no file of dropped posts")
    columns = ["post_id", "label", "reason", "title"]
    rows = [row for path in paths for row in read_rows(path, columns=columns).to_pylist()]
    kept = set(release.everything().post_ids.tolist())
    known = {
        _plain(form) for text in release.parts["train"].texts for form in (text, text.partition("\n")[0])
    }
    posts: dict[str, tuple[str, int]] = {}
    left_out: Counter[str] = Counter()
    seen = set()
    for row in sorted(rows, key=lambda row: row["post_id"]):
        if row["reason"] not in (GONE, *TOMBSTONES) or row["post_id"] in kept or row["post_id"] in seen:
            continue
        seen.add(row["post_id"])
        title = row["title"] or ""
        if row["reason"] in TOMBSTONES:
            left_out["tombstones of deleted posts"] += 1
        elif not title.strip():
            left_out["without a title"] += 1
        elif row["label"] not in release.task.names:
            left_out["without a label of this task"] += 1
        elif _plain(title) in known:
            left_out["with a title of training"] += 1
        else:
            posts[row["post_id"]] = title, release.task.names.index(row["label"])
    note = "" if posts else f"{whole}: no post whose image is gone has a title and a label"
    return TextOnly(_part(posts) if posts else None, note, dict(left_out))


def _plain(text: str) -> str:
    """Return a text as titles are compared: lower-case, with single spaces."""
    return " ".join(text.lower().split())


def _part(posts: dict[str, tuple[str, int]]) -> Part:
    ids = np.array(list(posts), np.str_)
    texts, labels = zip(*posts.values(), strict=True)
    number = len(ids)
    return Part(
        post_ids=ids,
        image_index=np.zeros(number, np.int16),
        texts=np.array(texts, np.object_),
        target=np.array(labels, np.int64),
        labelled=np.ones(number, np.bool_),
        digests=np.full(number, "", np.object_),
        groups=np.unique([_plain(text) for text in texts], return_inverse=True)[1].astype(np.str_),
        where=np.zeros((number, 2), np.int64),
    )
