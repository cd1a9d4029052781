"""Posts and media as rows of the crawl store. Each function runs within the caller's transaction."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from affectory.core.errors import StoreError
from collectors.store.layout import media_path
from collectors.store.record import Media, Outcome, Post, from_json, tombstone

_POST_COLUMNS = [f.name for f in fields(Post) if f.name != "media"]
_values_of = attrgetter(*_POST_COLUMNS)
_MEDIA_COLUMNS = [f.name for f in fields(Media)]
_INSERT_POST = (
    f"insert into posts ({', '.join(_POST_COLUMNS)}, media_key) "
    f"values ({', '.join('?' * (len(_POST_COLUMNS) + 1))}) on conflict (post_id) do update set "
    + ", ".join(f"{c} = excluded.{c}" for c in [*_POST_COLUMNS[1:], "media_key"])
)
#: The last columns of a post, `observed_from`, `observed_at` and `collected_at`, say nothing of its contents.
_SET_OBSERVED = "update posts set observed_from = ?, observed_at = ? where post_id = ?"
_INSERT_MEDIA = (
    f"insert into media (post_id, host, ticket, {', '.join(_MEDIA_COLUMNS)}) "
    f"values ({', '.join('?' * (len(_MEDIA_COLUMNS) + 3))})"
)


def host_of(url: str) -> str:
    """Return the host of an address in lower case; "" if it has none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def ticket_of(url: str) -> int:
    """Return an address's place in the random order among those with equally many attempts."""
    return zlib.crc32(url.encode())


#: Posts that are compared with the store's at once.
_COMPARED = 500


def upsert(db: sqlite3.Connection, posts: Iterable[Post]) -> Counter[str]:
    """Write posts, or the tombstones of removed ones. Count `new`, `updated` and `known` (unchanged) ones.

    A post that the store has from a later observation is `known`, whatever this one says.
    """
    left = iter(posts)
    counts: Counter[str] = Counter()
    while some := list(islice(left, _COMPARED)):
        rows = _rows(db, [post.post_id for post in some])
        for post in some:
            outcome = _upsert(db, post, rows.get(post.post_id))
            if outcome != "known":  # the same post may follow
                rows |= _rows(db, [post.post_id])
            counts[outcome] += 1
    return counts


