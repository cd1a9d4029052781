"""What a crawl store keeps of a post. The store may be of any version: it is read as it is, not migrated."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from affectory.core.errors import StoreError
from collectors.store import database, values
from collectors.store.reading import connect
from collectors.store.record import Post

#: Columns of a post that are empty in a tombstone.
_CONTENT = ("title", "body", "author", "permalink", "label", "taken")


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store keeps of one post.

    `has_post` says whether there is a row of it, `removed` is the source's reason, `has_content` says
    whether that row is more than a tombstone. `links` counts media; `images` are (sha256, MIME type) of
    those that are stored. `candidates` counts walks that keep the post as a candidate, `buried` those that
    keep a tombstone of it.
    """

    has_post: bool = False
    removed: str | None = None
    permalink: str | None = None
    has_content: bool = False
    links: int = 0
    images: tuple[tuple[str, str], ...] = ()
    candidates: int = 0
    buried: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """How much a store holds: posts that aren't removed, and images that are stored, or still to fetch."""

    posts: int
    stored: int
    waiting: int
    communities: frozenset[str]


@dataclass(frozen=True, slots=True)
class Here:
    """What a crawl finds in a folder: whether there is a store, and if so its posts by community.

    `waiting` counts images that are still to fetch.
    """

    folder: Path
    exists: bool = False
    posts: Mapping[str, int] = field(default_factory=dict)
    waiting: int = 0


def stores(folder: Path) -> Iterator[Path]:
    """Yield the crawl stores in a folder."""
    yield from (path.parent for path in sorted(folder.glob("*/crawl.sqlite")))


def held(store: Path) -> Held:
    """Return how much the store in this folder holds. Raises `StoreError` if it can't be read."""
    try:
        with closing(connect(store)) as db:
            (posts,) = db.execute("select count(*) from posts where removed is null").fetchone()
            media = dict(db.execute("select status, count(*) from media group by status").fetchall())
            communities = frozenset(row[0] for row in db.execute("select distinct community from posts"))
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"the store {str(store)!r} can't be read: {error}") from error
    return Held(posts, media.get("stored", 0), media.get("pending", 0), communities)


def here(folder: Path) -> Here:
    """Return what a crawl into this folder would find there.

    Raises `AffectoryError` if there is a store that can't be read, or no folder can be made.
    """
    database.check_place(folder)
    if not (folder / database.NAME).is_file():
        return Here(folder)
    found = held(folder)
    with closing(connect(folder)) as db:
        posts = db.execute("select community, count(*) from posts where removed is null group by community")
        return Here(folder, True, dict(posts.fetchall()), found.waiting)


def known(store: Path, post_ids: Collection[str]) -> int:
    """Return how many of these posts the store in this folder has; 0 if there is no store."""
    if not (store / database.NAME).is_file():
        return 0
    with closing(connect(store)) as db:
        return sum(post_id in post_ids for (post_id,) in db.execute("select post_id from posts"))


def kept(store: Path, post_id: str) -> Kept:
    """Return what the store in this folder keeps of a post. Raises `StoreError` if it can't be read."""
    try:
        with closing(connect(store)) as db:
            db.row_factory = sqlite3.Row
            row = db.execute("select * from posts where post_id = ?", (post_id,)).fetchone()
            media = db.execute("select sha256, mime from media where post_id = ?", (post_id,)).fetchall()
            walks = db.execute("select record from candidates where post_id = ?", (post_id,)).fetchall()
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"the store {str(store)!r} can't be read: {error}") from error
    for (record,) in walks:
        if not values.CANDIDATES["record"].fits(record):
            raise values.error(store, post_id, "record", record)
    # A walk keeps the rank of a removed candidate, with a tombstone as its record.
    buried = sum(msgspec.json.decode(record, type=Post).removed is not None for (record,) in walks)
    post = {} if row is None else dict(row)
    return Kept(
        has_post=row is not None,
        removed=post.get("removed"),
        permalink=post.get("permalink"),
        has_content=any(post.get(column) for column in _CONTENT),
        links=len(media),
        images=tuple((row["sha256"], row["mime"]) for row in media if row["sha256"]),
        candidates=len(walks) - buried,
        buried=buried,
    )


def keeps_public(store: Path, posts: Collection[str]) -> bool:
    """Return whether a store keeps one of these posts without knowing that it is removed.

    False if the folder's `crawl.sqlite` is not a crawl store.
    """
    try:
        with closing(connect(store)) as db:
            found = db.execute("select post_id from posts where removed is null")
            return any(post_id in posts for (post_id,) in found)
    except (sqlite3.Error, OSError, StoreError):
        return False
