"""From a URL of Flickr to the photo that it means."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

#: farm9.static.flickr.com (before 2011), farm9.staticflickr.com, c2.staticflickr.com, live.staticflickr.com
_STATIC_HOST = re.compile(r"(?:[a-z0-9]+\.)?(?:static\.flickr|staticflickr)\.com")
_PAGE_HOST = re.compile(r"(?:(?:www|m|secure)\.)?flickr\.com")
# /8383/8674…_abc_z.jpg; on c2.staticflickr.com with the farm in front: /9/8383/8674…_abc_z.jpg
_FILE = re.compile(r"/(?:\d+/)?(\d+)/((\d{1,20})_[0-9a-f]+(?:_[a-z0-9]+)?\.(?:jpg|gif|png))")
_ID = re.compile(r"id=(\d{1,20})", re.ASCII)
_PAGE = re.compile(r"/photos/[^/]+/(\d{1,20})(?:/.*)?")


class Target(NamedTuple):
    """A photo's id, and the URL of its file if the text was one."""

    photo_id: str
    url: str | None


def target_of(text: str) -> Target | None:
    """Return the photo that the URL of a file or a page, or an id, means; None for anything else.

    Flickr's former file hosts have the same files as the present one, which is used with https.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,20}", text) and text.isascii():
        return Target(text, None)
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").lower()
    except ValueError:  # "http://[half"
        return None
    if parts.scheme not in ("http", "https"):
        return None
    if _STATIC_HOST.fullmatch(host) and (file := _FILE.fullmatch(parts.path)):
        return Target(file[3], f"https://live.staticflickr.com/{file[1]}/{file[2]}")
    if _PAGE_HOST.fullmatch(host) and (page := _PAGE.fullmatch(parts.path)):
        return Target(page[1], None)
    # The permalink in our stores: https://www.flickr.com/photo.gne?id=53248070597
    if _PAGE_HOST.fullmatch(host) and parts.path == "/photo.gne" and (named := _ID.fullmatch(parts.query)):
        return Target(named[1], None)
    return None


def file_url(server: str, photo_id: str, secret: str) -> str:
    """Return the URL of a photo's file of 500 pixels, the largest size that every photo has."""
    return f"https://live.staticflickr.com/{server}/{photo_id}_{secret}.jpg"
