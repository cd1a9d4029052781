"""Reddit's API as a hostile server answers: bombs, redirects, tokens that are none."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from aiohttp import web

from collectors.reddit import api
from collectors.reddit.answers import AnswerTooLarge, MalformedAnswer, RedditError, Redirected
from tests.collectors.fetching import site
from tests.collectors.raw import bomb, gzipped, raw_site, with_headers

TOKEN = b'{"access_token": "t0ken", "token_type": "bearer", "expires_in": 3600, "scope": "*"}'


def reddit_says(answer, monkeypatch):
    """Ask Reddit's API for r/happy: (what it gave or the error, the requests' first lines)."""
    asked = []
    monkeypatch.setattr(api, "PAUSE", 0.0)

    def noting(head, body):
        asked.append(head.split(" HTTP/")[0])
        return answer(head, body)

    async def go():
        async with raw_site(noting) as base, api.connect(base) as reddit:
            try:
                return await reddit.get("r/happy/top", {}, what="r/happy")
            except RedditError as error:
                return error

    return asyncio.run(go()), asked


def json_answer(*parts, **headers):
    return with_headers(*parts, Content_Type="application/json", **headers)


def is_token(head):
    return "/api/v1/access_token" in head


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("of_token", [True, False])
def test_neither_reddits_credentials_nor_its_token_follow_a_redirect(status, of_token, monkeypatch):
    stolen = []

    async def thief(request):
        stolen.append((request.headers.get("Authorization"), await request.text()))
        return web.Response(body=TOKEN, content_type="application/json")

    def answer(head, body):
        if is_token(head) != of_token:
            return json_answer(TOKEN)
        location = f"{elsewhere}/x?{body}&token=t0ken#t0ken"
        return [f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()]

    async def go():
        nonlocal elsewhere
        async with site(thief) as elsewhere, raw_site(answer) as base, api.connect(base) as reddit:
            with pytest.raises(Redirected) as caught:
                await reddit.get("r/happy/top", {}, what="r/happy")
        return str(caught.value)

    elsewhere = ""
    said = asyncio.run(go())
    assert stolen == []
    assert said == (
        f"r/happy: Reddit redirects the request (to {elsewhere}/x); check the name; if it is right, please "
        "report it"
    )


@pytest.mark.parametrize("of_token", [True, False])
def test_a_bomb_of_reddits_is_refused_at_once_and_not_asked_for_again(of_token, monkeypatch):
    def answer(head, body):
        if is_token(head) == of_token:
            yield from json_answer(Content_Encoding="gzip")
            yield from bomb("gzip")
        else:
            yield from json_answer(TOKEN)

    error, asked = reddit_says(answer, monkeypatch)
    assert type(error) is AnswerTooLarge
    assert str(error) == (
        "r/happy: the answer is too large (too_large: over 16777216 bytes unpacked); repeat it later; if it "
        "stays, please report it"
    )
    assert len(asked) == (1 if of_token else 2)


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"null", b'"x"', b'{"access_token": 1}', b"", b"<html>", b"\xff"]
)
def test_a_token_that_is_none_is_a_malformed_answer(body, monkeypatch):
    error, asked = reddit_says(lambda head, _: json_answer(body), monkeypatch)
    assert type(error) is MalformedAnswer
    assert str(error).startswith("r/happy: the answer can't be read (malformed_answer: the access token: ")
    assert len(asked) == api.ATTEMPTS


def test_an_answer_of_reddits_in_a_foreign_encoding_is_malformed(monkeypatch):
    def answer(head, body):
        return json_answer(TOKEN) if is_token(head) else json_answer(b"x", Content_Encoding="br")

    error, _ = reddit_says(answer, monkeypatch)
    assert type(error) is MalformedAnswer
    assert error.detail == "bad_content_encoding: Content-Encoding: br"


# The kernel counts a process's peak (VmHWM) from its exec on; getrusage() would count its parent's too.
CRAWL = """
import re, sys
from collectors.reddit.__main__ import main
code = main(sys.argv[1:])
print("peak", re.search(r"VmHWM:\\s+([0-9]+) kB", open("/proc/self/status").read())[1])
sys.exit(code)
"""


def crawl_of(listing, tmp_path, interrupt=False):
    """Run `collectors.reddit` against a server with this listing: (exit code, output, peak memory in MB).

    With `interrupt`, Ctrl-C comes once the listing is asked for.
    """

    async def go():
        asked = asyncio.Event()

        def answer(head, body):
            if is_token(head):
                return json_answer(TOKEN)
            asked.set()
            return listing()

        async with raw_site(answer) as base:
            options = ["--subs", "happy", "--source", "oauth", "--sandbox-url", base]
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-c", CRAWL, *options, "--store", str(tmp_path / "store")],
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            )
            if interrupt:
                await asyncio.wait_for(asked.wait(), 60)
                process.send_signal(signal.SIGINT)
            said, _ = await asyncio.wait_for(process.communicate(), 60)
            return process.returncode, said.decode()

    code, said = asyncio.run(go())
    said, _, peak = said.rpartition("peak ")
    return code, said, int(peak) / 1024


@pytest.mark.slow
def test_a_crawl_that_meets_a_bomb_says_so_in_one_line_and_little_memory(tmp_path):
    code, said, peak = crawl_of(lambda: [*json_answer(Content_Encoding="gzip"), *bomb("gzip")], tmp_path)
    assert [line for line in said.splitlines() if "too large" in line] == [
        "problem r/happy: the answer is too large (too_large: over 16777216 bytes unpacked); repeat it "
        "later; if it stays, please report it"
    ]
    assert "Traceback" not in said
    assert (code, peak < 150) == (2, True)


@pytest.mark.slow
def test_ctrl_c_ends_a_crawl_within_an_answer_that_never_ends(tmp_path):
    begun = gzipped(bytes(15_000_000))[:-8]
    code, said, _ = crawl_of(lambda: [*json_answer(begun, Content_Encoding="gzip"), None], tmp_path, True)
    assert code == 130
    assert "Traceback" not in said
