"""The answers that carry out the faults of `faults.py`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import struct
import zlib
from collections.abc import Awaitable, Callable

from aiohttp import web

from collectors.sandbox.flickr.flickr_api import down
from collectors.sandbox.flickr.flickr_files import UNAVAILABLE
from collectors.sandbox.generated import stable
from collectors.sandbox.imgur.imgur_hosts import REMOVED, removed_png
from collectors.sandbox.reddit.archive_api import slow_down
from collectors.sandbox.state.state import Sandbox, image_response, json_response, page, redirect

BOMB_SIDE = 30_000
#: A GIF of one pixel, as trackers send it.
PIXEL = bytes.fromhex(
    "474946383961010001008000000000 00ffffff21f90401000000002c00000000010001000002024401003b".replace(" ", "")
)
DRIP_PAUSE = 0.2

#: Headers that ask not to use an image for AI, by fault.
SIGNALS = {
    "noai": {"X-Robots-Tag": "noai, noimageai"},
    "tdm": {"tdm-reservation": "1", "tdm-policy": "https://daily-feed.example/policy.json"},
    "usage": {"Content-Usage": "train-ai=n"},
}

Answer = Callable[[], web.StreamResponse]


async def misbehave(
    fault: str, sandbox: Sandbox, request: web.Request, url: str, answer: Answer
) -> web.StreamResponse:
    """Answer a request with a fault; `answer` returns the answer without it."""
    streaming: dict[str, Callable[[], Awaitable[web.StreamResponse]]] = {
        "truncated": lambda: _truncated(request, answer()),
        "drip": lambda: _drip(request, answer()),
        "huge": lambda: _huge(request),
    }
    if fault in streaming:
        return await streaming[fault]()
    if fault == "reset":
        sandbox.stats.by_status["reset"] += 1
        assert request.transport is not None
        request.transport.abort()
        return web.Response()  # nobody reads it
    return _plain(fault, url, answer)


def _plain(fault: str, url: str, answer: Answer) -> web.StreamResponse:
    host = url.split("/")[2]
    if fault == "429":
        wait = {"Retry-After": "1"} if stable.number("retry-after", url) % 2 else None
        return json_response({"message": "Too Many Requests", "error": 429}, 429, wait)
    if fault == "500":
        return web.Response(status=500 + 3 * (stable.number("500", url) % 2))
    if fault == "slow_down":
        return json_response(slow_down(), 422)
    if fault == "flickr_down":
        return down()
    if fault == "html":
        return page("Sign in to continue", "<p>This is a page, not an image.</p>")
    if fault == "bomb":
        return image_response(bomb(), "image/png")
    if fault == "private_redirect":
        return redirect("http://169.254.169.254/latest/meta-data/")
    if fault == "loop":
        return redirect(url)
    if fault == "removed" and host.endswith("imgur.com"):
        return redirect(REMOVED)
    if fault == "removed" and host.endswith("staticflickr.com"):
        return redirect(UNAVAILABLE)
    if fault == "removed":  # Reddit's hosts answer 404, with a placeholder image
        return web.Response(body=removed_png(), status=404, content_type="image/png")
    if fault == "pixel":
        return image_response(PIXEL, "image/gif")
    if fault == "corrupt":
        return image_response(corrupt(url), "image/jpeg")
    if fault in SIGNALS:
        response = answer()
        response.headers.update(SIGNALS[fault])
        return response
    if fault == "disallow":
        return web.Response(text="User-agent: *\nDisallow: /\n")
    if fault == "robots_usage":
        return web.Response(text="User-agent: *\nAllow: /\nContent-Usage: train-ai=n\n")
    if fault == "robots_down":
        return web.Response(status=503)
    assert fault == "unavailable", fault
    return page("404 Not Found", "<h1>404 Not Found</h1>", 404)


def corrupt(url: str) -> bytes:
    """Return a JPEG's first bytes and then garbage, the same for the same address."""
    start = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    return start + stable.stream("corrupt", url).randbytes(20_000)


@functools.cache
def bomb() -> bytes:
    """Return a PNG of 30,000 by 30,000 grey pixels: 874 kB that decode to 900 MB.

    It is built from one chunk of 1,000 rows. After a full flush the same zeros give the same compressed
    bytes, so the stream is 30 copies of the chunk. Adler-32 of zeros depends on their number only.
    """
    rows, copies = 1000, BOMB_SIDE // 1000
    raw = rows * (BOMB_SIDE + 1)  # each row begins with a filter byte
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    chunk = b"".join([packer.compress(bytes(BOMB_SIDE + 1)) for _ in range(rows)])
    chunk += packer.flush(zlib.Z_FULL_FLUSH)
    adler = (raw * copies % 65521) << 16 | 1
    data = b"\x78\xda" + chunk * copies + zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    header = struct.pack(">IIBBBBB", BOMB_SIDE, BOMB_SIDE, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", data + struct.pack(">I", adler)), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


async def _truncated(request: web.Request, full: web.StreamResponse) -> web.StreamResponse:
    """Announce the full length, send half of the body, and close the connection."""
    body = full.body if isinstance(full, web.Response) and isinstance(full.body, bytes) else b""
    response = web.StreamResponse(status=full.status, headers={"Content-Type": full.content_type})
    response.content_length = max(2, len(body))
    await response.prepare(request)
    await response.write(body[: len(body) // 2] or b" ")
    assert request.transport is not None
    request.transport.close()
    return response


async def _drip(request: web.Request, full: web.StreamResponse) -> web.StreamResponse:
    """Send the body byte by byte, again and again, so that a time-out between bytes never expires."""
    body = full.body if isinstance(full, web.Response) and isinstance(full.body, bytes) else b""
    response = web.StreamResponse(status=full.status, headers={"Content-Type": full.content_type})
    await response.prepare(request)
    sent = 0
    with contextlib.suppress(ConnectionError):  # the client has closed the connection
        while _connected(request):
            await response.write(bytes([body[sent % len(body)]]) if body else b"\0")
            sent += 1
            await asyncio.sleep(DRIP_PAUSE)
    return response


async def _huge(request: web.Request) -> web.StreamResponse:
    """Send zeros until the client closes the connection."""
    response = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while _connected(request):
            await response.write(bytes(65_536))
            await asyncio.sleep(0)
    return response


def _connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()
