"""Update posts from an archive or a list through /api/info, 100 ids per call.

Archived scores can be far off, and a post may have been removed since.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from collectors.reddit.api import INFO_IDS, RedditApi
from collectors.reddit.post import OAUTH, parse_post
from collectors.store.record import Post

#: `removed` of a post that /api/info doesn't return.
NOT_LISTED = "not_listed"


async def refresh(api: RedditApi, posts: Sequence[Post], key: bytes) -> list[Post]:
    """Return the posts as Reddit has them now. Raises `RedditError`."""
    fresh: list[Post] = []
    for start in range(0, len(posts), INFO_IDS):
        batch = posts[start : start + INFO_IDS]
        answers, seen = await api.info([_own_id(post) for post in batch]), int(time.time())
        for post in batch:
            child = answers.get(_own_id(post))
            if child is None:
                fresh.append(not_listed(post, seen))
                continue
            now = parse_post(child, key=key, collected_at=seen, observed_from=OAUTH)
            if not isinstance(now, Post):
                fresh.append(post)
            elif now.removed is not None:
                fresh.append(
                    replace(post, removed=now.removed, score=now.score, observed_from=OAUTH, observed_at=seen)
                )
            else:
                fresh.append(now)
    return fresh


def not_listed(post: Post, seen: int) -> Post:
    """Return a post that Reddit no longer returns; `seen` is when it was asked."""
    return replace(post, removed=NOT_LISTED, observed_from=OAUTH, observed_at=seen, collected_at=seen)


def _own_id(post: Post) -> str:
    return post.post_id.removeprefix("reddit:")
