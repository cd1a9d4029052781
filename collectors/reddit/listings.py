"""Source `oauth`: a subreddit's listings, the best-scored posts first.

A listing ends near 1,000 posts. `--min-ups` asks for more than that: then every listing that may
hold other posts is walked (top by every window, hot, new, controversial, search).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from collectors.crawl.source import Failure, Page
from collectors.reddit.answers import BadCredentials, RedditError
from collectors.reddit.api import RedditApi
from collectors.reddit.post import parse_listing, parse_post
from collectors.store.record import Post, Rejection

#: Time windows of a listing, from the widest to the narrowest.
WINDOWS = ("all", "year", "month", "week", "day", "hour")

_BEYOND_TOP: tuple[tuple[str, dict[str, str]], ...] = (
    *(("top", {"t": t}) for t in WINDOWS),
    *(("controversial", {"t": t}) for t in WINDOWS),
    ("hot", {}),
    ("new", {}),
    # Link posts only; each order of the search shows another thousand.
    *(
        ("search", {"q": "self:no", "restrict_sr": "on", "sort": order})
        for order in ("top", "comments", "new")
    ),
    *(
        ("search", {"q": f"site:{site}", "restrict_sr": "on", "sort": "top"})
        for site in ("i.redd.it", "imgur.com", "i.imgur.com", "reddit.com")
    ),
)


@dataclass(slots=True)
class Listings:
    """Walk the listings of `subs`; with `beyond_top` all of them, else `top` over `window`.

    `resume` gives a walk's cursor where an earlier run stopped before its end.
    """

    api: RedditApi
    subs: Sequence[str]
    key: bytes
    limit: int | None
    window: str
    beyond_top: bool
    resume: Callable[[str], str | None]

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Give each subreddit's posts, once each."""
        for sub in self.subs:
            try:
                async for page in self._subreddit(sub):
                    yield page
            except BadCredentials:
                raise  # no other subreddit will fare better
            except RedditError as error:
                yield Failure(sub, error)

    async def _subreddit(self, sub: str) -> AsyncIterator[Page]:
        seen: set[str] = set()
        listings = _BEYOND_TOP if self.beyond_top else (("top", {"t": self.window}),)
        for listing, params in listings:
            async for page in self._listing(sub, listing, params, seen):
                yield page
                if self.limit is not None and len(seen) >= self.limit:
                    return

    async def _listing(
        self, sub: str, listing: str, params: dict[str, str], seen: set[str]
    ) -> AsyncIterator[Page]:
        name = "/".join(str(params[k]) for k in ("q", "sort", "t") if k in params)
        walk = f"oauth:{sub}:{listing}:{name}"
        after, count = self.resume(walk), 0
        while True:
            query = {**params, "limit": "100", "count": str(count)} | ({"after": after} if after else {})
            body = await self.api.get(f"r/{sub}/{listing}", query, what=f"r/{sub}")
            children, after = parse_listing(body, what=f"r/{sub}")
            count += len(children)
            posts, rejected, skipped = self._parse(children, seen)
            yield Page(sub, walk, posts, rejected, skipped, cursor=after, last=after is None)
            if after is None:
                return

    def _parse(
        self, children: Sequence[object], seen: set[str]
    ) -> tuple[list[Post], list[Rejection], Counter[str]]:
        posts, rejected, skipped = [], [], Counter[str]()
        for child in children:
            post = parse_post(child, key=self.key, collected_at=int(time.time()))
            if isinstance(post, Rejection):
                rejected.append(post)
            elif post.post_id in seen:
                skipped["seen_in_another_listing"] += 1
            elif self.limit is not None and len(seen) >= self.limit:
                skipped["beyond_limit"] += 1
            else:
                seen.add(post.post_id)
                posts.append(post)
        return posts, rejected, skipped
