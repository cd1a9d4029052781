"""Merging: which of two stores' copies of a post and of its images is kept. Runs within a transaction.

The newer observation of a post wins; at the same age an answer of Reddit's API wins over an archive's, else
the copy that is there stays. A tombstone is replaced only by a copy that says it was observed later, so that
a deletion isn't undone by an older copy that was collected later.

Of an image the copy that is stored wins over one that isn't, however old, because links rot. Only a later
refusal by its host wins over it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from collectors.store import rows
from collectors.store.reading import Record, Row
from collectors.store.record import Post

#: Columns of media that say where an image is in its post. The others are the outcome of fetching it.
_PLACE = ("post_id", "position", "url", "host", "kind", "fallback_url", "ticket", "claimed_by")

#: Columns of posts that say when and by whom a post was observed.
_OBSERVED = ("observed_from", "observed_at", "collected_at")

#: Puts the file of a stored image into the store, and returns whether it is there.
Bring = Callable[[Row], bool]


def merge(db: sqlite3.Connection, theirs: Record, bring: Bring, *, authors: bool) -> str:
    """Merge another store's copy of a post. Return `new`, `replaced` or `known` (nothing else was changed).

    Without `authors` that store's hashes of authors are left out: they have another key.
    """
    ours = _ours(db, str(theirs.post["post_id"]))
    if not authors:
        theirs = _without_author(theirs, ours)
    if theirs == ours and ours is not None and all(bring(row) for row in ours.media if _has_file(row)):
        return "known"
    is_newer = ours is None or _wins(theirs, ours)
    winner, loser = (theirs, ours) if is_newer else (ours, theirs)
    assert winner is not None
    if winner.is_removed:
        if is_newer:
            rows.upsert(db, [_tombstone(winner.post)])
    else:
        copies, links = (theirs, ours), _links(winner, loser)
        media = tuple(_with_best_outcome(db, row, copies, bring) for row in links)
        if ours is None or winner.post != ours.post or media != ours.media:
            _write(db, winner.post, media)  # also where only an image of the other copy was added
    if ours is None:
        return "new"
    return "replaced" if is_newer and _content(theirs) != _content(ours) else "known"


def _ours(db: sqlite3.Connection, post_id: str) -> Record | None:
    found = _select(db, "select * from posts where post_id = ?", post_id)
    if not found:
        return None
    media = _select(db, "select * from media where post_id = ? order by position", post_id)
    return Record(found[0], tuple(media))


def _select(db: sqlite3.Connection, query: str, key: str) -> list[Row]:
    cursor = db.execute(query, (key,))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def _without_author(theirs: Record, ours: Record | None) -> Record:
    """Return their copy with our hash of the author, if both stores have one, else with none."""
    known = ours.post["author"] if ours is not None and theirs.post["author"] is not None else None
    return replace(theirs, post={**theirs.post, "author": known})


def _wins(theirs: Record, ours: Record) -> bool:
    if theirs.is_removed != ours.is_removed:
        return _undoes(theirs, ours) if ours.is_removed else not _undoes(ours, theirs)
    return _age(theirs) > _age(ours)


def _undoes(public: Record, tombstone: Record) -> bool:
    """Return whether a copy shows that a removed post came back: it says when it was observed, and later."""
    return public.post["observed_at"] is not None and public.seen_at > tombstone.seen_at


def _age(record: Record) -> tuple[int, bool]:
    return record.seen_at, record.post["observed_from"] == "oauth"


def _content(record: Record) -> Mapping[str, Any]:
    return {name: value for name, value in record.post.items() if name not in _OBSERVED}


def _tombstone(post: Row) -> Post:
    names = ("post_id", "source", "community", "removed", "collected_at", "observed_from", "observed_at")
    marked = None if post["generated"] is None else bool(post["generated"])
    return Post(**{name: post[name] for name in names}, title="", generated=marked)


def _links(winner: Record, loser: Record | None) -> Sequence[Row]:
    """Return the media of the winner, or of the other copy if that one has opened an album in it."""
    if loser is None or loser.is_removed or loser.post["media_key"] != winner.post["media_key"]:
        return winner.media
    if [row["url"] for row in winner.media] == [row["url"] for row in loser.media]:
        return winner.media
    return max(winner.media, loser.media, key=lambda media: (sum(map(_has_file, media)), len(media)))


def _has_file(row: Row) -> bool:
    """Return whether the store has a file for it: the image, or a preview while the original is asked for."""
    return bool(row["status"] == "stored" or (row["status"] == "pending" and row["sha256"]))


def _with_best_outcome(
    db: sqlite3.Connection, row: Row, copies: Sequence[Record | None], bring: Bring
) -> Row:
    """Return a link with the best outcome that either store has for its address; other posts get it too."""
    url = row["url"]
    known = [one for copy in copies if copy is not None for one in copy.media if one["url"] == url]
    others = _select(db, "select * from media where url = ?", url)
    ranked = sorted([row, *known, *others], key=_worth, reverse=True)
    lost = {**row, "status": "pending", "reason": None, "detail": None, "sha256": None}
    best = next((one for one in ranked if not _has_file(one) or bring(one)), lost)
    outcome = {name: value for name, value in best.items() if name not in _PLACE}
    for other in others:
        if other["post_id"] != row["post_id"] and _worth(other) < _worth(best):
            _drop_files(db, str(other["post_id"]))
            names = ", ".join(outcome)
            db.execute(
                f"update media set ({names}) = ({', '.join('?' * len(outcome))}) "
                "where post_id = ? and position = ?",
                (*outcome.values(), other["post_id"], other["position"]),
            )
    place = {name: row[name] for name in _PLACE}
    return {**row, **outcome, **place, "ticket": rows.ticket_of(url), "claimed_by": None}


def _worth(row: Row) -> tuple[int, int]:
    kind = {"stored": 2, "refused": 2, "pending": int(_has_file(row))}.get(str(row["status"]), 1)
    return kind, int(row["fetched_at"] or 0)


def _write(db: sqlite3.Connection, post: Row, media: Sequence[Row]) -> None:
    """Write a post and its media in place of those that are there."""
    _drop_files(db, str(post["post_id"]))
    db.execute("delete from media where post_id = ?", (post["post_id"],))
    values = ", ".join("?" * len(post))
    changed = ", ".join(f"{name} = excluded.{name}" for name in post if name != "post_id")
    db.execute(
        f"insert into posts ({', '.join(post)}) values ({values}) "
        f"on conflict (post_id) do update set {changed}",
        tuple(post.values()),
    )
    for row in media:
        db.execute(
            f"insert into media ({', '.join(row)}) values ({', '.join('?' * len(row))})", tuple(row.values())
        )


def _drop_files(db: sqlite3.Connection, post_id: str) -> None:
    """Have the files of a post deleted after the commit, unless a post has them then."""
    db.execute(
        "insert or ignore into orphans select sha256, mime from media "
        "where post_id = ? and sha256 is not null",
        (post_id,),
    )
