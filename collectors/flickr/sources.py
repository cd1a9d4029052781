"""How the source of a crawl is built: lists of photos, or searches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from affectory.core.errors import InputError
from collectors.crawl.crawl import MakeSource
from collectors.crawl.source import Source
from collectors.flickr.api import REST, FlickrApi, quota
from collectors.flickr.lists import Lists
from collectors.flickr.photos import Photos
from collectors.flickr.search import Search
from collectors.flickr.vso import SENTIMENTS, Pair
from collectors.http.client import Client
from collectors.http.quota import Quota
from collectors.store import Store


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for: the photos of `lists`, or a search for each of `pairs`.

    `key` is the API's (None: only images); `quota` returns its quota from the store's folder.
    """

    lists: Lists
    pairs: Sequence[Pair] = ()
    limit: int = 100
    licences: Sequence[int] = ()
    key: str | None = None
    quota: Callable[[Path], Quota] | None = quota


def make_source(asked: Asked) -> MakeSource:
    """Return the function that builds the source from the crawl's store and client."""

    async def make(store: Store, client: Client, stack: AsyncExitStack) -> Source:
        _check(store, asked.lists)
        if asked.quota is not None:
            client.host(REST).quota = asked.quota(store.folder)
        api = FlickrApi(client, asked.key) if asked.key is not None else None
        if asked.pairs:
            assert api is not None
            return Search(
                asked.pairs, asked.lists, store, store.author_key(), api, asked.limit, asked.licences
            )
        return Photos(asked.lists, store, store.author_key(), api)

    return make


def _check(store: Store, lists: Lists) -> None:
    """Raise `InputError` if the store has photos of the other kind of lists: a photo may be in both."""
    held = store.communities()
    if held and (set(held) <= set(SENTIMENTS)) != (set(lists.communities) <= set(SENTIMENTS)):
        raise InputError(
            f"the store {str(store.folder)!r} holds {', '.join(held)}; voted photos and VSO's pairs need "
            "a store each: name another --store"
        )
