"""Flickr's REST API, which answers in XML, or in JSON if the call asks for it.

    GET /api.flickr.com/services/rest/?method=flickr.photos.getInfo&photo_id=2000000000&api_key=X
    GET /api.flickr.com/services/rest/?method=flickr.photos.getSizes&photo_id=2000000000&api_key=X
    GET /api.flickr.com/services/rest/?method=flickr.photos.search&text=funny+cat&per_page=100&api_key=X

Every key but "wrong" is accepted. Failures have HTTP status 200: code 1 not found, 2 private, 100 bad key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from aiohttp import web

from collectors.sandbox.generated.flickr_corpus import FlickrPhoto
from collectors.sandbox.generated.submission import Json
from collectors.sandbox.state.state import Sandbox, json_response

#: The suffixes of the sizes that every photo here has, and their longer side in pixels.
SIDES = {"s": 75, "t": 100, "m": 240, "n": 320, "": 500}
_LABELS = {"s": "Square", "t": "Thumbnail", "m": "Small", "n": "Small 320", "": "Medium"}


class _Failure(Exception):
    """A failure as Flickr answers it: a code and a message."""


def rest(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer api.flickr.com."""
    query = request.query
    methods: dict[str, Callable[[Sandbox, web.Request], Json]] = {
        "flickr.photos.getInfo": _info,
        "flickr.photos.getSizes": _sizes,
        "flickr.photos.search": _search,
    }
    try:
        if query.get("api_key", "wrong") == "wrong":
            raise _Failure(100, "Invalid API Key (Key has invalid format)")
        method = methods.get(query.get("method", ""))
        if method is None:
            raise _Failure(112, f'Method "{query.get("method", "")}" not found')
        answer: Json = {"stat": "ok"} | method(sandbox, request)
    except _Failure as failure:
        code, message = failure.args
        answer = {"stat": "fail", "code": code, "message": message}
    if query.get("format") == "json":
        return json_response(answer)
    return web.Response(text=_xml(answer), content_type="text/xml", charset="utf-8")


def counted_as(request: web.Request) -> str:
    """Return the name under which a call is counted: its path, method and photo, without its key."""
    asked = [request.query.get(name, "") for name in ("method", "photo_id", "text", "page")]
    return " ".join([request.path, *filter(None, asked)])


def down() -> web.StreamResponse:
    """Answer as Flickr does when it is down: with JSON, whatever was asked for, and a trailing comma."""
    body = '{"stat":"fail","message":"Sorry, the Flickr API service is not currently available.","code":201},'
    return web.Response(text=body, content_type="text/xml", charset="utf-8")


def _photo(sandbox: Sandbox, request: web.Request) -> FlickrPhoto:
    photo = sandbox.flickr.photos.get(request.query.get("photo_id", ""))
    if photo is None or photo.fate == "not_found":
        raise _Failure(1, f'Photo "{request.query.get("photo_id", "")}" not found (invalid ID)')
    if photo.fate == "private":
        raise _Failure(2, "Permission denied")
    return photo


def _info(sandbox: Sandbox, request: web.Request) -> Json:
    photo = _photo(sandbox, request)
    taken, granularity, unknown = photo.taken
    tags = [
        {"id": f"{photo.id}-{n}", "author": photo.owner, "raw": tag, "_content": tag.replace(" ", "")}
        for n, tag in enumerate(photo.tags)
    ]
    return {
        "photo": {
            **_names(photo),
            "dateuploaded": str(photo.uploaded),
            "license": str(photo.licence),
            "safety_level": str(photo.safety),
            "media": "photo",
            "owner": {"nsid": photo.owner, "username": photo.owner_name, "realname": photo.owner_name},
            "title": {"_content": photo.title},
            "description": {"_content": photo.description},
            "dates": {
                "posted": str(photo.uploaded),
                "taken": taken,
                "takengranularity": str(granularity),
                "takenunknown": str(unknown),
                "lastupdate": str(photo.uploaded + 6),
            },
            "comments": {"_content": str(len(photo.title) % 7)},
            "tags": {"tag": tags},
            "urls": {"url": [{"type": "photopage", "_content": _page(photo)}]},
        }
    }


