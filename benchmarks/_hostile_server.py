"""A server of hostile answers for `benchmarks.hostile`: prints its address, ends when standard input ends.

GET /HOST/good/N.jpg          a small picture
GET /HOST/bad/N.jpg           500
GET /HOST/big/N.png           a picture of 8 MB
GET /HOST/slow/NAME           pictures that take a decoder minutes
GET /api.imgur.com/…          a redirect to another host, if the request has a client id
GET /oauth.reddit.com/…       10 GB of zeros, as gzip
GET /~heard                   the headers of the requests to each host
"""

from __future__ import annotations

import asyncio
import io
import random
import struct
import sys
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web
from PIL import Image

#: Bytes that the gzip bomb unpacks to.
BOMB = 10 * 2**30


def picture(side: int, seed: int, form: str = "JPEG") -> bytes:
    """Return a picture of noise, which doesn't compress."""
    pixels = random.Random(seed).randbytes(side * side * 3)
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), pixels).save(
        out, form, **({"compress_level": 0} if form == "PNG" else {})
    )
    return out.getvalue()


def many_scans(scans: int, side: int = 7000) -> bytes:
    """Return a progressive JPEG whose last scan is repeated: each passes over all of its pixels."""
    out = io.BytesIO()
    Image.new("L", (side, side)).save(out, "JPEG", progressive=True, quality=5)
    data = out.getvalue()[:-2]
    return data + data[data.rindex(b"\xff\xda") :] * scans + b"\xff\xd9"


def many_frames(frames: int) -> bytes:
    """Return a GIF of four pixels and so many frames."""
    frame = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    return b"GIF89a\2\0\2\0\x80\0\0\0\0\0\xff\xff\xff" + frame * frames + b";"


def many_directories(directories: int) -> bytes:
    """Return a TIFF of so many directories, each of the same four pixels."""
    size = 2 + 8 * 12 + 4
    tags = (
        (256, 2),
        (257, 2),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8 + size * directories),
        (278, 2),
        (279, 4),
    )
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    chain = [8 + size * (number + 1) for number in range(directories - 1)] + [0]
    made = b"".join(struct.pack("<H", 8) + body + struct.pack("<I", following) for following in chain)
    return b"II*\0" + struct.pack("<I", 8) + made + b"\1\2\3\4"


async def bomb() -> AsyncIterator[bytes]:
    """Yield a gzip stream of zeros."""
    pack = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for _ in range(BOMB // 2**24):
        yield pack.compress(bytes(2**24))
    yield pack.flush()


def application() -> web.Application:
    """Return the server."""
    heard: dict[str, list[str]] = {}
    big = picture(1670, 0, "PNG")
    slow = {
        "scans6000.jpg": many_scans(6000),
        "scans20000.jpg": many_scans(20_000),
        "frames.gif": many_frames(2_000_000),
        "directories.tif": many_directories(30_000),
    }

    async def answer(request: web.Request) -> web.StreamResponse:
        host, _, path = request.match_info["path"].partition("/")
        if host == "~heard":
            return web.json_response(heard)
        if path == "robots.txt":
            return web.Response(status=404)
        heard.setdefault(host, []).append(request.headers.get("Authorization", ""))
        if host == "www.reddit.com":
            return web.json_response(
                {"access_token": "t", "token_type": "bearer", "expires_in": 3600, "scope": "*"}
            )
        if host == "api.imgur.com":
            return web.Response(status=302, headers={"Location": "http://elsewhere.example/good/1.jpg"})
        if host == "oauth.reddit.com":
            stream = web.StreamResponse(
                headers={"Content-Encoding": "gzip", "Content-Type": "application/json"}
            )
            await stream.prepare(request)
            with suppress(ConnectionResetError):  # the client has closed the connection
                async for chunk in bomb():
                    await stream.write(chunk)
            return stream
        kind, _, name = path.partition("/")
        if kind == "bad":
            return web.Response(status=500)
        if kind == "slow":
            return web.Response(body=slow[name], content_type="application/octet-stream")
        if kind == "big":  # the name tells the bytes apart
            return web.Response(body=big + f"{host}/{name}".encode(), content_type="image/png")
        return web.Response(body=picture(32, zlib.crc32(path.encode())), content_type="image/jpeg")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def serve() -> None:
    """Serve until the standard input ends."""
    runner = web.AppRunner(application())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
