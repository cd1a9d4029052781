"""Reddit's image hosts, a host of other pages, and the benchmarks' host.

    GET /i.redd.it/rrinwcmrxzug1.jpeg
    GET /preview.redd.it/rrinwcmrxzug1.jpeg?width=320&crop=smart&auto=webp&s=…     WebP, scaled
    GET /external-preview.redd.it/<43 characters>.jpg?auto=webp&s=…                by its token
    GET /bench.example/17.jpg            about 85 kB; request 0 to 63 first, so that no drawing is timed

Signatures are not checked.
"""

from __future__ import annotations

from aiohttp import web

from collectors.sandbox.generated.posts import MIME, Format, Picture
from collectors.sandbox.state.state import Sandbox, image_response, not_found, page, redirect


def originals(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer i.redd.it."""
    picture = sandbox.corpus.pictures.get(path.partition(".")[0])
    if picture is None or picture.status == "failed":
        return not_found()
    return image_response(sandbox.image(picture), MIME[picture.format])


def previews(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer preview.redd.it."""
    picture = sandbox.corpus.pictures.get(path.partition(".")[0])
    return _preview(sandbox, request, picture)


def external_previews(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer external-preview.redd.it."""
    return _preview(sandbox, request, sandbox.corpus.previews.get(path.partition(".")[0]))


def videos(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer v.redd.it with the start of an MP4, or with a redirect to the player."""
    if "/" not in path.strip("/"):
        return redirect(f"https://www.reddit.com/video/{path.strip('/')}")
    # An "ftyp" box is enough to recognise a video by its content.
    return web.Response(body=b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", content_type="video/mp4")


def elsewhere(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer daily-feed.example, the site that link posts lead to."""
    return page("Daily feed", f"<h1>{len(path)} characters of news</h1>")


def bench(sandbox: Sandbox, request: web.Request, path: str) -> web.StreamResponse:
    """Answer bench.example: `{i}.jpg`, where no two pictures have the same pixels."""
    from collectors.sandbox.generated.numbered import numbered

    number = path.removesuffix(".jpg")
    if not number.isdecimal() or len(number) > 12:
        return not_found()
    return image_response(numbered(int(number)), "image/jpeg")


def _preview(sandbox: Sandbox, request: web.Request, picture: Picture | None) -> web.StreamResponse:
    if picture is None or picture.status == "failed":
        return not_found()
    width = request.query.get("width", "")
    wanted: Format = "webp" if request.query.get("auto") == "webp" else picture.format
    body = sandbox.image(picture, int(width) if width.isdecimal() else None, wanted)
    return image_response(body, MIME[wanted])
