"""Clients at loopback servers, and what they got."""

import asyncio
import time
from contextlib import asynccontextmanager

from aiohttp import web

from collectors.http.answers import FetchError
from collectors.http.client import Limits, client_for
from collectors.http.rates import Budget

QUICK = Limits(deadline=5, backoff=0.001)
FREELY = Budget(rate=1000, max_rate=2000, at_once=16)


class Hurried:
    """A clock that notes what it was asked to wait, and lets it pass at once."""

    def __init__(self):
        self.passed = 0.0
        self.waits = []

    def now(self):
        return time.monotonic() + self.passed

    async def sleep(self, seconds):
        self.waits.append(seconds)
        self.passed += seconds
        await asyncio.sleep(0)


def client_to(base, limits=QUICK, **options):
    """A client whose every address is at `base`, under its host's name."""
    client = client_for(base, options.pop("honour_robots", True))
    client.limits, client.clock = limits, options.pop("clock", Hurried())
    for name, value in options.items():
        setattr(client, name, value)
    return client


@asynccontextmanager
async def site(handler, *, robots=False):
    """Serve `handler(request)` on loopback; the path begins with the logical host.

    Unless `robots`, no host has a robots.txt, and the handler isn't asked for it.
    """

    async def answer(request):
        if request.path.endswith("/robots.txt") and not robots:
            return web.Response(status=404)
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def got(handler, url="https://i.redd.it/a.jpg", headers=None, accept=(200,), image=False, **options):
    """Fetch from a site of one handler: (answer or error, paths asked for, the client)."""
    asked = []

    async def noting(request):
        asked.append(request.raw_path)
        return await handler(request)

    async def go():
        async with site(noting, robots=image) as base, client_to(base, **options) as client:
            return await outcome(client, url, headers=headers, accept=accept, image=image), client

    result, client = asyncio.run(go())
    return result, asked, client


async def outcome(client, url, **options):
    try:
        return await client.get(url, **options)
    except FetchError as error:
        return error


def marks(error):
    assert isinstance(error, FetchError), error
    return error.reason, [m for m in ("retry", "again", "gone", "host_failed") if getattr(error, m)]


def redirecting(*locations, status=302):
    """A handler that answers with these Locations in turn, then with an image."""
    left = list(locations)

    async def handler(request):
        if left:
            return web.Response(status=status, headers={"Location": left.pop(0)})
        return web.Response(body=b"image")

    return handler


def answering(*responses):
    """A handler that gives these answers in turn, the last one again and again."""
    left = list(responses)

    async def handler(request):
        make = left.pop(0) if len(left) > 1 else left[0]
        return web.Response(**make)

    return handler


async def raw_answer(*answers, limits=QUICK, **options):
    """Fetch from a server that sends these bytes, one answer a connection, and hangs up."""
    left = list(answers)

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with client_to(f"http://127.0.0.1:{port}", limits) as client:
            return await outcome(client, "https://i.redd.it/a.jpg", **options)
