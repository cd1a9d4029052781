"""Flickr's REST API: calls with the user's key, answers as `answers.py` reads them.

    GET https://api.flickr.com/services/rest/?method=flickr.photos.getInfo&photo_id=53248070597&format=json&…

A key is good for 3,600 calls an hour. It stands in the address of every call: what is said of a failure is
cleared of it here, before anything else sees it. Answers are read as they came: a short key, as "ok", may be
a word of theirs.
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

#: Tries at a call that Flickr answers with "unavailable".
ATTEMPTS = 4

#: Photos in a page of a search, and photos that a search reaches at all.
PER_PAGE, REACH = 500, 4000

#: The largest long side in pixels that is taken in the place of an image that is gone.
LARGEST = 1024

_EXTRAS = "description,license,date_upload,date_taken,tags,media"


_Read = TypeVar("_Read")

#: Why an image has no other file yet: a run with a key asks again.
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
        """Return what Flickr says of a photo. Raises `FlickrError`."""
        return await self._call("flickr.photos.getInfo", {"photo_id": photo_id}, answers.photo)

    async def sizes(self, photo_id: str) -> list[answers.Size]:
        """Return the sizes in which a photo is to be had. Raises `FlickrError`."""
        return await self._call("flickr.photos.getSizes", {"photo_id": photo_id}, answers.sizes)

    async def search(self, text: str, page: int, per_page: int, licences: Sequence[int]) -> Found:
        """Return a page (from 1) of public, safe photos with these words. Raises `FlickrError`."""
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
        """Return a failed request as the error that it is to us."""
        said = self._cleared(f"no answer from Flickr's API ({error})")
        # A name that is unknown from the first call on: there is no network, and no use in waiting for one.
        no_network = error.reason == "dns_error" and not self._answered
        if no_network or error.reason in ("host_down", "rate_limited", "unauthorized", "forbidden"):
            return Down(said)
        return Unavailable(said) if error.retry else Malformed(said)

    def _cleared(self, said: str) -> str:
        """Return what is said of a failure without the key, or its beginning where a value was cut short."""
        for key in (self.key, quote_plus(self.key)):
            for length in range(len(key), min(8, len(key)) - 1, -1):
                said = said.replace(key[:length], "")
        return said


def quota(folder: Path) -> Quota:
    """Return the quota of a store's key: its calls of the last hour stand in `flickr.calls`."""
    return Quota(folder / "flickr.calls", CALLS, HOUR)


@dataclass(frozen=True, slots=True)
class OtherSize:
    """Finds another file of a photo, by `flickr.photos.getSizes`, when the one that was linked is gone."""

    key: str | None = field(repr=False)

    async def __call__(self, client: Client, url: str) -> str:
        """Return the address of the largest size of up to 1,024 pixels but `url`.

        Raises `FetchError`, and `BadKey` where the key is refused: it ends the crawl.
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
