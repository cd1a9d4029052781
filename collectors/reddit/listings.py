"""Source `oauth`: a subreddit's listings, posts with the highest score first.

A listing ends at about 1,000 posts. With `--min-ups`, all listings that may have other posts are read as well
(top by every window, hot, new, controversial, search).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from collectors.crawl.source import Failure, Page
from collectors.reddit.answers import BadCredentials, RedditError
from collectors.reddit.api import RedditApi
from collectors.reddit.post import OAUTH, parse_listing, parse_post
from collectors.reddit.sources import Asked
from collectors.store.record import Post, Rejection

#: Time windows of a listing, from the widest to the narrowest.
WINDOWS = ("all", "year", "month", "week", "day", "hour")

_BEYOND_TOP: tuple[tuple[str, dict[str, str]], ...] = (
    *(("top", {"t": t}) for t in WINDOWS),
    *(("controversial", {"t": t}) for t in WINDOWS),
    ("hot", {}),
    ("new", {}),
    # Only link posts; each sort order of the search gives another thousand.
    *(
        ("search", {"q": "self:no", "restrict_sr": "on", "sort": order})
        for order in ("top", "comments", "new")
    ),
    *(
        ("search", {"q": f"site:{site}", "restrict_sr": "on", "sort": "top"})
        for site in ("i.redd.it", "imgur.com", "i.imgur.com", "reddit.com")
    ),
)


def make(asked: Asked) -> Listings:
    """Return the source; it needs the API."""
    assert asked.api is not None
    plan = asked.plan
    return Listings(
        asked.api, plan.communities, asked.key, plan.limit, asked.window, asked.beyond_top, asked.resume
    )


@dataclass(slots=True)
class Listings:
    """Read the listings of `subs`: with `beyond_top` all of them, otherwise `top` of `window`.

    `resume` returns the cursor of a walk that an earlier run didn't finish.
    """

    api: RedditApi
    subs: Sequence[str]
    key: bytes
    limit: int | None
    window: str
    beyond_top: bool
    resume: Callable[[str], str | None]

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Yield each subreddit's posts, each post once."""
        for sub in self.subs:
            try:
                async for page in self._subreddit(sub):
                    yield page
            except BadCredentials:
                raise  # all other subreddits would fail, too
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
            post = parse_post(child, key=self.key, collected_at=int(time.time()), observed_from=OAUTH)
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
