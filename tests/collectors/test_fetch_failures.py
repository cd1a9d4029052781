"""The HTTP client against the sandbox's faults, and against servers that behave worse."""

import asyncio
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack, suppress

import pytest
from aiohttp import web

from collectors.http.client import Client, Limits
from collectors.http.rates import Budget
from collectors.sandbox.server import make_sandbox, serving
from tests.collectors.fetching import (
    FREELY,
    QUICK,
    Hurried,
    client_to,
    marks,
    outcome,
    raw_answer,
    site,
)

# -- the sandbox's faults -------------------------------------------------------------------------


def meet(fault, host="i.redd.it", limits=QUICK, strikes=1, **options):
    """Fetch a picture where everything has `fault`: (answer or error, requests, by status)."""
    sandbox = make_sandbox(posts=40, faults=[f"{fault}=1"], strikes=strikes)
    form = "reddit_image" if host == "i.redd.it" else "imgur_direct"
    post = next(
        p for p in sandbox.corpus.posts if p.form == form or (form != "reddit_image" and host in p.url)
    )

    async def go():
        async with serving(sandbox) as base, client_to(base, limits, **options) as client:
            return await outcome(client, post.url)

    result = asyncio.run(go())
    return result, sum(sandbox.stats.by_path.values()), dict(sandbox.stats.by_status)


@pytest.mark.parametrize("fault", ["429", "500", "reset", "truncated"])
def test_a_passing_fault_is_tried_again_and_passes(fault):
    answer, requests, _ = meet(fault)
    assert answer.status == 200
    assert answer.body[:2] == b"\xff\xd8" or answer.body[:4] in (b"\x89PNG", b"RIFF", b"GIF8")
    assert requests == (3 if fault == "reset" else 2)


@pytest.mark.parametrize(
    ("fault", "reason", "found"),
    [
        ("429", "rate_limited", ["retry", "again"]),
        ("500", "server_error", ["retry", "again", "host_failed"]),
        ("reset", "connection_lost", ["retry", "again", "host_failed"]),
        ("truncated", "connection_lost", ["retry", "again", "host_failed"]),
    ],
)
def test_a_fault_that_stays_is_left_to_a_rerun_after_four_attempts(fault, reason, found):
    error, requests, _ = meet(fault, strikes=99)
    assert marks(error) == (reason, found)
    # aiohttp repeats a GET whose connection broke before the answer, once, by itself
    assert requests == (8 if fault == "reset" else 4)


@pytest.mark.parametrize(
    ("fault", "reason", "found", "requests"),
    [
        ("huge", "too_large", [], 1),
        ("private_redirect", "private_address", [], 1),
        ("loop", "too_many_redirects", [], 6),
        ("removed", "not_found", ["gone"], 1),
        ("unavailable", "not_found", ["gone"], 1),
    ],
)
def test_a_lasting_fault_is_final_at_once(fault, reason, found, requests):
    error, asked, _ = meet(fault, limits=Limits(max_bytes=1_000_000))
    assert marks(error) == (reason, found)
    assert asked == requests


@pytest.mark.parametrize("fault", ["html", "bomb", "pixel", "corrupt"])
def test_what_only_its_bytes_betray_is_an_answer(fault):
    answer, requests, _ = meet(fault)
    assert (answer.status, requests) == (200, 1)


def test_imgurs_removed_picture_is_known_by_its_address_and_never_fetched():
    error, requests, by_status = meet("removed", host="i.imgur.com")
    assert marks(error) == ("removed_placeholder", ["gone"])
    assert error.detail == "https://i.imgur.com/removed.png"
    assert (requests, by_status) == (1, {"302": 1})


@pytest.mark.slow
def test_a_dripping_host_costs_the_deadline_once():
    began = time.monotonic()
    error, requests, _ = meet("drip", limits=Limits(deadline=0.5))
    assert marks(error) == ("deadline_exceeded", ["retry", "host_failed"])
    assert error.detail == "0.5 s"
    assert requests == 1
    assert 0.4 < time.monotonic() - began < 1.5


# -- servers that speak no HTTP -------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff garbage \r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 OK 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
    ],
)
def test_an_answer_that_is_no_http_is_a_lost_connection(raw):
    error = asyncio.run(raw_answer(raw, limits=Limits(deadline=5, attempts=2, backoff=0.001)))
    assert marks(error) == ("connection_lost", ["retry", "again", "host_failed"])
    assert len(error.detail) <= 200


