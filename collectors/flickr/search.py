"""VSO's photos by search: for each adjective-noun pair the photos that Flickr finds for its words.

An answer has all data of up to 500 photos, so that no calls for single photos are needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from affectory.core.errors import SourceError
from affectory.core.numbers import count
from collectors.crawl.source import Failure, Page
from collectors.flickr.answers import BadKey, FlickrError, Found, refused
from collectors.flickr.api import PER_PAGE, Down, FlickrApi
from collectors.flickr.listed import CONFLICT, Listed, listed_of
from collectors.flickr.lists import Lists
from collectors.flickr.photos import PATIENCE
from collectors.flickr.post import listed_anew, post_of
from collectors.flickr.vso import Pair
from collectors.store import Store
from collectors.store.record import Post, Rejection

#: The cursor of a finished search.
DONE = "done"


@dataclass(slots=True)
class Search:
    """Search for `limit` photos of each pair under these licences (none given: any)."""

    pairs: Sequence[Pair]
    lists: Lists
    store: Store
    key: bytes
    api: FlickrApi
    limit: int
    licences: Sequence[int] = ()

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Yield the results of each search page by page. Raises `BadKey`."""
        began = f"searching: {count(len(self.pairs), 'pair')}"
        yield Page(self.lists.communities[0], "flickr:pairs", rejected=self.lists.rejected, doing=began)
        failed, in_a_row = 0, 0
        trouble: FlickrError | None = None
        for number, pair in enumerate(self.pairs, 1):
            try:
                async for page in self._pair(
                    pair, f"searching: {number:,} of {count(len(self.pairs), 'pair')}"
                ):
                    yield page
                in_a_row = 0
            except BadKey as error:
                raise refused(error) from None
            except FlickrError as error:
                trouble, failed, in_a_row = error, failed + 1, in_a_row + 1
                if isinstance(error, Down) or in_a_row >= PATIENCE:
                    failed += len(self.pairs) - number
                    break
        if trouble is not None:
            pairs = "pair is" if failed == 1 else "pairs are"
            problem = f"{failed:,} {pairs} not searched to the end, the last time with: {trouble}"
            yield Failure("flickr", SourceError(f"{problem}; run the same command again to go on"))

    async def _pair(self, pair: Pair, doing: str) -> AsyncIterator[Page]:
        walk = f"flickr:search:{pair.name}:{','.join(map(str, self.licences))}:{self.limit}"
        cursor = self.store.cursor(walk)
        per_page = min(self.limit, PER_PAGE)
        page = int(cursor or 0) if cursor != DONE else -1
        while page >= 0:
            page += 1
            found = await self.api.search(pair.words, page, per_page, self.licences)
            last = page >= found.pages or page * per_page >= self.limit
            posts, rejected = self._posts(pair, found, self.limit - (page - 1) * per_page)
            yield Page(
                pair.sign, walk, posts, rejected, cursor=DONE if last else str(page), last=last, doing=doing
            )
            if last:
                return

    def _posts(self, pair: Pair, found: Found, room: int) -> tuple[list[Post], list[Rejection]]:
        rejected = [Rejection("malformed_answer", pair.name)] * found.unreadable
        posts: list[Post] = []
        photos = {photo.photo_id: photo for photo in found.photos[:room]}
        stored = self.store.posts([f"flickr:{photo_id}" for photo_id in photos])
        for photo_id, photo in photos.items():
            now = Listed(photo_id, pairs=(pair.name,), sentiment=pair.sign)
            old = stored.get(now.post_id)
            if old is not None:
                now = listed_of(old).and_then(now)
            if now.sentiment == CONFLICT:
                rejected.append(Rejection(CONFLICT, photo_id))
                self.store.add([listed_anew(old, now)] if old is not None else [])
            else:
                posts.append(post_of(photo, now, self.key))
        return posts, rejected
