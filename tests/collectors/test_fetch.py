"""The HTTP client against the sandbox, and against servers that behave worse."""

import asyncio
import email.utils
import gzip
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack, asynccontextmanager, suppress

import pytest
from aiohttp import web

from collectors.answers import FetchError
from collectors.clients import client_for
from collectors.fetch import Client, Limits
from collectors.hosts import Budget
from collectors.sandbox.server import make_sandbox, serving

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
    client = client_for(base, options.pop("honour_noai", True))
    client.limits, client.clock = limits, options.pop("clock", Hurried())
    for name, value in options.items():
        setattr(client, name, value)
    return client


@asynccontextmanager
async def site(handler):
    """Serve `handler(request)` on loopback; the path begins with the logical host."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def got(handler, url="https://i.redd.it/a.jpg", headers=None, accept=(200,), **options):
    """Fetch from a site of one handler: (answer or error, paths asked for, the client)."""
    asked = []

    async def noting(request):
        asked.append(request.raw_path)
        return await handler(request)

    async def go():
        async with site(noting) as base, client_to(base, **options) as client:
            return await outcome(client, url, headers=headers, accept=accept), client

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
        ("noai", "noai", [], 1),
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


def test_a_dripping_host_costs_the_deadline_once():
    began = time.monotonic()
    error, requests, _ = meet("drip", limits=Limits(deadline=0.5))
    assert marks(error) == ("deadline_exceeded", ["retry", "host_failed"])
    assert error.detail == "0.5 s"
    assert requests == 1
    assert 0.4 < time.monotonic() - began < 1.5


def test_a_refusal_is_only_recorded_where_it_is_not_honoured():
    answer, _, _ = meet("noai", honour_noai=False)
    assert (answer.status, answer.robots) == (200, "noai, noimageai")


# -- X-Robots-Tag ---------------------------------------------------------------------------------


def test_a_refusal_in_a_second_header_counts():
    async def handler(request):
        response = web.Response(body=b"x")
        response.headers.add("X-Robots-Tag", "noindex")
        response.headers.add("X-Robots-Tag", "otherbot: noai")
        return response

    error, _, _ = got(handler)
    assert marks(error) == ("noai", [])
    assert error.detail == "X-Robots-Tag: noindex, otherbot: noai"


def test_a_host_that_refuses_ai_on_every_page_can_still_be_busy_or_lack_the_image():
    tag = {"X-Robots-Tag": "noai"}
    error, _, _ = got(answering({"status": 404, "headers": tag}))
    assert marks(error) == ("not_found", ["gone"])
    error, asked, client = got(answering({"status": 429, "headers": tag}, {"headers": tag}))
    assert (marks(error), len(asked)) == (("noai", []), 2)
    assert client.hosts["i.redd.it"].rate < 500


# -- redirects ------------------------------------------------------------------------------------


def test_a_redirect_is_followed_and_its_end_is_named():
    answer, asked, _ = got(redirecting("https://i.imgur.com/b.jpg?x=1", "/c.jpg", "d.jpg", "//e.example/f"))
    assert (answer.url, answer.body) == ("https://e.example/f", b"image")
    assert asked == [
        "/i.redd.it/a.jpg",
        "/i.imgur.com/b.jpg?x=1",
        "/i.imgur.com/c.jpg",
        "/i.imgur.com/d.jpg",
        "/e.example/f",
    ]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_kind_of_redirect_is_followed(status):
    answer, _, _ = got(redirecting("/b.jpg", status=status))
    assert answer.url == "https://i.redd.it/b.jpg"


def test_five_redirects_are_followed_and_a_sixth_is_not():
    answer, asked, _ = got(redirecting(*"bcdef"))
    assert (answer.url, len(asked)) == ("https://i.redd.it/f", 6)
    error, asked, _ = got(redirecting(*"bcdefg"))
    assert (marks(error), len(asked)) == (("too_many_redirects", []), 6)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", "private_address"),
        ("http://127.0.0.1:8080/", "private_address"),
        ("//localhost/admin", "private_address"),
        ("http://[::ffff:10.0.0.1]/", "private_address"),
        ("http://[64:ff9b::7f00:1]/", "private_address"),
        ("http://2130706433/", "bad_url"),
        ("http://0x7f.1/", "bad_url"),
        ("file:///etc/passwd", "bad_url"),
        ("ftp://i.redd.it/a.jpg", "bad_url"),
        ("data:image/png;base64,AAAA", "bad_url"),
        ("http://user:secret@i.redd.it/", "bad_url"),
        ("http://[::1", "bad_url"),  # urljoin() raises ValueError
        ("http://", "bad_url"),
        ("http://i.redd.it:99999/", "bad_url"),
        ("https://i.imgur.com/removed.png", "removed_placeholder"),
    ],
)
def test_a_redirect_leads_nowhere_it_may_not(location, reason):
    error, asked, client = got(redirecting("https://i.imgur.com/b.jpg", location))
    assert error.reason == reason
    assert not error.again and not error.retry and error.gone == (reason == "removed_placeholder")
    assert asked == ["/i.redd.it/a.jpg", "/i.imgur.com/b.jpg"]
    assert set(client.hosts) == {"i.redd.it", "i.imgur.com"}


@pytest.mark.parametrize("headers", [{}, {"Location": ""}])
def test_a_redirect_without_a_target_is_an_error_of_its_own(headers):
    error, asked, _ = got(answering({"status": 302, "headers": headers}))
    assert (marks(error), error.detail, len(asked)) == (("client_error", []), "HTTP 302", 1)


# -- answers that pass, and their limits ----------------------------------------------------------


def test_retry_after_is_waited_for_before_the_next_try():
    clock = Hurried()
    busy = {"status": 429, "headers": {"Retry-After": "7"}}
    answer, asked, client = got(answering(busy, {"body": b"x"}), clock=clock)
    assert (answer.status, len(asked)) == (200, 2)
    assert 6.5 < clock.passed < 9
    # 7 tenths of the sandbox's 500, and a tenth of it more after a quiet second
    assert client.hosts["i.redd.it"].rate == pytest.approx(400, abs=2)


def test_retry_after_may_be_a_date():
    clock = Hurried()
    date = email.utils.formatdate(time.time() + 20, usegmt=True)
    answer, _, _ = got(answering({"status": 429, "headers": {"Retry-After": date}}, {}), clock=clock)
    assert answer.status == 200
    assert 18 < clock.passed < 22


def test_a_host_that_asks_for_an_hour_is_left_to_a_rerun_without_another_request():
    clock = Hurried()
    error, asked, _ = got(answering({"status": 429, "headers": {"Retry-After": "3600"}}), clock=clock)
    assert (marks(error), len(asked)) == (("rate_limited", ["retry"]), 1)
    assert clock.passed < 60


def test_a_failing_server_is_tried_again_with_growing_pauses():
    clock = Hurried()
    limits = Limits(attempts=9, backoff=1, backoff_max=8)
    budgets = {"i.redd.it": Budget(rate=1e6, max_rate=1e6)}
    down, up = {"status": 502}, {"body": b"x"}
    answer, asked, _ = got(answering(*[down] * 4, up), limits=limits, clock=clock, budgets=budgets)
    assert (answer.status, len(asked)) == (200, 5)
    pauses = [wait for wait in clock.waits if wait > 0.001]
    assert all(0 <= wait <= ceiling for wait, ceiling in zip(pauses, [2, 4, 8, 8], strict=False))


def test_a_host_that_fails_five_times_is_given_up_after_the_breakers_pauses():
    clock, asked = Hurried(), 0

    async def handler(request):
        nonlocal asked
        asked += 1
        return web.Response(status=500)

    async def go():
        async with site(handler) as base, client_to(base, clock=clock) as client:
            urls = [f"https://i.redd.it/{k}.jpg" for k in range(40)]
            return await asyncio.gather(*(outcome(client, url) for url in urls)), client

    errors, client = asyncio.run(go())
    reasons = {error.reason: error.retry for error in errors}
    assert reasons["host_down"] is True and set(reasons) <= {"host_down", "server_error"}
    assert asked <= 16 + 5 + 4
    assert clock.passed >= 75
    assert client.hosts["i.redd.it"].state == "down"


def test_a_size_is_limited_by_what_the_host_announces():
    began = time.monotonic()
    error, _, _ = got(answering({"body": bytes(2001)}), limits=Limits(max_bytes=2000))
    assert (marks(error), error.detail) == (("too_large", []), "2001 bytes")
    assert time.monotonic() - began < 2
    answer, _, _ = got(answering({"body": bytes(2000)}), limits=Limits(max_bytes=2000))
    assert len(answer.body) == 2000


def test_a_size_is_limited_where_nothing_is_announced():
    async def handler(request):
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for _ in range(30):
            await response.write(bytes(100))
        return response

    error, _, _ = got(handler, limits=Limits(max_bytes=2000))
    assert (marks(error), error.detail) == (("too_large", []), "over 2000 bytes")
    answer, _, _ = got(handler, limits=Limits(max_bytes=3000))
    assert len(answer.body) == 3000


def test_an_answer_that_unpacks_to_too_much_is_too_large():
    packed = gzip.compress(bytes(5_000_000))
    error, _, _ = got(
        answering({"body": packed, "headers": {"Content-Encoding": "gzip"}}), limits=Limits(max_bytes=100_000)
    )
    assert len(packed) < 10_000
    assert marks(error) == ("too_large", [])


def test_other_statuses_can_be_asked_for():
    answer, _, _ = got(answering({"status": 404, "body": b"{}"}), accept=(200, 404))
    assert (answer.status, answer.body) == (404, b"{}")


def test_an_empty_body_is_an_answer():
    answer, _, _ = got(answering({"body": b""}))
    assert (answer.status, answer.body) == (200, b"")


# -- headers --------------------------------------------------------------------------------------


def test_we_say_who_we_are_and_ask_for_no_compression_and_send_no_cookie_back():
    seen = []

    async def handler(request):
        seen.append(dict(request.headers))
        return web.Response(body=b"x", headers={"Set-Cookie": "id=1; Path=/", "X-Cache": "HIT"})

    async def go():
        async with site(handler) as base, client_to(base) as client:
            first = await client.get("https://i.redd.it/a.jpg", headers={"Authorization": "Client-ID abc"})
            await client.get("https://i.redd.it/b.jpg")
            return first

    answer = asyncio.run(go())
    assert answer.headers["x-cache"] == "HIT"
    assert [name for name in answer.headers if name != name.lower()] == []
    first, second = seen
    assert first["Authorization"] == "Client-ID abc" and "Authorization" not in second
    assert {request["Accept-Encoding"] for request in seen} == {"identity"}
    assert {request["User-Agent"] for request in seen} == {"affectory/0.1 (research dataset builder)"}
    assert "Cookie" not in second and "Referer" not in second


def test_bytes_in_headers_that_are_no_text_can_be_kept_in_the_store():
    raw = b"HTTP/1.1 200 OK\r\nX-Robots-Tag: caf\xe9\r\nContent-Length: 1\r\n\r\nx"
    answer = asyncio.run(raw_answer(raw))
    assert answer.robots == "caf%E9"
    raw = b"HTTP/1.1 302 Found\r\nLocation: file://caf\xe9\r\nContent-Length: 0\r\n\r\n"
    error = asyncio.run(raw_answer(raw))
    assert (marks(error), error.detail) == (("bad_url", []), "file://caf%E9")


# -- servers that speak no HTTP -------------------------------------------------------------------


async def raw_answer(*answers, limits=QUICK):
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
            return await outcome(client, "https://i.redd.it/a.jpg")


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
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
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


def test_a_certificate_nobody_vouches_for_is_a_connect_error(tmp_path):
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
    assert marks(error) == ("connect_error", ["retry", "again", "host_failed"])
    assert "CERTIFICATE_VERIFY_FAILED" in error.detail


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
    assert error.detail.startswith("localhost stands for ")


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
