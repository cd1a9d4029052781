"""The crawl store's SQLite schema, its version, and the migrations of older versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from collectors.store.rows import ticket_of

#: Written to `PRAGMA user_version`. A store of a newer version is refused, an older one is migrated.
STORE_VERSION = 7

#: `PRAGMA application_id`: "AFCT" in ASCII, by which `file crawl.sqlite` tells a crawl store.
APPLICATION_ID = 0x41464354

_TABLES = """
create table posts (
    post_id      text primary key,
    source       text not null,
    community    text not null,
    title        text not null,
    body         text not null,
    author       text,                -- a keyed hash, never a name
    created_at   integer,             -- Unix seconds, UTC
    taken        text,                -- of a photo, by its camera's clock: 2012-08-06 15:04:02
    score        integer,
    num_comments integer,
    votes        text not null,       -- JSON: label -> count
    votes_total  integer,
    label        text,
    source_label text,                -- what the source calls it, where a recipe maps it to `label`
    labels       text,                -- JSON: the labels that hold; null: not annotated
    split        text,                -- the published one
    tags         text not null default '[]',  -- JSON
    permalink    text,
    licence      text,
    licence_url  text,
    over_18      integer,
    removed      text,                -- the source's own reason; then all but id, place and time is empty
    generated    integer,             -- 1: a post of the sandbox; null: of its source
    observed_from text,               -- whose answer this is: oauth, archive, dump, index
    observed_at  integer,             -- when that one looked at the post: an archive's copy can be years old
    collected_at integer not null,
    media_key    text not null        -- digest of the links as resolved: unchanged links keep their images
);
create index posts_community on posts (community);

create table media (
    post_id      text not null references posts on delete cascade,
    position     integer not null,
    url          text not null,
    host         text not null,
    kind         text not null,
    status       text not null,
    reason       text,
    detail       text,
    retry        integer not null default 0,
    fallback_url text,
    final_url    text,                -- where the bytes came from, after redirects
    signals      text,                -- JSON: signals of consent as they came, name -> values
    refused_by   text,                -- the signal that asks not to use the image, honoured or not
    sha256       text,
    mime         text,
    width        integer,
    height       integer,
    frames       integer,
    bytes        integer,
    attempts     integer not null default 0,  -- how often it was asked for
    ticket       integer not null default 0,  -- its place among addresses with equally many attempts
    fetched_at   integer,
    claimed_by   integer,             -- the run that is fetching it now
    primary key (post_id, position)
);
create index media_url on media (url);
create index media_sha256 on media (sha256) where sha256 is not null;
-- in the order in which a host's addresses are asked
create index media_work on media (host, attempts, ticket, url)
    where status = 'pending' and claimed_by is null;

create table orphans (                -- files that no post has any more, deleted next
    sha256       text primary key,
    mime         text not null
);

create table walks (                  -- how far a walk over a source's pages has come
    walk         text primary key,
    cursor       text,
    done         integer not null default 0,
    updated_at   integer not null
);
create table reached (                -- where the posts of a listing, such as r/all, come from
    listing      text not null,
    community    text not null,
    primary key (listing, community)
) without rowid;
create table candidates (             -- posts of a walk whose best are known at its end
    walk         text not null,
    post_id      text not null,
    score        integer not null,
    record       blob not null,
    primary key (walk, post_id)
) without rowid;
create index candidates_rank on candidates (walk, score);

create table dumps (                  -- dump files that posts of a community were read from
    name         text not null,       -- the file's name, without its folder
    sha256       text not null,
    community    text not null,
    primary key (name, sha256, community)
) without rowid;

create table runs (
    run_id       integer primary key,
    command      text not null,
    started_at   integer not null,
    ended_at     integer,             -- null: still running, or killed
    summary      text
);
"""

#: What brings a store of a version up to the next one.
_MIGRATIONS = {
    1: (
        "alter table posts add column labels text",
        "alter table posts add column split text",
        "alter table posts add column tags text not null default '[]'",
    ),
    2: ("alter table posts add column taken text",),
    3: (
        "alter table media add column ticket integer not null default 0",
        "update media set ticket = ticket_of(url)",
        "drop index media_work",
        "create index media_work on media (host, attempts, ticket, url) "
        "where status = 'pending' and claimed_by is null",
        "create index if not exists media_sha256 on media (sha256) where sha256 is not null",
        "create table if not exists orphans (sha256 text primary key, mime text not null)",
        # Of a removed post a tombstone stays: see record.tombstone.
        "insert or ignore into orphans select sha256, mime from media join posts using (post_id) "
        "where removed is not null and sha256 is not null",
        "delete from media where post_id in (select post_id from posts where removed is not null)",
        "update posts set title = '', body = '', author = null, created_at = null, taken = null, "
        "score = null, num_comments = null, votes = '{}', votes_total = null, label = null, labels = null, "
        "split = null, tags = '[]', permalink = null, licence = null, licence_url = null, over_18 = null, "
        "media_key = '4f53cda18c2baa0c' where removed is not null",
        "delete from candidates where json_extract(cast(record as text), '$.removed') is not null "
        "or post_id in (select post_id from posts where removed is not null)",
    ),
    4: ("alter table posts add column generated integer",),
    5: (
        "alter table posts add column source_label text",
        "alter table posts add column observed_from text",
        "alter table posts add column observed_at integer",
        "alter table media add column signals text",
        "alter table media add column refused_by text",
        "create table if not exists reached (listing text not null, community text not null, "
        "primary key (listing, community)) without rowid",
        # Of a refused image `robots` had the name of the header too.
        "update media set signals = json_object('x-robots-tag', json_array("
        "case when robots like 'X-Robots-Tag: %' then substr(robots, 15) else robots end)) "
        "where robots is not null",
        "update media set refused_by = 'x-robots-tag' where status = 'refused'",
        "alter table media drop column robots",
    ),
    6: (
        "create table if not exists dumps (name text not null, sha256 text not null, "
        "community text not null, primary key (name, sha256, community)) without rowid",
    ),
}


def create(db: sqlite3.Connection) -> None:
    """Create the tables of an empty database."""
    with transaction(db):
        for statement in _TABLES.split(";\n"):
            if statement.strip():
                db.execute(statement)
        db.execute(f"pragma application_id = {APPLICATION_ID}")
        db.execute(f"pragma user_version = {STORE_VERSION}")


def migrate(db: sqlite3.Connection) -> None:
    """Bring a store of an older version up to date."""
    if version_of(db) == STORE_VERSION:
        return
    db.create_function("ticket_of", 1, ticket_of, deterministic=True)
    with transaction(db):
        # Another collector may have done this during the wait for the lock.
        for old in range(version_of(db), STORE_VERSION):
            for statement in _MIGRATIONS[old]:
                db.execute(statement)
        db.execute(f"pragma user_version = {STORE_VERSION}")


def version_of(db: sqlite3.Connection) -> int:
    """Return the version of a store."""
    return int(db.execute("pragma user_version").fetchone()[0])


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Run the block as one transaction, which an error rolls back."""
    db.execute("begin immediate")
    try:
        yield
        db.execute("commit")
    except BaseException:
        # If the disk is full, SQLite may have rolled back already. What failed first is the error to report.
        if db.in_transaction:
            with suppress(sqlite3.Error):
                db.execute("rollback")
        raise
