"""From a URL of Flickr to the photo that it means."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

#: farm9.static.flickr.com (before 2011), farm9.staticflickr.com, c2.staticflickr.com, live.staticflickr.com
_STATIC_HOST = re.compile(r"(?:[a-z0-9]+\.)?(?:static\.flickr|staticflickr)\.com")
_PAGE_HOST = re.compile(r"(?:(?:www|m|secure)\.)?flickr\.com")
# /8383/8674…_abc_z.jpg; on c2.staticflickr.com with the farm in front: /9/8383/8674…_abc_z.jpg. The same
# file as a download: /8383/8674…_abc_z_d.jpg, and for the size without a letter /8383/8674…_abc_d.jpg
_FILE = re.compile(r"/(?:\d+/)?(\d+)/((\d{1,20})_[0-9a-f]+(?:_(?!d\.)[a-z0-9]+)?)(?:_d)?(\.(?:jpg|gif|png))")
_ID = re.compile(r"\d{1,20}", re.ASCII)
_PAGE = re.compile(r"/photos/[^/]+/(\d{1,20})(?:/.*)?")
# https://flic.kr/p/FPVo9U, the photo's id in base 58
_SHORT = re.compile(r"/p/([1-9A-HJ-NP-Za-km-z]{1,11})/?")
_BASE_58 = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"


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
        return Target(file[3], f"https://live.staticflickr.com/{file[1]}/{file[2]}{file[4]}")
    if _PAGE_HOST.fullmatch(host) and (page := _PAGE.fullmatch(parts.path)):
        return Target(page[1], None)
    # The permalink in our stores: https://www.flickr.com/photo.gne?id=53248070597
    if _PAGE_HOST.fullmatch(host) and parts.path in ("/photo.gne", "/photo_zoom.gne"):
        named = parse_qs(parts.query, errors="replace").get("id", [""])[0]
        return Target(named, None) if _ID.fullmatch(named) else None
    if host in ("flic.kr", "www.flic.kr") and (short := _SHORT.fullmatch(parts.path)):
        return Target(str(_from_base_58(short[1])), None)
    return None


def _from_base_58(text: str) -> int:
    number = 0
    for digit in text:
        number = 58 * number + _BASE_58.index(digit)
    return number


def file_url(server: str, photo_id: str, secret: str) -> str:
    """Return the URL of a photo's file of 500 pixels, the largest size that every photo has."""
    return f"https://live.staticflickr.com/{server}/{photo_id}_{secret}.jpg"
