"""Source `archive`: the Arctic Shift API, a public archive of Reddit that sorts by date only.

    GET /api/posts/search?subreddit=happy&sort=asc&after=1356998400&limit=100
    {"data": [{"id": "15qsyl", "created_utc": 1356998461, …}, …]}
    422 {"data": null, "error": "Timeout. Maybe slow down a bit"}     (too many posts at once)

A subreddit is read from its oldest post to its newest; scores are those of the archive's snapshot.
Source: https://github.com/ArthurHeitmann/arctic_shift/blob/master/api/README.md and its issues 12, 66.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from affectory.core.errors import SourceError
from collectors.crawl.source import Failure, Page
from collectors.http.answers import FetchError
from collectors.http.client import Client
from collectors.reddit.api import RedditApi
from collectors.reddit.decoder import Unreadable, UnreadableJson, decode_answer
from collectors.reddit.post import YEAR_9999, parse_post
from collectors.reddit.refresh import refresh
from collectors.reddit.sources import Asked
from collectors.store.record import Post, Rejection

HOST = "https://arctic-shift.photon-reddit.com"

#: Posts per request: the API's maximum, and the minimum after "slow down" answers.
PAGE, SMALLEST_PAGE = 100, 10

#: "Slow down" answers in a row after which a subreddit is left to a later run.
PATIENCE = 8


class ArchiveError(SourceError):
    """The archive doesn't return a subreddit's posts."""


def make(asked: Asked) -> Archive:
    """Return the source; with the API, scores are refreshed."""
    plan = asked.plan
    return Archive(
        asked.client, plan.communities, asked.key, plan.since, asked.scope, asked.resume, asked.api
    )


@dataclass(slots=True)
class Archive:
    """Read each subreddit's archive by date, from `since` (Unix seconds) if given.

    With `api`, scores are refreshed. `scope` distinguishes walks with different limits. After the end of a
    walk, a later run continues with the posts that were made since.
    """

    client: Client
    subs: Sequence[str]
    key: bytes
    since: int | None
    scope: str
    resume: Callable[[str], str | None]
    api: RedditApi | None = None

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Yield each subreddit's posts, the oldest first."""
        for sub in self.subs:
            try:
                async for page in self._subreddit(sub):
                    yield page
            except FetchError as error:
                problem = ArchiveError(
                    f"r/{sub}: the archive can't be read ({error}); run the same command again to resume"
                )
                yield Failure(sub, problem)
            except SourceError as error:  # the archive's, or Reddit's while scores are refreshed
                yield Failure(sub, error)

    async def _subreddit(self, sub: str) -> AsyncIterator[Page]:
        walk = f"archive:{sub}:{self.scope}"
        cursor = self.resume(walk)
        after = int(cursor) if cursor is not None else (self.since or 0)
        seen: set[Any] = set()  # those of the page before, whose last second is asked for again
        found_any = cursor is not None
        while True:
            found = await self._ask(sub, after)
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
            post = parse_post(child, key=self.key, collected_at=int(time.time()), escaped=True)
            if isinstance(post, Post):
                posts.append(post)
            else:
                rejected.append(post)
        if self.api is not None:
            posts = await refresh(self.api, posts, self.key)
        return Page(sub, walk, posts, rejected, cursor=str(after), last=not found, ranked=True)

    async def _ask(self, sub: str, after: int) -> list[Any]:
        """Request one page; after "slow down", wait and request a smaller one."""
        size = PAGE
        for attempt in range(PATIENCE):
            answer = await self.client.get(
                f"{HOST}/api/posts/search?subreddit={sub}&sort=asc&after={after}&limit={size}",
                accept=(200, 400, 422),
            )
            try:
                parsed = decode_answer(answer.body)
            except UnreadableJson:
                raise ArchiveError(f"r/{sub}: the archive's answer is not JSON; try again later") from None
            if parsed.data is not None:
                return parsed.data
            if "slow down" not in (parsed.error or "").lower():
                raise ArchiveError(f"r/{sub}: the archive says {parsed.error!r}; check the name")
            size = max(size // 2, SMALLEST_PAGE)
            await self.client.clock.sleep(random.uniform(1, 2 ** min(attempt + 1, 6)))
        raise ArchiveError(f"r/{sub}: the archive asks to slow down; run the same command later to resume")


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
