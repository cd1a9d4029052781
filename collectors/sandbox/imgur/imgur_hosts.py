"""imgur: its image host, its pages, and its API, the only place that lists the images of an album.

GET /i.imgur.com/x05uPhi.jpg                       the image, whatever extension is asked for
GET /i.imgur.com/gone123.jpg                       302 to https://i.imgur.com/removed.png
GET /api.imgur.com/3/album/kT9iT/images            Authorization: Client-ID X
"""

from __future__ import annotations

import functools
import io
from typing import Any

from aiohttp import web

from collectors.sandbox.generated.posts import EXTENSION, MIME, Picture, SandboxPost
from collectors.sandbox.state.faults import Place
from collectors.sandbox.state.state import Handler, Sandbox, image_response, json_response, page, redirect

REMOVED = "https://i.imgur.com/removed.png"


@functools.cache
def removed_png() -> bytes:
    """Return the placeholder: a PNG of 161 by 81, served with status 200."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (161, 81), (34, 34, 34))
    pen = ImageDraw.Draw(image)
    pen.text((12, 24), "The image you are", fill=(220, 220, 220))
    pen.text((12, 40), "requesting is gone.", fill=(220, 220, 220))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def images(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer i.imgur.com."""
    if path == "removed.png":
        return image_response(removed_png(), "image/png")
    picture = sandbox.corpus.pictures.get(path.partition(".")[0])
    if picture is None:  # for the id of an album too, imgur shows the placeholder
        return redirect(REMOVED)
    # The extension is ignored: a GIF that is requested as .jpg is sent as image/gif.
    return image_response(sandbox.image(picture), MIME[picture.format])


def pages(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer imgur.com with a page; those of albums have no image without JavaScript."""
    identity = _identity(path.rpartition("/")[2])
    post, picture = sandbox.corpus.albums.get(identity), sandbox.corpus.pictures.get(identity)
    if post is None and picture is None:
        return page("imgur: the simple 404 page", "<p>Zoinks! You've taken a wrong turn.</p>", 404)
    shown = f'<meta property="og:image" content="{_link(picture)}">' if picture else ""
    return page("Imgur", f"{shown}<p>Imgur: the magic of the Internet</p>")


def api(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer api.imgur.com."""
    scheme, _, client_id = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Client-ID" or not client_id.strip():
        return _failure(request, path, 401, "Authentication required")
    if client_id.strip() == "wrong":
        return _failure(request, path, 403, "Invalid client_id")
    parts = path.strip("/").removesuffix(".json").split("/")
    if len(parts) < 3 or parts[0] != "3":
        return _failure(request, path, 404, "Not found")
    kind, identity = parts[1], _identity(parts[2])
    post = sandbox.corpus.albums.get(identity) if kind in ("album", "gallery") else None
    picture = sandbox.corpus.pictures.get(identity) if kind in ("image", "gallery") else None
    if post is not None:
        images_only = kind == "album" and parts[3:] == ["images"]
        shown = [_image(sandbox, one, post) for one in post.pictures]
        return _success(shown if images_only else _album(post, identity, shown))
    if picture is not None:
        return _success(_image(sandbox, picture, None) | ({"is_album": False} if kind == "gallery" else {}))
    return _failure(request, path, 404, f"Unable to find an {kind} with the id, {identity}")


def _identity(name: str) -> str:
    """Return the id at the end of an address with words, "my-dog-today-x05uPhi"."""
    return name.rpartition("-")[2]


def _link(picture: Picture) -> str:
    return f"https://i.imgur.com/{picture.id}.{EXTENSION[picture.format]}"


def _image(sandbox: Sandbox, picture: Picture, post: SandboxPost | None) -> dict[str, Any]:
    """Return imgur's record of an image, {"id": "fGDtDVT", "type": "image/gif", "animated": true, …}."""
    size = len(sandbox.image(picture))
    return {
        "id": picture.id,
        "title": None,
        "description": None,
        "datetime": post.created_utc if post else 1_492_124_964,
        "type": MIME[picture.format],
        "animated": picture.format == "gif",
        "width": picture.width,
        "height": picture.height,
        "size": size,
        "views": 1000,
        "bandwidth": 1000 * size,
        "vote": None,
        "favorite": False,
        "nsfw": post.over_18 if post else None,
        "section": None,
        "account_url": None,
        "account_id": None,
        "is_ad": False,
        "in_most_viral": False,
        "has_sound": False,
        "tags": [],
        "in_gallery": False,
        "link": _link(picture),
    }


def _album(post: SandboxPost, identity: str, images: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": identity,
        "title": post.title,
        "description": None,
        "datetime": post.created_utc,
        "cover": images[0]["id"],
        "cover_width": images[0]["width"],
        "cover_height": images[0]["height"],
        "account_url": None,
        "account_id": None,
        "privacy": "hidden",
        "layout": "blog",
        "views": 1000,
        "link": f"https://imgur.com/a/{identity}",
        "nsfw": post.over_18,
        "is_album": True,
        "images_count": len(images),
        "in_gallery": False,
        "images": images,
    }


def _success(data: Any) -> web.StreamResponse:
    headers = {"X-RateLimit-ClientLimit": "12500", "X-RateLimit-ClientRemaining": "12000"}
    return json_response({"data": data, "success": True, "status": 200}, headers=headers)


def _failure(request: web.Request, path: str, status: int, error: str) -> web.StreamResponse:
    data = {"error": error, "request": f"/{path}", "method": request.method}
    return json_response({"data": data, "success": False, "status": status}, status)


#: The handler of each host, and the kind of its addresses, which decides the faults that apply.
HOSTS: dict[str, tuple[Handler, Place]] = {
    "api.imgur.com": (api, "api"),
    "imgur.com": (pages, "api"),
    "i.imgur.com": (images, "media"),
}
