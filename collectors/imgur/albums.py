"""The images of an album, from imgur's API. It needs a client id (`IMGUR_CLIENT_ID`), but no login.

GET https://api.imgur.com/3/album/nuE98/images
{"data": [{"id": "RxJ6wqi", "type": "image/jpeg", "link": "https://i.imgur.com/RxJ6wqi.jpg", …}],
 "success": true, "status": 200}
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from collectors.http.answers import FetchError
from collectors.http.client import Client

API_HOST = "api.imgur.com"

#: Media kinds whose images are known to the API only.
ALBUM_KINDS = ("imgur_album", "imgur_gallery")

_ID = re.compile(r"^/([A-Za-z0-9]+)\.[a-z]+$")


class _Image(msgspec.Struct):
    link: str
    type: str = ""


class _Images(msgspec.Struct):
    data: list[_Image]


class _GalleryItem(msgspec.Struct):
    is_album: bool = False
    images: list[_Image] = msgspec.field(default_factory=list)
    link: str = ""
    type: str = ""


class _Gallery(msgspec.Struct):
    data: _GalleryItem


async def album_images(client: Client, url: str, kind: str, client_id: str) -> list[str]:
    """Return the addresses of the images of an album or gallery, whose id is in `url` (…/ID.jpg).

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
    try:
        if kind == "imgur_album":
            images = msgspec.json.decode(answer.body, type=_Images).data
        else:
            item = msgspec.json.decode(answer.body, type=_Gallery).data
            images = item.images if item.is_album else [_Image(item.link, item.type)]
    except msgspec.DecodeError as error:
        raise FetchError("malformed_answer", detail=f"{API_HOST}: {error}"[:200], retry=True) from None
    links = [_https(image.link) for image in images if image.link and not image.type.startswith("video/")]
    if not links:
        raise FetchError("empty_album", detail=url, gone=True)
    return links


def _https(link: str) -> str:
    return re.sub(r"^http:", "https:", link)
