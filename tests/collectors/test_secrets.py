"""Keys, tokens and passwords reach the origin that they are for, and no other."""

import asyncio
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from affectory.core.errors import InputError
from collectors.flickr.answers import Unavailable
from collectors.flickr.api import FlickrApi
from collectors.reddit.api import connect, has_credentials
from tests.collectors.fetching import client_to, marks, outcome, site

KEY = "0123456789abcdef0123456789abcdef"


def led(location, **options):
    """Ask for https://api.imgur.com/3/a, which redirects: (the outcome, {logical address: Authorization})."""
    seen = {}

    def route(url):
        parts = urlsplit(url)
        return f"{base_of[0]}/{parts.scheme}/{parts.netloc}{parts.path}"

    async def handler(request):
        seen[request.path] = request.headers.get("Authorization")
        if request.path.endswith("/3/a"):
            raise web.HTTPFound(location)
        if request.path.endswith("/back"):
            raise web.HTTPFound("https://api.imgur.com/3/b")
        return web.Response(body=b"x")

    base_of = []

    async def go():
        async with site(handler) as base, client_to(base, route=route) as client:
            base_of.append(base)
            headers = {"Authorization": "Client-ID abc"}
            return await outcome(client, "https://api.imgur.com/3/a", headers=headers, **options)

    return asyncio.run(go()), seen


@pytest.mark.parametrize(
    "location",
    ["/3/b", "b", "https://api.imgur.com/3/b", "HTTPS://API.IMGUR.COM/3/b", "https://api.imgur.com:443/3/b"],
)
def test_a_secret_header_follows_a_redirect_within_its_origin(location):
    answer, seen = led(location)
    assert answer.body == b"x"
    assert list(seen.values()) == ["Client-ID abc", "Client-ID abc"]
    assert led(location, same_origin=True)[0].body == b"x"


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("https://i.imgur.com/b", "https://i.imgur.com:443"),
        ("//evil.example/b", "https://evil.example:443"),
        ("https://api.imgur.com:8443/3/b", "https://api.imgur.com:8443"),
        ("https://api.imgur.com.evil.example/3/b", "https://api.imgur.com.evil.example:443"),
        ("http://api.imgur.com/3/b", "http://api.imgur.com:80"),
        ("http://api.imgur.com:443/3/b", "http://api.imgur.com:443"),
    ],
)
def test_a_secret_header_stays_behind_when_scheme_host_or_port_changes(location, named):
    answer, seen = led(location)
    assert answer.body == b"x"
    assert list(seen.values()) == ["Client-ID abc", None]
    error, seen = led(location, same_origin=True)
    assert (marks(error), error.detail) == (("foreign_redirect", ["retry"]), f"to {named}")
    assert list(seen.values()) == ["Client-ID abc"]


def test_a_secret_header_isnt_given_again_on_the_way_back():
    answer, seen = led("https://evil.example/back")
    assert answer.url == "https://api.imgur.com/3/b"
    assert list(seen.values()) == ["Client-ID abc", None, None]


def test_flickrs_key_never_leaves_its_origin():
    async def go(location):
        asked = []

        async def handler(request):
            asked.append(request.raw_path)
            raise web.HTTPFound(location + request.query_string)

        async with site(handler) as base, client_to(base) as client:
            with pytest.raises(Unavailable) as caught:
                await FlickrApi(client, KEY).photo("1")
        return str(caught.value), asked

    for location in (
        "https://evil.example/?",
        "http://api.flickr.com/services/rest/?",
        f"https://{KEY}.example/",
    ):
        said, asked = asyncio.run(go(location))
        assert [path.split("?")[0] for path in asked] == ["/api.flickr.com/services/rest/"]
        assert said.startswith("no answer from Flickr's API (foreign_redirect: to http")
        assert KEY[:8] not in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[DEFAULT]\nclient_id=a\nclient_secret hunter2\n", "ParsingError in line 3"),
        ("client_secret=hunter2\n", "MissingSectionHeaderError in line 1"),
        ("[DEFAULT]\nuser_agent=J\xfcrgen hunter2\n", "a character that isn't utf-8 in line 2"),
    ],
)
def test_a_line_of_praw_ini_that_cannot_be_read_is_named_by_its_number(text, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("praw_client_id", raising=False)
    (tmp_path / "praw.ini").write_text(text, encoding="latin-1")
    with pytest.raises(InputError) as refused:
        has_credentials()
    assert str(refused.value) == f"praw.ini can't be read: {told}; correct the line"

    monkeypatch.setattr("asyncpraw.config.Config.CONFIG", None)  # it is read once a process

    async def log_in():
        async with connect("http://127.0.0.1:1"):  # Async PRAW reads the file for the sandbox too
            pass

    with pytest.raises(InputError) as refused:
        asyncio.run(log_in())
    assert str(refused.value) == f"praw.ini can't be read: {told}; correct the line"
