"""Flickr's REST API: calls with the user's key, parsed by `answers.py`.

    GET https://api.flickr.com/services/rest/?method=flickr.photos.getInfo&photo_id=53248070597&format=json&…

A key allows 3,600 calls an hour. It is part of every call's URL, so that this module removes it from the
messages of all failures. It isn't removed from answers before they are parsed: a short key, such as "ok", may
be a word of the answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlencode

from collectors.flickr import answers
from collectors.flickr.answers import (
    BadKey,
    FlickrError,
    Found,
    Malformed,
    NotFound,
    Photo,
    Private,
    Unavailable,
    refused,
)
from collectors.flickr.urls import target_of
from collectors.http.answers import FetchError
from collectors.http.client import Client
from collectors.http.quota import Quota

REST = "https://api.flickr.com/services/rest/"

#: https://www.flickr.com/services/developer/api/: "3600 queries per hour across the whole key".
CALLS, HOUR = 3600, 3600.0

#: Attempts at a call that Flickr answers with "unavailable".
ATTEMPTS = 4

#: Photos per page of a search, and photos that a search can return at most.
PER_PAGE, REACH = 500, 4000

#: Maximum of the longer side in pixels of the file that replaces one that is gone.
LARGEST = 1024

_EXTRAS = "description,license,date_upload,date_taken,tags,media"

_Read = TypeVar("_Read")

#: Why no other file of an image was looked for: that takes a key, and a run with one retries.
NEEDS_KEY = "gone_needs_flickr_key"


class Down(Unavailable):
    """Flickr's API has been given up for this run."""


@dataclass(slots=True)
class FlickrApi:
    """Flickr's API under one key."""

    client: Client
    key: str = field(repr=False)
    _answered: bool = False

    async def photo(self, photo_id: str) -> Photo:
        """Return a photo's data. Raises `FlickrError`."""
        return await self._call("flickr.photos.getInfo", {"photo_id": photo_id}, answers.photo)

    async def sizes(self, photo_id: str) -> list[answers.Size]:
        """Return the sizes in which a photo is available. Raises `FlickrError`."""
        return await self._call("flickr.photos.getSizes", {"photo_id": photo_id}, answers.sizes)

    async def search(self, text: str, page: int, per_page: int, licences: Sequence[int]) -> Found:
        """Return a page (from 1) of the public, safe photos that match a text. Raises `FlickrError`."""
        asked = {"text": text, "page": str(page), "per_page": str(per_page), "media": "photos"}
        asked |= {"sort": "relevance", "safe_search": "1", "extras": _EXTRAS}
        if licences:
            asked["license"] = ",".join(map(str, licences))
        return await self._call("flickr.photos.search", asked, answers.found)

    async def _call(
        self, method: str, asked: Mapping[str, str], read: Callable[[Mapping[str, Any]], _Read]
    ) -> _Read:
        query = {"method": method, **asked, "format": "json", "nojsoncallback": "1", "api_key": self.key}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = await self.client.get(f"{REST}?{urlencode(query)}", same_origin=True)
                self._answered = True
                return read(answers.decode(answer.body))
            except FetchError as error:
                raise self._named(error) from None
            except FlickrError as error:
                if not isinstance(error, Unavailable) or attempt == ATTEMPTS:
                    raise type(error)(self._cleared(str(error))) from None
            await self.client.clock.sleep(random.uniform(0, 2**attempt))
        raise AssertionError("the last attempt returns or raises")

    def _named(self, error: FetchError) -> FlickrError:
        """Return the `FlickrError` of a failed request."""
        said = self._cleared(f"no answer from Flickr's API ({error})")
        # If the first call fails to resolve the name, there is no network, and retries would be useless.
        no_network = error.reason == "dns_error" and not self._answered
        if no_network or error.reason in ("host_down", "rate_limited", "unauthorized", "forbidden"):
            return Down(said)
        return Unavailable(said) if error.retry else Malformed(said)

    def _cleared(self, said: str) -> str:
        """Return a message without the key, and without its beginning in a value that was truncated."""
        for key in (self.key, quote_plus(self.key)):
            for length in range(len(key), min(8, len(key)) - 1, -1):
                said = said.replace(key[:length], "")
        return said


def quota(folder: Path) -> Quota:
    """Return the quota of the key that a store uses; its calls of the last hour are in `flickr.calls`."""
    return Quota(folder / "flickr.calls", CALLS, HOUR)


@dataclass(frozen=True, slots=True)
class OtherSize:
    """Finds another file of a photo by `flickr.photos.getSizes` if the linked one is gone."""

    key: str | None = field(repr=False)

    async def __call__(self, client: Client, url: str) -> str:
        """Return the URL of the largest other size of at most 1,024 pixels.

        Raises `FetchError`, or `BadKey` if the key is refused, which ends the crawl.
        """
        if self.key is None:
            raise FetchError(NEEDS_KEY, detail="set FLICKR_API_KEY", retry=True)
        target = target_of(url)
        if target is None:
            raise FetchError("bad_url", detail=url)
        try:
            sizes = await FlickrApi(client, self.key).sizes(target.photo_id)
        except (NotFound, Private) as error:
            raise FetchError(error.reason, detail=str(error), gone=True) from None
        except BadKey as error:
            raise refused(error) from None
        except Malformed as error:
            raise FetchError("malformed_answer", detail=str(error), retry=True) from None
        except FlickrError as error:
            raise FetchError("server_error", detail=str(error), retry=True) from None
        sides = {size.source: max(size.width, size.height) for size in sizes if size.source != url}
        fitting = {source: side for source, side in sides.items() if side <= LARGEST}
        if not fitting:
            raise FetchError("not_found", detail="no other size", gone=True)
        return max(fitting, key=lambda source: fitting[source])
