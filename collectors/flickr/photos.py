"""The photos of lists: known ones from the store, the others from Flickr, one call per photo.

A call that Flickr has answered isn't repeated. Each answer is stored as it comes, so that a killed crawl can
resume.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

from affectory.core.errors import SourceError
from affectory.core.numbers import count
from affectory.core.progress import Pace
from collectors.crawl.source import Failure, Page
from collectors.flickr.answers import BadKey, FlickrError, NotFound, Private, refused
from collectors.flickr.api import Down, FlickrApi
from collectors.flickr.listed import CONFLICT, Listed, listed_of
from collectors.flickr.lists import Lists
from collectors.flickr.post import answered, bare, gone, listed_anew, post_of
from collectors.store import Store
from collectors.store.record import Post, Rejection

#: Parallel calls, photos looked up in the store at once, and failures in a row that end the run.
AT_ONCE, BATCH, PATIENCE = 8, 500, 20

WALK = "flickr:lists"


@dataclass(slots=True)
class Photos:
    """Yield the posts of listed photos, without `api` only from the lists. `key` hashes the owners."""

    lists: Lists
    store: Store
    key: bytes
    api: FlickrApi | None
    _waiting: list[Listed] = field(default_factory=list)

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Yield first the photos that need no call, then the others as Flickr answers. Raises `BadKey`."""
        community = self.lists.communities[0]
        yield Page(community, WALK, rejected=self.lists.rejected, skipped=self.lists.skipped)
        for page in self._known():
            yield page
        if self._waiting and self.api is not None:
            async for given in self._ask(self.api):
                yield given

    def _known(self) -> Iterator[Page]:
        """Yield the photos that the store has answers for; without `api` all photos."""
        listed = list(self.lists.photos.values())
        for start in range(0, len(listed), BATCH):
            batch = listed[start : start + BATCH]
            stored = self.store.posts([one.post_id for one in batch])
            posts: list[Post] = []
            rejected: list[Rejection] = []
            for one in batch:
                old = stored.get(one.post_id)
                now = one if old is None else listed_of(old).and_then(one)
                if now.sentiment == CONFLICT:
                    rejected.append(Rejection(CONFLICT, one.photo_id))
                    self.store.add([listed_anew(old, now)] if old is not None else [])
                elif old is not None and (self.api is None or answered(old)):
                    posts.append(listed_anew(old, now))
                elif self.api is not None:
                    self._waiting.append(now)
                elif now.url is not None:
                    posts.append(bare(now))
                else:
                    rejected.append(Rejection("no_url", one.photo_id))
            yield Page(batch[0].community, WALK, posts, rejected)

    async def _ask(self, api: FlickrApi) -> AsyncIterator[Page | Failure]:
        """Call Flickr for the waiting photos, a few at once; the first alone, in case the key is bad."""
        left = iter(self._waiting)
        running, ended = set[asyncio.Task[Post | FlickrError]](), set[asyncio.Task[Post | FlickrError]]()
        pace, done, in_a_row, unanswered = Pace(), 0, 0, 0
        stop: FlickrError | None = None
        last: FlickrError | None = None
        try:
            while True:
                at_once = 0 if stop else AT_ONCE if done else 1
                for one in itertools.islice(left, max(0, at_once - len(running))):
                    running.add(asyncio.create_task(_asked(api, one, self.key)))
                if not running:
                    break
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                posts, errors = _sorted([task.result() for task in ended])
                done, unanswered = done + len(ended), unanswered + len(errors)
                in_a_row = 0 if posts else in_a_row + len(errors)
                last = errors[-1] if errors else last
                stop = stop or _reason_to_stop(errors, in_a_row)
                yield self._page(posts, errors, done, pace)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, *ended, return_exceptions=True)
        if isinstance(stop, BadKey):
            raise refused(stop)
        if unanswered:
            missing = len(self._waiting) - done + unanswered
            problem = f"no answer yet for {missing:,} of {count(len(self._waiting), 'photo')}"
            problem += f", the last time with: {last}"
            again = "repeat the command to request only those"
            yield Failure("flickr", SourceError(f"{problem}; {again}"))

    def _page(self, posts: Sequence[Post], errors: Sequence[FlickrError], done: int, pace: Pace) -> Page:
        total = len(self._waiting)
        left = pace.left(done, total)
        return Page(
            "flickr",
            WALK,
            posts,
            [Rejection(error.reason, str(error)) for error in errors],
            doing=f"asking Flickr: {done:,} of {count(total, 'photo')}" + (f", {left}" if left else ""),
        )


async def _asked(api: FlickrApi, listed: Listed, key: bytes) -> Post | FlickrError:
    """Return a photo's post, even if the photo is gone, or the error of the call."""
    try:
        return post_of(await api.photo(listed.photo_id), listed, key)
    except (NotFound, Private) as error:
        return gone(listed, error.reason)
    except FlickrError as error:
        return error


def _sorted(outcomes: Sequence[Post | FlickrError]) -> tuple[list[Post], list[FlickrError]]:
    posts = [one for one in outcomes if isinstance(one, Post)]
    return posts, [one for one in outcomes if isinstance(one, FlickrError)]


def _reason_to_stop(errors: Sequence[FlickrError], in_a_row: int) -> FlickrError | None:
    """Return the error that ends the run, if any, preferably that of a refused key."""
    final = [error for error in errors if isinstance(error, BadKey | Down)]
    final.sort(key=lambda error: not isinstance(error, BadKey))
    return next(iter(final), None) or (errors[-1] if errors and in_a_row >= PATIENCE else None)