def test_a_connection_lost_once_is_made_again():
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"
    answer = asyncio.run(raw_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwh", good))
    assert answer.body == b"whole"


def test_a_closed_port_is_a_connect_error():
    async def go():
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        async with client_to(f"http://127.0.0.1:{port}") as client:
            return await outcome(client, "https://i.redd.it/a.jpg")

    assert marks(asyncio.run(go())) == ("connect_error", ["retry", "again", "host_failed"])


def test_a_host_that_never_accepts_is_a_connect_timeout():
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # nobody accepts: the queue is full, and the kernel drops what comes
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(full.getsockname())

        async def go():
            limits = Limits(connect=0.1, attempts=2, backoff=0.001)
            async with client_to(f"http://127.0.0.1:{full.getsockname()[1]}", limits) as client:
                return await outcome(client, "https://i.redd.it/a.jpg")

        error = asyncio.run(go())
    assert marks(error) == ("connect_timeout", ["retry", "again", "host_failed"])
    assert error.detail == "0.1 s"


def test_a_certificate_nobody_vouches_for_is_named_and_left_to_a_rerun(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=x"]
    try:
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        pytest.skip("openssl isn't here to make a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def go():
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            async with client_to(f"https://127.0.0.1:{port}") as client:
                return await outcome(client, "https://i.redd.it/a.jpg")

    error = asyncio.run(go())
    assert marks(error) == ("bad_certificate", ["retry", "host_failed"])
    assert "self-signed" in error.detail


# -- without the sandbox --------------------------------------------------------------------------


def test_without_the_sandbox_this_machine_cannot_be_asked():
    hits = []

    async def handler(request):
        hits.append(request.path)
        return web.Response(text="secret")

    async def go():
        async with site(handler) as base, Client(limits=QUICK, clock=Hurried()) as client:
            port = base.rpartition(":")[2]
            hosts = [
                "127.0.0.1",
                "localhost",
                "[::1]",
                "１２７.0.0.1",
                "127。0。0。1",
                "2130706433",
                "0x7f.1",
            ]
            return [(await outcome(client, f"http://{host}:{port}/")).reason for host in hosts]

    assert asyncio.run(go()) == ["private_address"] * 5 + ["bad_url"] * 2
    assert hits == []


def test_a_name_that_stands_for_this_machine_is_refused_by_the_resolver():
    async def go():
        async with client_to("http://localhost:9") as client:
            return await outcome(client, "https://i.redd.it/a.jpg")

    error = asyncio.run(go())
    assert marks(error) == ("private_address", [])
    assert error.detail.startswith("localhost resolves to ")


def test_a_name_nobody_knows_is_a_dns_error():
    async def go():
        async with Client(limits=Limits(attempts=1)) as client:
            return await outcome(client, "https://no-such-host.invalid/a.jpg")

    assert marks(asyncio.run(go())) == ("dns_error", ["retry", "again", "host_failed"])


@pytest.mark.parametrize("url", ["https://example..com/a.jpg", "http://[::1", "", f"http://{'a' * 64}.com"])
def test_an_address_that_is_none_is_a_bad_url(url):
    async def go():
        async with Client(limits=QUICK) as client:
            return await outcome(client, url)

    assert marks(asyncio.run(go())) == ("bad_url", [])


# -- hosts apart ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_slow_host_holds_up_no_other():
    async def handler(request):
        if request.path.startswith("/slow.example"):
            await asyncio.sleep(0.6)
        return web.Response(body=b"x")

    async def go():
        budgets = {"slow.example": Budget(rate=1000, max_rate=1000, at_once=2)}
        async with (
            site(handler) as base,
            client_to(base, budgets=budgets, default_budget=FREELY) as client,
        ):
            slow = [asyncio.create_task(client.get(f"https://slow.example/{k}")) for k in range(4)]
            began = time.monotonic()
            await asyncio.gather(*(client.get(f"https://i.redd.it/{k}.jpg") for k in range(50)))
            quick = time.monotonic() - began
            done = sum(task.done() for task in slow)
            await asyncio.gather(*slow)
            return quick, done, time.monotonic() - began

    quick, done, whole = asyncio.run(go())
    assert quick < 0.5 and done == 0
    assert whole >= 1.1  # two at once


def test_a_cancelled_fetch_leaves_the_host_usable():
    async def handler(request):
        if request.path.endswith("slow"):
            await asyncio.sleep(5)
        return web.Response(body=b"x")

    async def go():
        budgets = {"i.redd.it": Budget(rate=1000, max_rate=1000, at_once=1)}
        async with site(handler) as base, client_to(base, budgets=budgets) as client:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.get("https://i.redd.it/slow"), 0.05)
            return (await client.get("https://i.redd.it/a.jpg")).body, client.hosts["i.redd.it"].state

    assert asyncio.run(go()) == (b"x", "ok")
