"""The crawl store: one folder with `crawl.sqlite`, `media/ab/abcdef….jpg` and `author.key`.

A process may be killed at any instant. Each page of posts is one transaction, together with the walk's
cursor. An image file is complete before it gets its name, and has its name before its row says `stored`. A
run holds an exclusive lock on a file of its own; the next run releases a dead run's claims and removes its
half-written files (`runs.take_over`).

    with Store.open("data/reddit") as store, store.run("collectors.reddit …") as run:
        store.add([post, …])
        for task in store.claim(run, host="i.redd.it", n=8): …
        store.settle(task.url, outcome)
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from affectory.core.errors import StoreError, some
from collectors.store import database, merging, rows, runs, waiting
from collectors.store.files import Files
from collectors.store.keys import make_key, read_key
from collectors.store.layout import EXTENSIONS, explained, media_path
from collectors.store.reading import Record
from collectors.store.record import Media, Outcome, Post
from collectors.store.runs import Run
from collectors.store.schema import transaction
from collectors.store.waiting import Task


class Store:
    """A crawl store, open for reading and writing. Close it, or use it as a context manager."""

    def __init__(self, folder: Path, db: sqlite3.Connection, *, read_only: bool = False) -> None:
        self.folder = folder
        self.read_only = read_only
        self._db = db

    @classmethod
    def open(cls, folder: str | Path, *, create: bool = True, write: bool = True) -> Self:
        """Open the store in `folder`; create it if it isn't there.

        With `create=False` there must be one; where it can't be written, or without `write`, it is only read.
        Raises `StoreError` if the folder is a file, or its database isn't a crawl store or is of a newer
        version.
        """
        folder = Path(folder)
        database.check_place(folder)
        path = folder / database.NAME
        if not create and not path.is_file():
            near = sorted(str(one.parent) for one in folder.parent.glob(f"*/{database.NAME}"))
            there = f" ({folder.parent} has {some(near)})" if near else ""
            raise StoreError(f"there is no crawl store in {str(folder)!r}: name one with --store{there}")
        with explained(folder):
            if path.exists():
                database.check(folder)
            if not create and not (write and database.writable(folder)):
                return cls(folder, database.to_read(folder), read_only=True)
            for part in (folder, folder / "media", folder / "media" / "tmp", folder / "runs"):
                part.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                database.make(folder)
            store = cls(folder, database.to_write(folder))
            try:
                store._delete_orphans()  # left by a process that was killed
            except BaseException:
                store.close()
                raise
            return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close()
        if isinstance(error, sqlite3.DatabaseError):  # of a read: a damaged page, text that isn't UTF-8
            with explained(self.folder):
                raise error

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with explained(self.folder), transaction(self._db):
            yield self._db

    def _delete_orphans(self) -> None:
        """Delete the image files that no post has any more. Call it after the commit."""
        if self._db.execute("select 1 from orphans limit 1").fetchone():
            with self._transaction() as db:
                rows.delete_orphans(db, self.folder)

    def author_key(self, first: bytes | None = None) -> bytes:
        """Return the key that hashes authors' names in this store; create it at its first use.

        `first` is the key that it gets then, by default a random one.

        Raises `StoreError` if it is lost or damaged and the store has authors: with another key the same
        author gets another hash.
        """
        with self._transaction() as db:  # two collectors must not create two keys
            key, fault = read_key(self.folder)
            if not fault:
                return key
            if rows.has_authors(db):
                raise StoreError(
                    f"{fault}, and the store has authors that were hashed with it: restore it from a copy, "
                    "or make a new one with --new-author-key; the same author then has another hash in new "
                    "posts than in earlier ones"
                )
            return make_key(self.folder, first)

    def renew_author_key(self) -> bool:
        """Make a new key for authors' names if the store's is lost or damaged; return whether it was."""
        with self._transaction():
            if read_key(self.folder)[1]:
                make_key(self.folder)
                return True
        return False

    # -- runs ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def run(self, command: str) -> Iterator[Run]:
        """Register a run, take over from dead ones, and release its claims at the end."""
        with explained(self.folder):
            runs.take_over(self._db, self.folder)
            run = runs.start(self._db, self.folder, command)
        try:
            yield run
        finally:
            with contextlib.suppress(StoreError), explained(self.folder):
                runs.finish(self._db, self.folder, run)

    def end(self, run: Run, summary: str) -> None:
        """Write the run's end and its summary to the run log."""
        with self._transaction() as db:
            db.execute(
                "update runs set ended_at = ?, summary = ? where run_id = ?",
                (int(time.time()), runs.as_utf8(summary), run.run_id),
            )

    # -- posts --------------------------------------------------------------------------------

    def add(
        self, posts: Iterable[Post], *, walk: str | None = None, cursor: str | None = None
    ) -> Counter[str]:
        """Write posts, and the progress of `walk` if given, in one transaction.

        Returns how many were `new`, `updated` (the post has changed), `known` or, in the same walk of this
        run, a `duplicate_id`. Images whose links are unchanged keep their outcome.
        """
        posts = list(posts)
        with self._transaction() as db:
            again = rows.repeats(db, walk, posts) if walk is not None else set()
            counts = rows.upsert(db, [post for n, post in enumerate(posts) if n not in again])
            if again:
                rows.upsert(db, [posts[n] for n in sorted(again)])  # may be later observations
                counts["duplicate_id"] = len(again)
            if walk is not None:
                rows.set_walk(db, walk, cursor, done=False)
        self._delete_orphans()
        return counts

    def merge(self, records: Sequence[Record], files: Files, *, authors: bool) -> Counter[str]:
        """Merge another store's posts, with their images, in one transaction: see `merging`.

        Returns how many were `new`, `replaced` or `known`. Without `authors` their hashes are left out.
        """
        with self._transaction() as db:
            counts = Counter(merging.merge(db, one, files.bring, authors=authors) for one in records)
        self._delete_orphans()
        return counts

    def bury(self, posts: Sequence[Post]) -> None:
        """Replace these removed posts by tombstones if the store has them. Others aren't added."""
        with self._transaction() as db:
            rows.bury(db, posts)
        self._delete_orphans()

    def posts(self, post_ids: Sequence[str]) -> dict[str, Post]:
        """Return those of these posts (a few hundred) that the store has, by id; their media as links."""
        return {post.post_id: post for post in rows.posts(self._db, post_ids)}

    def cursor(self, walk: str) -> str | None:
        """Return the cursor at which a walk goes on; None if it starts from the beginning."""
        found = self._db.execute("select cursor from walks where walk = ?", (walk,)).fetchone()
        return found[0] if found else None

    def finish_walk(self, walk: str, cursor: str | None) -> None:
        """Mark a walk as ended; `cursor` is where a later run looks for new posts."""
        with self._transaction() as db:
            rows.set_walk(db, walk, cursor, done=True)

    def add_candidates(self, walk: str, posts: Sequence[Post], *, cursor: str | None, limit: int) -> int:
        """Keep those posts of a walk that may be among its `limit` best-scored, and write its cursor.

        Returns how many of them were repeats: of the walk's posts in this run, or of candidates from before.
        """
        with self._transaction() as db:
            repeats = len(rows.repeats(db, walk, posts))
            rows.add_candidates(db, walk, posts, limit)
            rows.set_walk(db, walk, cursor, done=False)
        self._delete_orphans()
        return repeats

    def candidates(self, walk: str) -> int:
        """Return how many candidates a walk has."""
        found = self._db.execute("select count(*) from candidates where walk = ?", (walk,)).fetchone()
        return int(found[0])

    def promote(self, walk: str, limit: int, cursor: str | None) -> Counter[str]:
        """End a walk: write its `limit` best-scored candidates as posts (ties by post id).

        With a `cursor` the candidates are kept: a later run compares new posts with them.
        """
        with self._transaction() as db:
            best = rows.best_candidates(db, walk, limit)
            counts = rows.upsert(db, best)
            if cursor is None:
                db.execute("delete from candidates where walk = ?", (walk,))
            rows.set_walk(db, walk, cursor, done=True)
        self._delete_orphans()
        return counts

    def communities(self) -> dict[str, int]:
        """Return the number of posts of each community in the store, by the communities' names."""
        return dict(self._db.execute("select community, count(*) from posts group by 1 order by 1"))

    def reach(self, listing: str, communities: Iterable[str]) -> None:
        """Note that the posts of a listing, such as r/all, come from these communities, among others."""
        with self._transaction() as db:
            db.executemany("insert or ignore into reached values (?, ?)", [(listing, c) for c in communities])

    def reached(self, listings: Sequence[str]) -> list[str]:
        """Return the communities that posts of these listings came from, in this run or an earlier one."""
        marks = ",".join("?" * len(listings))
        found = f"select distinct community from reached where listing in ({marks}) order by 1"
        return [community for (community,) in self._db.execute(found, listings)]

    def add_dumps(self, dumps: Iterable[tuple[str, str, str]]) -> None:
        """Note that posts were read from these dump files: name, sha256 and community of each."""
        with self._transaction() as db:
            db.executemany("insert or ignore into dumps values (?, ?, ?)", dumps)

    def by_year(self, community: str, since: int) -> Counter[int | None]:
        """Return how many posts of a community the store has by year, of those made after `since`.

        Removed posts, of which the store keeps no date, are counted under None.
        """
        found = self._db.execute(
            "select cast(strftime('%Y', created_at, 'unixepoch') as integer), count(*) from posts "
            "where community = ? and (created_at > ? or removed is not null) group by 1",
            (community, since),
        )
        return Counter(dict(found))

    def last_seen(self) -> Counter[str]:
        """Return the number of public posts by whose answer they are: `oauth`, `archive`, …"""
        found = self._db.execute(
            "select observed_from, count(*) from posts "
            "where observed_from is not null and removed is null group by 1"
        )
        return Counter(dict(found))

    def removed(self) -> dict[str, str]:
        """Return the posts that their source has removed: id -> the source's reason."""
        return dict(self._db.execute("select post_id, removed from posts where removed is not null"))

    def known(self, post_ids: Iterable[str]) -> set[str]:
        """Return those of these ids that the store has, as a post or as a tombstone."""
        found = "select 1 from posts where post_id = ?"
        return {one for one in post_ids if self._db.execute(found, (one,)).fetchone()}

    def post_count(self, communities: Sequence[str]) -> int:
        """Return how many posts of these communities the store holds."""
        marks = ",".join("?" * len(communities))
        found = self._db.execute(f"select count(*) from posts where community in ({marks})", communities)
        return int(found.fetchone()[0])

    # -- media --------------------------------------------------------------------------------

    def media_path(self, sha256: str, mime: str) -> Path:
        """Return the path of an image with this digest and MIME type: `media/ab/abcdef….jpg`."""
        return media_path(self.folder, sha256, mime)

    def requeue(
        self, communities: Sequence[str], *, reasons_kept: Sequence[str] = (), refused: bool = False
    ) -> int:
        """Make media with `retry` pending again, except those of `reasons_kept`; return how many.

        With `refused` also those that a signal of consent refused. A stored preview whose original is asked
        for again keeps its file until there is another.
        """
        with self._transaction() as db:
            return waiting.requeue(db, communities, reasons_kept=reasons_kept, refused=refused)

    def pending_hosts(self, communities: Sequence[str]) -> dict[str, int]:
        """Return the number of pending images that no run has claimed, by host.

        It takes 0.02 s for 100,000 images if the store has no other communities, else 0.4 s.
        """
        return waiting.pending_hosts(self._db, communities)

    def claim(self, run: Run, communities: Sequence[str], *, host: str, n: int) -> list[Task]:
        """Claim up to `n` addresses of a host for this run; another run won't get them.

        Those with the fewest attempts come first, in random order, so that broken ones don't delay others.
        """
        with self._transaction() as db:
            return waiting.claim(db, run.run_id, communities, host, n)

    def settle(self, url: str, outcome: Outcome, *, tries: int = 1) -> None:
        """Write the outcome of an address for every post that links to it. Deletes its file if no post does.

        `tries` is the number of requests: 0 if its host had been given up before. If the file was deleted
        in the meantime, with the last post that had it, the address stays pending.
        """
        with self._transaction() as db:
            if outcome.status in ("failed", "gone"):
                rows.keep_preview(db, url, outcome, tries)
            rows.release_preview(db, url)
            if outcome.sha256 is None or outcome.mime is None:
                rows.settle(db, url, outcome, tries)
            else:
                path = self.media_path(outcome.sha256, outcome.mime)
                if not path.exists():
                    rows.hand_back(db, url)
                elif not rows.settle(db, url, outcome, tries):
                    path.unlink(missing_ok=True)
        self._delete_orphans()

    def refetch(self, digests: Sequence[str]) -> int:
        """Make images pending again whose files are missing or changed; return how many."""
        lost = 0
        with self._transaction() as db:
            for digest in digests:
                mimes = db.execute("select distinct mime from media where sha256 = ?", (digest,))
                for (mime,) in mimes.fetchall():
                    self.media_path(digest, mime).unlink(missing_ok=True)
                lost += db.execute(
                    "update media set status = 'pending', sha256 = null where sha256 = ?", (digest,)
                ).rowcount
        return lost

    def repair(self, digests: Sequence[str], files: Sequence[str]) -> tuple[int, int]:
        """Make images pending whose files are missing or damaged, and remove files that no row names.

        `files` are paths within the store's folder. Returns how many images are pending now, and how many
        files were removed.
        """
        pending, removed = self.refetch(digests), 0
        with self._transaction() as db:
            pending += rows.ask_for_unnamed(db)
            for name in files:
                path = self.folder / name
                mimes = db.execute("select distinct mime from media where sha256 = ?", (path.stem,))
                if path not in {self.media_path(path.stem, mime) for (mime,) in mimes if mime in EXTENSIONS}:
                    with contextlib.suppress(FileNotFoundError):
                        path.unlink()
                        removed += 1
        return pending, removed

    def replace_media(self, url: str, images: Sequence[Media]) -> None:
        """Replace an album's address by its images."""
        with self._transaction() as db:
            rows.replace_media(db, url, images)
        self._delete_orphans()

    def media_counts(self, communities: Sequence[str]) -> Counter[tuple[str, str | None]]:
        """Return how many media there are by (status, reason)."""
        marks = ",".join("?" * len(communities))
        found = self._db.execute(
            "select m.status, m.reason, count(*) from media m join posts p using (post_id) "
            f"where p.community in ({marks}) group by 1, 2",
            communities,
        )
        return Counter({(status, reason): n for status, reason, n in found})

    def refusals(self, communities: Sequence[str]) -> list[tuple[str, str, int]]:
        """Return the hosts that refuse images, with a signal and the number of images, the most first."""
        marks = ",".join("?" * len(communities))
        found = self._db.execute(
            "select m.host, min(m.detail), count(*) from media m join posts p using (post_id) "
            f"where m.status = 'refused' and p.community in ({marks}) "
            "group by m.host, m.refused_by order by 3 desc, 1, 2",
            communities,
        )
        return found.fetchall()