def _rows(db: sqlite3.Connection, post_ids: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Return the rows of these posts by id, with their `media_key` at the end."""
    marks = ",".join("?" * len(post_ids))
    columns = ", ".join(_POST_COLUMNS)
    found = db.execute(f"select {columns}, media_key from posts where post_id in ({marks})", post_ids)
    return {row[0]: row for row in found}


def _upsert(db: sqlite3.Connection, post: Post, old: tuple[Any, ...] | None) -> str:
    """Write a post; `old` is its row."""
    post = post if post.collected_at else replace(post, collected_at=int(time.time()))
    if post.removed is not None:
        post = tombstone(post)
    values = _post_values(post)
    media_key = _media_key(post.media)
    if old is not None:
        *said, was_from, was_at, was_collected, was_key = old
        if _is_older(post, was_from, was_at, was_collected):
            return "known"
        if said == values[: len(said)] and was_key == media_key:
            if (was_from, was_at) != (post.observed_from, post.observed_at):
                db.execute(_SET_OBSERVED, (post.observed_from, post.observed_at, post.post_id))
            return "known"
    db.execute(_INSERT_POST, (*values, media_key))
    if old is None or old[-1] != media_key:
        _write_media(db, post)
    if post.removed is not None:
        _forget_candidate(db, post.post_id)
    return "new" if old is None else "updated"


def _is_older(post: Post, was_from: str | None, was_at: int | None, was_collected: int) -> bool:
    """Return whether the store's record of a post was observed later than this one.

    A record that doesn't say when it was observed is older than one that does. A row of before version 6 may
    have been Reddit's answer when it was collected, or an archive's old copy: a removal replaces it anyway.
    """
    if post.observed_from is None or (was_from is None and post.removed is not None):
        return False
    held = was_at if was_from is not None else was_collected
    return held is not None and (post.observed_at is None or post.observed_at < held)


def bury(db: sqlite3.Connection, posts: Sequence[Post]) -> None:
    """Replace these removed posts by tombstones if the store has them, as posts or as candidates."""
    for post in posts:
        if db.execute("select 1 from posts where post_id = ?", (post.post_id,)).fetchone():
            upsert(db, [post])
        else:
            _forget_candidate(db, post.post_id)


def _forget_candidate(db: sqlite3.Connection, post_id: str) -> None:
    db.execute(
        "delete from candidates where post_id = ? and walk in (select walk from walks)",  # by its primary key
        (post_id,),
    )


def posts(db: sqlite3.Connection, post_ids: Sequence[str]) -> list[Post]:
    """Return those of these posts that are there. Their media have links, not outcomes."""
    marks = ",".join("?" * len(post_ids))
    media: dict[str, list[Media]] = {}
    links = f"select post_id, url, position, kind, fallback_url from media where post_id in ({marks})"
    for post_id, url, position, kind, fallback_url in db.execute(f"{links} order by 1, 3", post_ids):
        media.setdefault(post_id, []).append(Media(url, position, kind, fallback_url=fallback_url))
    found = db.execute(f"select {', '.join(_POST_COLUMNS)} from posts where post_id in ({marks})", post_ids)
    return [_as_post(dict(zip(_POST_COLUMNS, row, strict=True)), media) for row in found.fetchall()]


def _as_post(row: dict[str, Any], media: dict[str, list[Media]]) -> Post:
    row["votes"] = from_json(row["votes"], dict, row["post_id"], "votes")
    for name in ("tags", "labels"):
        row[name] = None if row[name] is None else tuple(from_json(row[name], list, row["post_id"], name))
    for name in ("over_18", "generated"):
        row[name] = None if row[name] is None else bool(row[name])
    return Post(**row, media=tuple(media.get(row["post_id"], ())))


def _post_values(post: Post) -> list[Any]:
    values = list(_values_of(post))
    values[_VOTES] = _as_json(dict(sorted(post.votes.items()))) if post.votes else "{}"
    values[_TAGS] = _as_json(post.tags) if post.tags else "[]"
    values[_LABELS] = None if post.labels is None else _as_json(post.labels)
    return values


_VOTES, _TAGS, _LABELS = (_POST_COLUMNS.index(name) for name in ("votes", "tags", "labels"))
_as_json = json.JSONEncoder(ensure_ascii=False).encode


def has_authors(db: sqlite3.Connection) -> bool:
    """Return whether a post or a candidate has the hash of its author."""
    found = db.execute(
        "select exists (select 1 from posts where author is not null) or exists (select 1 from candidates "
        "where json_extract(cast(record as text), '$.author') is not null)"
    )
    return bool(found.fetchone()[0])


def _media_key(media: Sequence[Media]) -> str:
    """Return a digest of the links. A link whose post was removed counts as another link."""
    links = [
        (m.url, m.kind, m.fallback_url, *([m.reason] if m.reason == "post_removed" else [])) for m in media
    ]
    return hashlib.sha256(json.dumps(links).encode()).hexdigest()[:16]


_FETCHED = (
    "status, reason, detail, retry, final_url, signals, refused_by, sha256, mime, width, height, frames, "
    "bytes, attempts, fetched_at"
)


def _write_media(db: sqlite3.Connection, post: Post) -> None:
    """Replace a post's media. An address that was fetched before keeps its outcome."""
    outcomes = {
        medium.url: db.execute(
            f"select {_FETCHED} from media where url = ? and fetched_at is not null limit 1", (medium.url,)
        ).fetchone()
        for medium in post.media
        if medium.status == "pending"
    }
    db.execute(
        "insert or ignore into orphans select sha256, mime from media "
        "where post_id = ? and sha256 is not null",
        (post.post_id,),
    )
    db.execute("delete from media where post_id = ?", (post.post_id,))
    for medium in post.media:
        _insert_medium(db, post.post_id, medium, outcomes.get(medium.url))


def _insert_medium(
    db: sqlite3.Connection, post_id: str, medium: Media, outcome: tuple[Any, ...] | None
) -> None:
    url = medium.url
    values = (getattr(medium, column) for column in _MEDIA_COLUMNS)
    db.execute(_INSERT_MEDIA, (post_id, host_of(url), ticket_of(url), *values))
    if outcome is not None:
        marks = ", ".join("?" * len(outcome))
        db.execute(
            f"update media set ({_FETCHED}) = ({marks}) where post_id = ? and position = ?",
            (*outcome, post_id, medium.position),
        )


def settle(db: sqlite3.Connection, url: str, outcome: Outcome, tries: int) -> bool:
    """Write the outcome of an address after `tries` requests; return whether any row names its file now.

    No row does if the posts were dropped while the address was fetched.
    """
    settled = db.execute(
        "update media set status = ?, reason = ?, detail = ?, retry = ?, final_url = ?, signals = ?, "
        "refused_by = ?, sha256 = ?, mime = ?, width = ?, height = ?, frames = ?, bytes = ?, "
        "attempts = attempts + ?, fetched_at = ?, claimed_by = null "
        "where url = ? and status = 'pending'",
        (
            outcome.status,
            outcome.reason,
            outcome.detail,
            outcome.retry,
            outcome.final_url,
            json.dumps(dict(outcome.signals), ensure_ascii=False) if outcome.signals else None,
            outcome.refused_by,
            outcome.sha256,
            outcome.mime,
            outcome.width,
            outcome.height,
            outcome.frames,
            outcome.bytes,
            tries,
            int(time.time()),
            url,
        ),
    ).rowcount
    named = "select 1 from media where sha256 = ? limit 1"
    return settled > 0 or db.execute(named, (outcome.sha256,)).fetchone() is not None


def hand_back(db: sqlite3.Connection, url: str) -> None:
    """Give up the claim on an address."""
    db.execute("update media set claimed_by = null where url = ? and status = 'pending'", (url,))


def keep_preview(db: sqlite3.Connection, url: str, outcome: Outcome, tries: int) -> None:
    """Keep the preview that is stored for an address, if its original still failed or is gone."""
    again = outcome.retry
    db.execute(
        "update media set status = 'stored', retry = ?, reason = ?, detail = ?, attempts = attempts + ?, "
        "claimed_by = null where url = ? and status = 'pending' and sha256 is not null",
        (again, outcome.reason if again else None, outcome.detail if again else None, tries, url),
    )


def release_preview(db: sqlite3.Connection, url: str) -> None:
    """Note the file of the preview that is stored for an address, before another outcome replaces it."""
    db.execute(
        "insert or ignore into orphans select sha256, mime from media "
        "where url = ? and status = 'pending' and sha256 is not null",
        (url,),
    )


def replace_media(db: sqlite3.Connection, url: str, images: Sequence[Media]) -> None:
    """Replace an album's address by its images, in order, in every post that links to it."""
    release_preview(db, url)
    holders = db.execute(
        "select post_id, position from media where url = ? and status = 'pending'", (url,)
    ).fetchall()
    for post_id, position in holders:
        db.execute("delete from media where post_id = ? and position = ?", (post_id, position))
        # Rows after the album move up, the last one first: (post_id, position) is the key.
        behind = db.execute(
            "select position from media where post_id = ? and position > ? order by position desc",
            (post_id, position),
        ).fetchall()
        for (old,) in behind:
            db.execute(
                "update media set position = ? where post_id = ? and position = ?",
                (old + len(images) - 1, post_id, old),
            )
        for offset, image in enumerate(images):
            outcome = db.execute(
                f"select {_FETCHED} from media where url = ? and fetched_at is not null limit 1", (image.url,)
            ).fetchone()
            medium = replace(image, position=position + offset)
            _insert_medium(db, post_id, medium, outcome if image.status == "pending" else None)


def set_walk(db: sqlite3.Connection, walk: str, cursor: str | None, *, done: bool) -> None:
    """Write a walk's progress."""
    db.execute(
        "insert into walks (walk, cursor, done, updated_at) values (?, ?, ?, ?) on conflict (walk) "
        "do update set cursor = excluded.cursor, done = excluded.done, updated_at = excluded.updated_at",
        (walk, cursor, done, int(time.time())),
    )


def add_candidates(db: sqlite3.Connection, walk: str, posts: Sequence[Post], limit: int) -> None:
    """Add these posts to a walk's candidates, and keep the `limit` best-scored of all.

    A removed post keeps its rank until the walk ends, so that no other post takes its place. So does a post
    that is removed by a later observation, of which an archive may still give the text.
    """
    posts = [_as_removed(db, post) for post in posts]
    bury(db, [post for post in posts if post.removed is not None])
    db.executemany(
        "insert or replace into candidates (walk, post_id, score, record) values (?, ?, ?, ?)",
        [
            (walk, p.post_id, _rank(p), msgspec.json.encode(p if p.removed is None else tombstone(p)))
            for p in posts
        ],
    )
    db.execute(
        "delete from candidates where walk = ?1 and post_id in (select post_id from candidates "
        "where walk = ?1 order by score desc, post_id limit -1 offset ?2)",
        (walk, limit),
    )


def repeats(db: sqlite3.Connection, walk: str, posts: Sequence[Post]) -> set[int]:
    """Return the positions of posts that repeat an earlier one of the walk: of this run, or a candidate.

    The ids of this run are kept in a table of the connection, as a dump may have more than fit into memory.
    """
    db.execute(
        "create temp table if not exists seen (walk, post_id, primary key (walk, post_id)) without rowid"
    )
    if db.execute("select 1 from temp.seen where walk = ? limit 1", (walk,)).fetchone() is None:
        db.execute("insert into temp.seen select walk, post_id from candidates where walk = ?", (walk,))
    add = "insert or ignore into temp.seen values (?, ?)"
    return {n for n, post in enumerate(posts) if not db.execute(add, (walk, post.post_id)).rowcount}


def _as_removed(db: sqlite3.Connection, post: Post) -> Post:
    """Return the post with the store's reason for its removal, if that was observed later than the post."""
    held = db.execute(
        "select removed, observed_from, observed_at, collected_at from posts "
        "where post_id = ? and removed is not null",
        (post.post_id,),
    ).fetchone()
    return post if held is None or not _is_older(post, *held[1:]) else replace(post, removed=held[0])


def best_candidates(db: sqlite3.Connection, walk: str, limit: int) -> list[Post]:
    """Return a walk's best-scored candidates, the best first."""
    found = db.execute(
        "select record from candidates where walk = ? order by score desc, post_id limit ?", (walk, limit)
    )
    try:
        return [msgspec.json.decode(record, type=Post) for (record,) in found]
    except msgspec.DecodeError as error:
        raise StoreError(
            f"a candidate of the walk {walk!r} is damaged ({error}): restore the store from a copy; "
            "affectory verify names it"
        ) from error


def _rank(post: Post) -> int:
    return post.score if post.score is not None else -(2**63)


def ask_for_unnamed(db: sqlite3.Connection) -> int:
    """Make stored images pending that lack their digest or their type; return how many."""
    return db.execute(
        "update media set status = 'pending', sha256 = null where (sha256 is null or mime is null) and "
        "(status = 'stored' or status = 'pending' and sha256 is not null)"
    ).rowcount


def delete_orphans(db: sqlite3.Connection, folder: Path) -> None:
    """Delete the image files of `orphans`, except those that a post still has."""
    found = db.execute(
        "select sha256, mime from orphans where not exists "
        "(select 1 from media where media.sha256 = orphans.sha256)"
    )
    for sha256, mime in found.fetchall():
        media_path(folder, sha256, mime).unlink(missing_ok=True)
    db.execute("delete from orphans")
