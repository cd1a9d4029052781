"""The HTTP client and what it is answered: refusals, redirects, limits, headers."""

import asyncio
import email.utils
import gzip
import time

import pytest
from aiohttp import web

from collectors.http.client import Limits
from collectors.http.rates import Budget
from tests.collectors.fetching import (
    Hurried,
    answering,
    client_to,
    got,
    marks,
    outcome,
    raw_answer,
    redirecting,
    site,
)

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
    began = clock.now()

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
    assert clock.now() - began >= 75
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
    answer = asyncio.run(raw_answer(raw, image=True))
    assert answer.signals == {"x-robots-tag": ["caf%E9"]}
    raw = b"HTTP/1.1 302 Found\r\nLocation: file://caf\xe9\r\nContent-Length: 0\r\n\r\n"
    error = asyncio.run(raw_answer(raw))
    assert (marks(error), error.detail) == (("bad_url", []), "file://caf%E9")
