"""From a crawl store to tables of rows, shard by shard in the order of the post ids.

Everything is read from one snapshot of the store (`curation.rows.snapshot`), which `plan` takes. Shards hold
a fixed number of posts, whatever the number of workers and the order of the store's rows, so that what is
built from them doesn't depend on either.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from affectory.core.errors import AffectoryError
from collectors.store import Store
from curation.filters.stage import ROWS
from curation.recipe.recipe import Recipe
from curation.rows import snapshot
from curation.rows.attribution import attribution
from curation.rows.votes import labelled

#: Posts in a shard: of posts with images, and of posts whose images aren't read.
WITH_IMAGES, TEXT_ONLY = 500, 25_000


class EmptyStore(AffectoryError):
    """A store without posts of the recipe's communities."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The posts from one id to another, both included."""

    number: int
    first: str
    last: str


def plan(store: Store, recipe: Recipe, scratch: Path) -> list[Shard]:
    """Take the snapshot that a build reads, and cut its posts into shards. Raises `EmptyStore`.

    The snapshot goes to `scratch`, the folder of the build.
    """
    if not snapshot.take(store, recipe.communities, _posts_columns(recipe), _MEDIA, scratch):
        held = [name for (name,) in store.db.execute("select distinct community from posts order by 1")]
        raise EmptyStore(
            f"the store {str(store.folder)!r} has no posts of {', '.join(recipe.communities)}; it holds "
            f"{', '.join(held) or 'no posts at all'}: collect them first, or name another --store"
        )
    size = TEXT_ONLY if recipe.images.which == "none" else WITH_IMAGES
    shards: list[Shard] = []
    with snapshot.opened(scratch) as db:
        found = db.execute("select post_id from posts order by post_id")
        while ids := found.fetchmany(size):
            shards.append(Shard(len(shards), ids[0][0], ids[-1][0]))
    return shards


def unasked(store: Store, recipe: Recipe) -> list[str]:
    """Return a note on what the store holds and the labels leave out, where these say what is read."""
    if recipe.source.communities:
        return []
    counted = store.db.execute("select community, count(*) from posts group by 1 order by 1").fetchall()
    others = [f"{name!r} ({n:,})" for name, n in counted if name not in recipe.communities]
    if not others:
        return []
    more = f" and {len(others) - 8:,} more" * (len(others) > 8)
    return [f"the store also holds posts of {', '.join(others[:8])}{more}, which the recipe doesn't ask for"]


_POSTS = (
    "post_id, source, community, title, body, score, votes, votes_total, label, permalink, licence, "
    "licence_url, over_18, removed, created_at"
)


def _posts_columns(recipe: Recipe) -> str:
    """Return the columns of posts that a recipe reads; others may change and nothing is built anew."""
    return (
        _POSTS + ", labels" * (recipe.multilabel is not None) + ", split" * ("split" in recipe.rule.columns)
    )


_MEDIA = "post_id, position, status, reason, url, sha256, mime, width, height, frames"


def read(db: sqlite3.Connection, shard: Shard, recipe: Recipe, *, every_medium: bool = False) -> pa.Table:
    """Return a shard's rows, in the order of post id and image.

    With `every_medium` each medium of a post is a row, stored or not; else those that the recipe asks for.
    """
    posts = db.execute(
        f"select {_posts_columns(recipe)} from posts where post_id between ? and ? order by post_id",
        (shard.first, shard.last),
    ).fetchall()
    media = _rows_media(db, shard, "every" if every_medium else recipe.images.which)
    rows: list[tuple[Any, ...]] = []
    for post in posts:
        for index, medium in enumerate(media.get(post[0], [_NO_MEDIUM])):
            rows.append((*post, index, *medium))
    return _table(rows, recipe)


def digest(shard: Shard, scratch: Path, recipe: Recipe) -> str:
    """Return a digest of all that a shard's rows are made from; other communities' posts change nothing."""
    between = (shard.first, shard.last)
    sha256 = hashlib.sha256()
    with snapshot.opened(scratch) as db:
        posts = db.execute(
            f"select {_posts_columns(recipe)} from posts where post_id between ? and ? order by 1", between
        )
        while rows := posts.fetchmany(1000):
            sha256.update(repr(rows).encode())
        media = db.execute(f"select {_MEDIA} from media where post_id between ? and ? order by 1, 2", between)
        while rows := media.fetchmany(1000):
            sha256.update("".join(map(repr, rows)).encode())
    return sha256.hexdigest()


_NO_MEDIUM: tuple[Any, ...] = ("none", None, None, None, None, None, None, None)


def _rows_media(db: sqlite3.Connection, shard: Shard, which: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return the media that become rows, by post: every one, all stored, or one for the post."""
    found = db.execute(
        f"select {_MEDIA} from media where post_id between ? and ? order by post_id, position",
        (shard.first, shard.last),
    )
    by_post: dict[str, list[tuple[Any, ...]]] = {}
    for post_id, _, *medium in found:
        by_post.setdefault(post_id, []).append(tuple(medium))
    if which == "every":
        return by_post
    for post_id, media in by_post.items():
        stored = [medium for medium in media if medium[0] == "stored"]
        if which == "all" and stored:
            by_post[post_id] = stored
        else:
            # The image, or of what failed the one that was nearest to being one.
            by_post[post_id] = [min(stored or media, key=lambda medium: _NEAREST.get(medium[0], 9))]
    return by_post


_NEAREST = {"stored": 0, "pending": 1, "failed": 2, "refused": 3, "gone": 4, "not_image": 5}


def _table(rows: Sequence[tuple[Any, ...]], recipe: Recipe) -> pa.Table:
    names = [*_posts_columns(recipe).replace(" ", "").split(","), "image_index", "media_status"]
    names += ["media_reason", "image_url", "image_sha256", "image_mime", "image_width", "image_height"]
    names += ["image_frames"]
    columns: dict[str, Sequence[Any]] = dict(zip(names, zip(*rows, strict=True), strict=True))
    voted = labelled(columns, recipe)
    columns["unmapped"] = _unmapped(columns, voted["label"], voted["agreeing"], recipe)
    columns |= voted
    if "labels" in columns:
        columns["labels"] = [None if said is None else json.loads(said) for said in columns["labels"]]
    parts = [columns[part] for part in recipe.text.parts]
    columns["text"] = (
        parts[0] if len(parts) == 1 else ["\n".join(filter(None, p)) for p in zip(*parts, strict=True)]
    )
    columns["over_18"] = [None if value is None else bool(value) for value in columns["over_18"]]
    said = ("source", "post_id", "community", "permalink", "licence", "licence_url")
    columns["attribution"] = [attribution(*one) for one in zip(*(columns[key] for key in said), strict=True)]
    # A file on disk has no address that means something to others: local://NAME/PATH.
    columns["image_url"] = [url if url and url.startswith("http") else None for url in columns["image_url"]]
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(len(rows), field.type)
        for field in ROWS
    ]
    return pa.Table.from_arrays(arrays, schema=ROWS)


def _unmapped(
    columns: dict[str, Sequence[Any]],
    labels: Sequence[str | None],
    agreeing: Sequence[int | None],
    recipe: Recipe,
) -> list[str | None]:
    """Return what a row is labelled where the recipe maps it to no label: an oversight of the recipe's.

    A row of a table on disk may have no label at all; a post of a community always has that one.
    """
    has_own = recipe.source.local is not None
    return [
        (own if own is not None or has_own else community) if label is None and votes is None else None
        for label, votes, own, community in zip(
            labels, agreeing, columns["label"], columns["community"], strict=True
        )
    ]
