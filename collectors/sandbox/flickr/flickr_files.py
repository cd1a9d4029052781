"""Flickr's files: photos in several sizes, and the placeholder for files that are gone.

GET /live.staticflickr.com/8383/2000000000_0f4c8d1f5d_n.jpg
GET /live.staticflickr.com/8383/2000000000_0000000000.jpg     302 to …/photo_unavailable.png
"""

from __future__ import annotations

import re

from aiohttp import web

from collectors.sandbox.flickr.flickr_api import SIDES
from collectors.sandbox.state.state import Sandbox, image_response, not_found, redirect

UNAVAILABLE = "https://s.yimg.com/pw/images/en-us/photo_unavailable.png"
_FILE = re.compile(r"\d+/(\d+)_([0-9a-f]+)(?:_([a-z]))?\.jpg")


def files(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer live.staticflickr.com."""
    asked = _FILE.fullmatch(path)
    photo = sandbox.flickr.photos.get(asked[1]) if asked else None
    if asked is None or photo is None:
        return not_found()
    if photo.fate in ("not_found", "private", "lost") or asked[2] != photo.secret:
        return redirect(UNAVAILABLE)
    longest = max(photo.picture.width, photo.picture.height)
    side = min(SIDES.get(asked[3] or "", longest), longest)
    body = sandbox.image(photo.picture, round(photo.picture.width * side / longest))
    return image_response(body, "image/jpeg")
