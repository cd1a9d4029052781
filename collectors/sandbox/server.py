"""The sandbox's server. The first part of a path is the host that is imitated.

    https://i.imgur.com/abc.jpg?1    ->    http://127.0.0.1:PORT/i.imgur.com/abc.jpg?1

Redirects have the address of the real host (https://i.imgur.com/removed.png), which the client maps to the
sandbox again. `GET /~stats` returns the number of requests so far, `POST /~reset` sets it to 0; `GET /~lists`
returns the names of lists of Flickr photos.
"""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from collectors.sandbox.flickr import flickr_api
from collectors.sandbox.generated import flickr_lists
from collectors.sandbox.generated.corpus import Corpus
from collectors.sandbox.generated.flickr_corpus import FlickrCorpus
from collectors.sandbox.index_page import index_html
from collectors.sandbox.misbehave import misbehave
from collectors.sandbox.state.faults import Faults, Place
from collectors.sandbox.state.limits import HostLimits
from collectors.sandbox.state.state import Handler, Sandbox, Stats, json_response, not_found
from collectors.sites import SITES

Hosts = dict[str, tuple[Handler, Place]]

SANDBOX = web.AppKey("sandbox", Sandbox)
HOSTS = web.AppKey("hosts", Hosts)


def make_sandbox(
    *,
    posts: int = 600,
    seed: int = 0,
    faults: Sequence[str] = (),
    strikes: int = 1,
    host_limits: Sequence[str] = (),
    retry_after: bool = True,
) -> Sandbox:
    """Build a sandbox. `strikes`: how many requests of an address a transient fault affects."""
    return Sandbox(
        corpus=Corpus(seed, posts),
        faults=Faults.parse(faults, seed, strikes),
        limits=HostLimits.parse(host_limits, retry_after=retry_after),
        flickr=FlickrCorpus(seed, posts),
    )


def hosts() -> Hosts:
    """Return the handler of every site's hosts, and the kind of their addresses (`faults.Place`)."""
    found: Hosts = {}
    for site in SITES.values():
        if site.sandbox is not None:
            found |= pkgutil.resolve_name(site.sandbox)
    return found


def make_app(sandbox: Sandbox) -> web.Application:
    """Build the web application that serves a sandbox."""
    app = web.Application()
    app[SANDBOX], app[HOSTS] = sandbox, hosts()
    app.router.add_route("*", "/{path:.*}", dispatch)
    app.on_response_prepare.append(_count_status)
    return app


@asynccontextmanager
async def serving(sandbox: Sandbox, port: int = 0) -> AsyncIterator[str]:
    """Serve a sandbox on 127.0.0.1 only; yield the base address."""
    app = make_app(sandbox)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port, backlog=512)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def dispatch(request: web.Request) -> web.StreamResponse:
    """Answer a request by its host's handler, but for hosts over their limit and addresses with a fault."""
    sandbox = request.app[SANDBOX]
    host, _, path = request.path.lstrip("/").partition("/")
    if host in ("", "~stats", "~reset"):
        return _own(sandbox, request, host)
    if host == "~lists":
        return _lists(sandbox, path)
    by_call = host == "api.flickr.com"
    sandbox.stats.by_path[flickr_api.counted_as(request) if by_call else request.path] += 1
    if host not in request.app[HOSTS]:
        return not_found()
    if not sandbox.limits.allows(host):
        too_many = {"message": "Too Many Requests", "error": 429}
        return json_response(too_many, 429, sandbox.limits.headers())
    handler, place = request.app[HOSTS][host]
    answer: Callable[[], web.StreamResponse] = functools.partial(handler, sandbox, request, path)
    if place == "media" and path == "robots.txt":
        place, answer = "robots", not_found
    url = f"https:/{request.path_qs}"
    fault = sandbox.faults.strike(url, "safe" if path == "removed.png" else place)
    if fault is None:
        return answer()
    return await misbehave(fault, sandbox, request, url, answer)


def _own(sandbox: Sandbox, request: web.Request, name: str) -> web.StreamResponse:
    """Answer requests for the sandbox's own pages."""
    if name == "~stats":
        return json_response(sandbox.stats.as_json())
    if name == "~reset":
        if request.method != "POST":
            return json_response({"message": "Method Not Allowed", "error": 405}, 405)
        sandbox.stats = Stats()
        sandbox.faults.forget()
        return json_response({"requests": 0})
    base = f"{request.scheme}://{request.host}"
    return web.Response(text=index_html(sandbox, base), content_type="text/html")


def _lists(sandbox: Sandbox, name: str) -> web.StreamResponse:
    """Answer with the names of the sandbox's lists of Flickr photos, or with one of them."""
    if not name:
        return json_response({"lists": flickr_lists.names()})
    if name not in flickr_lists.names():
        return not_found()
    return web.Response(text=flickr_lists.text_of(sandbox.flickr, name))


async def _count_status(request: web.Request, response: web.StreamResponse) -> None:
    if not request.path.startswith("/~") and request.path != "/":
        request.app[SANDBOX].stats.by_status[str(response.status)] += 1
