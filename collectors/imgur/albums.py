"""The images of an album, from imgur's API. It needs a client id (`IMGUR_CLIENT_ID`), but no login.

GET https://api.imgur.com/3/album/nuE98/images
{"data": [{"id": "RxJ6wqi", "type": "image/jpeg", "link": "https://i.imgur.com/RxJ6wqi.jpg", …}],
 "success": true, "status": 200}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from collectors.http.answers import FetchError
from collectors.http.client import Client
from collectors.store.record import Media

API_HOST = "api.imgur.com"

#: Media kinds whose images are known to the API only.
ALBUM_KINDS = ("imgur_album", "imgur_gallery")

_ID = re.compile(r"^/([A-Za-z0-9]+)\.[a-z]+$")
# imgur has sent entries with `"type": null` and without a link.
_IMAGE_ID = re.compile(r"[A-Za-z0-9]{4,10}")
_LINK = re.compile(r"https?://[!-~]+")


async def album_images(client: Client, url: str, kind: str, client_id: str) -> list[Media]:
    """Return the images of an album or gallery, whose id is in `url` (…/ID.jpg), without its videos.

    An entry that names no image is a failed one, with the album's address, as long as there are others.
    Raises `FetchError`: `gone` if imgur has removed it, `unauthorized` (a rerun may help) for a wrong client
    id, which imgur answers with 403 `{"data": {"error": "Invalid client_id", …}, …}`.
    """
    found = _ID.match(urlsplit(url).path)
    if found is None:
        raise FetchError("bad_url", detail=url)
    endpoint = f"album/{found[1]}/images" if kind == "imgur_album" else f"gallery/{found[1]}"
    try:
        answer = await client.get(
            f"https://{API_HOST}/3/{endpoint}", headers={"Authorization": f"Client-ID {client_id}"}
        )
    except FetchError as error:
        if error.reason not in ("unauthorized", "forbidden"):
            raise
        detail = f"imgur refuses this IMGUR_CLIENT_ID ({error.detail})"
        raise FetchError("unauthorized", detail=detail, retry=True) from None
    entries = [one for one in _entries(answer.body, kind) if not str(one.get("type")).startswith("video/")]
    if not entries:
        raise FetchError("empty_album", detail=url, gone=True)
    images = [_image(one, position, url) for position, one in enumerate(entries)]
    if all(image.status == "failed" for image in images):
        raise _malformed("no entry names an image")
    return images


def _entries(body: bytes, kind: str) -> list[Mapping[str, Any]]:
    """Return the entries of an answer; one that isn't an object is empty."""
    try:
        answer = json.loads(body)  # accepts the halves of surrogate pairs that imgur's titles may have
    except (ValueError, RecursionError) as error:
        raise _malformed(str(error)) from None
    data = answer.get("data") if isinstance(answer, dict) else None
    if kind == "imgur_gallery" and isinstance(data, dict):
        if not data.get("is_album"):
            return [data] if data.get("link") or data.get("id") else []
        data = data.get("images") or []
    if not isinstance(data, list):
        raise _malformed(f"data is {type(data).__name__}")
    return [one if isinstance(one, dict) else {} for one in data]


def _image(entry: Mapping[str, Any], position: int, album: str) -> Media:
    link, image_id = entry.get("link"), entry.get("id")
    if isinstance(link, str) and _LINK.fullmatch(link):
        return Media(re.sub(r"^http:", "https:", link), position, "imgur_image")
    if isinstance(image_id, str) and _IMAGE_ID.fullmatch(image_id):
        return Media(f"https://i.imgur.com/{image_id}.jpg", position, "imgur_image")
    return Media(album, position, "imgur_image", status="failed", reason="album_item_missing")


def _malformed(why: str) -> FetchError:
    return FetchError("malformed_answer", detail=f"{API_HOST}: {why}"[:200], retry=True)