def _sizes(sandbox: Sandbox, request: web.Request) -> Json:
    photo = _photo(sandbox, request)
    if photo.fate == "lost":
        raise _Failure(1, "Photo not found")
    longest = max(photo.picture.width, photo.picture.height)
    sizes = [
        {
            "label": _LABELS[suffix],
            "width": round(photo.picture.width * min(side, longest) / longest),
            "height": round(photo.picture.height * min(side, longest) / longest),
            "source": source(photo, suffix),
            "url": _page(photo),
            "media": "photo",
        }
        for suffix, side in SIDES.items()
    ]
    return {"sizes": {"canblog": 0, "canprint": 0, "candownload": 1, "size": sizes}}


def _search(sandbox: Sandbox, request: web.Request) -> Json:
    query = request.query
    words = query.get("text", "").lower().split()
    licences = set(filter(None, query.get("license", "").split(",")))
    page, per_page = int(query.get("page", "1")), min(500, int(query.get("per_page", "100")))
    hits = [
        photo
        for photo in sandbox.flickr.photos.values()
        if photo.fate not in ("not_found", "private")
        and photo.safety == 0
        and (not licences or str(photo.licence) in licences)
        and set(words) <= set(f"{photo.title} {' '.join(photo.tags)}".lower().split())
    ]
    shown = [
        {
            **_names(photo),
            "owner": photo.owner,
            "title": photo.title,
            "ispublic": 1,
            "license": str(photo.licence),
            "description": {"_content": photo.description},
            "dateupload": str(photo.uploaded),
            "datetaken": photo.taken[0],
            "datetakengranularity": str(photo.taken[1]),
            "datetakenunknown": str(photo.taken[2]),
            "tags": " ".join(tag.replace(" ", "") for tag in photo.tags),
            "media": "photo",
        }
        for photo in hits[(page - 1) * per_page : page * per_page]
    ]
    pages = -(-len(hits) // per_page)
    return {"photos": {"page": page, "pages": pages, "perpage": per_page, "total": len(hits), "photo": shown}}


def source(photo: FlickrPhoto, suffix: str, secret: str | None = None) -> str:
    """Return the address of a photo's file: https://live.staticflickr.com/8383/2000000000_0f4c8d1f5d_n.jpg"""
    ending = f"_{suffix}" if suffix else ""
    return f"https://live.staticflickr.com/{photo.server}/{photo.id}_{secret or photo.secret}{ending}.jpg"


def _names(photo: FlickrPhoto) -> Json:
    return {"id": photo.id, "secret": photo.secret, "server": photo.server, "farm": 9}


def _page(photo: FlickrPhoto) -> str:
    return f"https://www.flickr.com/photos/{photo.owner}/{photo.id}/"


def _xml(answer: Json) -> str:
    """Write an answer as XML: attributes for values, text for `_content`."""
    root = ElementTree.Element("rsp", stat=answer["stat"])
    if answer["stat"] == "fail":
        ElementTree.SubElement(root, "err", code=str(answer["code"]), msg=answer["message"])
    for name, value in answer.items():
        if isinstance(value, dict):
            _fill(ElementTree.SubElement(root, name), value)
    return '<?xml version="1.0" encoding="utf-8" ?>\n' + ElementTree.tostring(root, encoding="unicode")


def _fill(element: ElementTree.Element, value: dict[str, Any]) -> None:
    for name, one in value.items():
        if name == "_content":
            element.text = one
        elif isinstance(one, dict | list):
            for child in one if isinstance(one, list) else [one]:
                _fill(ElementTree.SubElement(element, name), child)
        elif name == "title":  # an attribute in a search's answer
            element.set(name, one)
        else:
            element.set(name, str(one))
