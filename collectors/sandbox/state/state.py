"""The state of a running sandbox, the type of a host's handler, and the answers that handlers share."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from collectors.sandbox.generated.corpus import Corpus
from collectors.sandbox.generated.flickr_corpus import FlickrCorpus
from collectors.sandbox.generated.posts import Format, Picture
from collectors.sandbox.state.faults import Faults
from collectors.sandbox.state.limits import HostLimits

#: A host's handler gets the path after the host's name, without a leading slash.
Handler = Callable[["Sandbox", web.Request, str], web.StreamResponse]


class ByteCache:
    """A least-recently-used cache of bytes, bounded by their sum."""

    def __init__(self, limit: int = 256 * 2**20) -> None:
        self.limit = limit
        self.held = 0
        self._items: OrderedDict[object, bytes] = OrderedDict()

    def get(self, key: object, make: Callable[[], bytes]) -> bytes:
        """Return the bytes under `key`; if they aren't there, make and keep them."""
        if key in self._items:
            self._items.move_to_end(key)
            return self._items[key]
        made = make()
        self._items[key] = made
        self.held += len(made)
        while self.held > self.limit and len(self._items) > 1:
            _, dropped = self._items.popitem(last=False)
            self.held -= len(dropped)
        return made


@dataclass(slots=True)
class Stats:
    """The number of requests by path, and of answers by status."""

    by_path: Counter[str] = field(default_factory=Counter)
    by_status: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """Return the answer to `GET /~stats`."""
        return {
            "requests": sum(self.by_path.values()),
            "by_status": dict(sorted(self.by_status.items())),
            "by_path": dict(sorted(self.by_path.items())),
        }


@dataclass(slots=True)
class Sandbox:
    """A sandbox: its posts and photos, its faults and limits, and its statistics."""

    corpus: Corpus
    faults: Faults
    limits: HostLimits
    flickr: FlickrCorpus = field(default_factory=FlickrCorpus)
    stats: Stats = field(default_factory=Stats)
    cache: ByteCache = field(default_factory=ByteCache)
    reddit_requests: int = 0

    def image(self, picture: Picture, width: int | None = None, image_format: Format | None = None) -> bytes:
        """Return a picture's bytes; if asked, scaled down to `width` or in another format."""
        from collectors.sandbox.generated.pictures import render

        wanted = image_format or picture.format
        size = (picture.width, picture.height)
        if width is not None and 0 < width < picture.width:
            size = (width, max(1, round(picture.height * width / picture.width)))
        key = (picture.key, picture.cue, size, wanted, picture.quality)
        return self.cache.get(key, lambda: render(picture.key, picture.cue, size, wanted, picture.quality))


def json_response(
    data: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """Answer with JSON."""
    return web.Response(
        body=msgspec.json.encode(data),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


def image_response(body: bytes, mime: str, headers: Mapping[str, str] | None = None) -> web.StreamResponse:
    """Answer with an image."""
    return web.Response(body=body, content_type=mime, headers=headers)


def page(title: str, text: str, status: int = 200) -> web.StreamResponse:
    """Answer with a small HTML page."""
    html = f"<!doctype html>\n<html><head><title>{title}</title></head><body>{text}</body></html>\n"
    return web.Response(text=html, status=status, content_type="text/html")


def not_found() -> web.StreamResponse:
    """Answer 404 with a page."""
    return page("404 Not Found", "<h1>404 Not Found</h1>", 404)


def redirect(location: str) -> web.StreamResponse:
    """Answer 302 with the address of the real host, which the client maps to the sandbox."""
    return web.Response(status=302, headers={"Location": location})
