"""Source `archive`: the Arctic Shift API, a public archive of Reddit that sorts by date only.

A subreddit is read from its oldest post to its newest; scores are those of the archive's snapshot. At its end
the posts in the store are compared with the archive's own counts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from affectory.core.errors import SourceError
from affectory.core.numbers import count
from collectors.crawl.source import Failure, Page
from collectors.http.client import Client
from collectors.reddit.api import RedditApi
from collectors.reddit.arctic_shift import ArchiveError, ArcticShift
from collectors.reddit.decoder import Unreadable
from collectors.reddit.post import YEAR_9999, parse_post
from collectors.reddit.refresh import refresh
from collectors.reddit.sources import Asked
from collectors.store.record import Post, Rejection

#: `observed_from` of the archive's posts.
ARCHIVE = "archive"


def make(asked: Asked) -> Archive:
    """Return the source; with the API, scores are refreshed."""
    plan = asked.plan
    return Archive(
        asked.client,
        plan.communities,
        asked.key,
        plan.since,
        asked.scope,
        asked.resume,
        asked.api,
        asked.stored,
    )


@dataclass(slots=True)
class Archive:
    """Read each subreddit's archive by date, from `since` (Unix seconds) if given.

    With `api`, scores are refreshed. `scope` distinguishes walks with different limits. After the end of a
    walk, a later run continues with the posts that were made since. `stored` counts a community's posts in
    the store by year; without it, the archive isn't asked how many there are.
    """

    client: Client
    subs: Sequence[str]
    key: bytes
    since: int | None
    scope: str
    resume: Callable[[str], str | None]
    api: RedditApi | None = None
    stored: Callable[[str, int], Mapping[int | None, int]] | None = None

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Yield each subreddit's posts, the oldest first."""
        for sub in self.subs:
            try:
                async for page in self._subreddit(sub):
                    yield page
            except SourceError as error:  # the archive's, or Reddit's while scores are refreshed
                yield Failure(sub, error)

    async def _subreddit(self, sub: str) -> AsyncIterator[Page]:
        archive, walk = ArcticShift(self.client), f"archive:{sub}:{self.scope}"
        cursor = self.resume(walk)
        after = int(cursor) if cursor is not None else (self.since or 0)
        seen: set[Any] = set()  # those of the page before, whose last second is asked for again
        found_any = cursor is not None
        while True:
            found = await archive.search(sub, after)
            if not found and not found_any:
                raise ArchiveError(f"r/{sub}: the archive has no posts of it; check the spelling")
            found_any = True
            newest = max((_second(p) for p in found), default=0)
            asked_after = after
            if newest > after:
                # `after` is exclusive. Ask again for the newest second, which may have more posts than
                # fitted into this page, unless the next request would be the same as this one.
                after = newest - 1 if newest - 1 > after else newest
            yield await self._page(sub, walk, found, seen, after)
            if not found:
                if self.stored is not None:
                    # Now, as the posts of the last page are in the store.
                    yield Page(sub, None, notes=[await self._coverage(archive, sub, self.stored)])
                return
            if after == asked_after:
                raise ArchiveError(
                    f"r/{sub}: the archive repeats its posts up to {_date(after)}; run the same command "
                    "later to resume"
                )
            seen = {_identity(p) for p in found}

    async def _page(self, sub: str, walk: str, found: Sequence[Any], seen: set[Any], after: int) -> Page:
        posts: list[Post] = []
        rejected: list[Rejection] = []
        for child in found:
            if _identity(child) in seen:
                continue
            if isinstance(child, Unreadable):
                where = f"r/{sub}, {_date(child.created_utc)}"
                rejected.append(Rejection("unreadable_line", f"{where}: {child.why}"[:200]))
                continue
            post = parse_post(
                child, key=self.key, collected_at=int(time.time()), escaped=True, observed_from=ARCHIVE
            )
            if isinstance(post, Post):
                posts.append(post)
            else:
                rejected.append(post)
        if self.api is not None:
            posts = await refresh(self.api, posts, self.key)
        return Page(sub, walk, posts, rejected, cursor=str(after), last=not found, ranked=True)

    async def _coverage(
        self, archive: ArcticShift, sub: str, stored: Callable[[str, int], Mapping[int | None, int]]
    ) -> str:
        """Return the line that compares the store with the archive's counts."""
        since = self.since or 0
        held = stored(sub, since)
        try:
            return coverage(sub, held, await archive.count(sub, since))
        except ArchiveError as error:
            return f"how many posts the archive has isn't known: {error}"


def coverage(sub: str, stored: Mapping[int | None, int], known: Mapping[int, int]) -> str:
    """Return how many of a subreddit's posts are stored, of those that the archive knows, by year.

    Removed posts, of which the store has no year, are under None.
    """
    years = sorted({*known, *(year for year in stored if year is not None)})
    dated = Counter({year: stored.get(year, 0) for year in years})
    lines = " · ".join(f"{year} {dated[year]:,}/{known.get(year, 0):,}" for year in years)
    gone = stored.get(None, 0)
    return (
        f"r/{sub}: stored {dated.total():,} of the archive's {count(sum(known.values()), 'post')}"
        + (f", and {count(gone, 'tombstone')} of removed ones" if gone else "")
        + (f": {lines}" if lines else "")
    )


def _identity(child: Any) -> Any:
    """Return what tells a post of a page from the others, whether it can be read or not."""
    if isinstance(child, Unreadable):
        return child
    own_id = child.get("id") if isinstance(child, dict) else None
    return own_id if isinstance(own_id, str) else msgspec.json.encode(child)


def _second(post: Any) -> int:
    value = post.get("created_utc") if isinstance(post, dict) else None
    value = post.created_utc if isinstance(post, Unreadable) else value
    try:
        second = int(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return 0
    return second if second <= YEAR_9999 else 0


def _date(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))
