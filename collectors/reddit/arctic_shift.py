"""The Arctic Shift API: posts by subreddit and date, posts by id, and how many posts there are.

    GET /api/posts/search?subreddit=happy&sort=asc&after=1356998400&limit=100
    {"data": [{"id": "15qsyl", "created_utc": 1356998461, …}, …]}
    GET /api/posts/ids?ids=15qsyl,3svmej
    {"data": [{"id": "15qsyl", …}]}                                           (only those that it has)
    GET /api/posts/search/aggregate?subreddit=happy&aggregate=created_utc&frequency=year&after=1104537600
    {"data": [{"created_utc": "2013-01-01T00:00:00.000Z", "count": "1204"}, …]}
    422 {"data": null, "error": "Timeout. Maybe slow down a bit"}                (too much at once)

Source: https://github.com/ArthurHeitmann/arctic_shift/blob/master/api/README.md and its issues 12, 66.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from affectory.core.errors import SourceError
from collectors.http.answers import FetchError
from collectors.http.client import Client
from collectors.reddit.decoder import Unreadable, UnreadableJson, decode_answer

HOST = "https://arctic-shift.photon-reddit.com"

#: Posts per request of a search: the API's maximum, and the minimum (as of ids) after "slow down" answers.
PAGE, SMALLEST_PAGE = 100, 10

#: Ids per request, by the API's limit.
IDS = 500

#: "Slow down" answers in a row after which a request is left to a later run; for counts, which aren't needed.
PATIENCE, LITTLE_PATIENCE = 8, 2

#: 2005-01-01, before Reddit's first post: an aggregation needs a start.
FIRST_SECOND = 1_104_537_600


class ArchiveError(SourceError):
    """The archive doesn't answer a request."""


@dataclass(frozen=True, slots=True)
class ArcticShift:
    """The archive, asked through `client`. Its methods raise `ArchiveError`."""

    client: Client

    async def search(self, sub: str, after: int) -> list[Any]:
        """Return the first posts of a subreddit made after a Unix time; after "slow down", fewer of them.

        A post that can't be decoded is `Unreadable`.
        """

        def path(attempt: int) -> str:
            size = max(PAGE >> attempt, SMALLEST_PAGE)
            return f"search?subreddit={sub}&sort=asc&after={after}&limit={size}"

        return await self._ask(path, f"r/{sub}", PATIENCE)

    async def by_ids(self, ids: Sequence[str]) -> dict[str, Any]:
        """Return those of these posts ("3svmej"), at most 500, that the archive has, by id.

        After "slow down" fewer of them are asked for at once. A post that can't be decoded is `Unreadable`.
        """
        left = list(dict.fromkeys(ids))
        size, found = len(left), list[Any]()

        def path(attempt: int) -> str:
            nonlocal size
            size = max(size // 2, min(size, SMALLEST_PAGE)) if attempt else size
            return f"ids?ids={','.join(left[:size])}"

        while left:
            found += await self._ask(path, "posts by their ids", PATIENCE)
            left = left[size:]
        return {own_id.lower(): post for post in found if (own_id := _own_id(post)) is not None}

    async def count(self, sub: str, since: int) -> Counter[int]:
        """Return how many posts of a subreddit the archive has by year, of those made after `since`."""
        after = max(since, FIRST_SECOND)
        path = f"search/aggregate?subreddit={sub}&aggregate=created_utc&frequency=year&after={after}"
        found = await self._ask(lambda _: path, f"r/{sub}", LITTLE_PATIENCE)
        counts = Counter[int]()
        for year in found:
            try:
                counts[int(year["created_utc"][:4])] += int(year["count"])
            except (KeyError, TypeError, ValueError):
                raise ArchiveError(f"r/{sub}: the archive's counts can't be read: {year!r:.80}") from None
        return counts

    async def _ask(self, path: Callable[[int], str], what: str, patience: int) -> list[Any]:
        """Return the data at `path`, which gets the number of earlier attempts; wait after "slow down"."""
        for attempt in range(patience):
            try:
                answer = await self.client.get(f"{HOST}/api/posts/{path(attempt)}", accept=(200, 400, 422))
            except FetchError as error:
                raise ArchiveError(
                    f"{what}: the archive can't be read ({error}); run the same command again to resume"
                ) from None
            try:
                parsed = decode_answer(answer.body)
            except UnreadableJson:
                raise ArchiveError(f"{what}: the archive's answer is not JSON; try again later") from None
            if parsed.data is not None:
                return parsed.data
            if "slow down" not in (parsed.error or "").lower():
                raise ArchiveError(f"{what}: the archive says {parsed.error!r}; check the name")
            if attempt + 1 < patience:
                await self.client.clock.sleep(random.uniform(1, 2 ** min(attempt + 1, 6)))
        raise ArchiveError(f"{what}: the archive asks to slow down; run the same command later to resume")


def _own_id(post: Any) -> str | None:
    if isinstance(post, Unreadable):
        return post.own_id
    own_id = post.get("id") if isinstance(post, dict) else None
    return own_id if isinstance(own_id, str) else None
