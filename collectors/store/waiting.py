"""The addresses of images that are to be fetched. Each function runs within the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """An image to fetch: its address, a second address of the same picture, and the requests made so far."""

    url: str
    kind: str
    fallback_url: str | None
    attempts: int = 0


def requeue(
    db: sqlite3.Connection, communities: Sequence[str], *, reasons_kept: Sequence[str], refused: bool
) -> int:
    """Make media with `retry` pending again, but for some reasons; with `refused` also refused ones."""
    communities_marks = ",".join("?" * len(communities))
    kept_marks = ",".join("?" * len(reasons_kept))
    return db.execute(
        "update media set status = 'pending' "
        "where (retry = 1 and status in ('failed', 'gone', 'stored') or ? and status = 'refused') "
        f"and coalesce(reason, '') not in ({kept_marks}) and post_id in "
        f"(select post_id from posts where community in ({communities_marks}))",
        (refused, *reasons_kept, *communities),
    ).rowcount


def pending_hosts(db: sqlite3.Connection, communities: Sequence[str]) -> dict[str, int]:
    """Return the number of pending images that no run has claimed, by host."""
    if set(_communities(db)) <= set(communities):  # the index has it all
        found = db.execute(
            "select host, count(*) from media indexed by media_work "
            "where status = 'pending' and claimed_by is null group by host"
        )
    else:
        marks = ",".join("?" * len(communities))
        found = db.execute(
            "select m.host, count(*) from media m join posts p using (post_id) "
            f"where m.status = 'pending' and m.claimed_by is null and p.community in ({marks}) "
            "group by m.host order by m.host",
            communities,
        )
    return dict(found.fetchall())


def _communities(db: sqlite3.Connection) -> list[str]:
    """Return the names of the store's communities, by a step in the index for each."""
    found = db.execute(
        "with recursive names (name) as (select min(community) from posts union all "
        "select (select min(community) from posts where community > name) from names "
        "where name is not null) select name from names where name is not null"
    )
    return [name for (name,) in found]


def claim(db: sqlite3.Connection, run_id: int, communities: Sequence[str], host: str, n: int) -> list[Task]:
    """Claim up to `n` addresses of a host for a run, those with the fewest attempts first."""
    marks = ",".join("?" * len(communities))
    # "cross join" makes SQLite read the index in its order; otherwise it would sort all that wait.
    found = db.execute(
        "select m.url, min(m.kind), "
        "max(case when m.sha256 is null then m.fallback_url end), "  # a stored preview isn't needed
        "m.attempts "
        "from media m indexed by media_work cross join posts p using (post_id) "
        "where m.status = 'pending' and m.claimed_by is null and m.host = ? "
        f"and p.community in ({marks}) "
        "group by m.attempts, m.ticket, m.url order by m.attempts, m.ticket, m.url limit ?",
        (host, *communities, n),
    ).fetchall()
    tasks: dict[str, Task] = {}
    for row in found:  # two posts may link to one address with different numbers of attempts
        tasks.setdefault(row[0], Task(*row))
    db.executemany(
        "update media set claimed_by = ? where url = ? and status = 'pending'",
        [(run_id, url) for url in tasks],
    )
    return list(tasks.values())
