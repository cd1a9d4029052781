"""imgur's API: albums, galleries, and the ways in which it says no."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from collectors.http.answers import FetchError
from collectors.http.client import client_for
from collectors.imgur.albums import album_images
from collectors.sandbox.server import make_sandbox, serving

ALBUM = "https://i.imgur.com/nuE98.jpg"


@asynccontextmanager
async def imgur(status=200, body=b"", seen=None):
    """An imgur whose API gives one answer."""

    async def handler(request):
        if seen is not None:
            seen.append((request.path, request.headers.get("Authorization")))
        return web.Response(status=status, body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def opened(body, kind="imgur_album", status=200, url=ALBUM, seen=None):
    async def go():
        async with imgur(status, body, seen) as base, client_for(base, True) as client:
            return await album_images(client, url, kind, "abc")

    return asyncio.run(go())


def shown(images):
    assert {(image.kind, image.status) for image in images} == {("imgur_image", "pending")}
    return [image.url for image in images]


def refused(*arguments, **options):
    with pytest.raises(FetchError) as caught:
        opened(*arguments, **options)
    error = caught.value
    return error.reason, error.retry, error.gone


def test_an_album_is_opened_in_its_order_over_https():
    body = b"""{"data": [
        {"id": "b", "type": "image/jpeg", "link": "http://i.imgur.com/b.jpg", "views": 3},
        {"id": "v", "type": "video/mp4", "link": "https://i.imgur.com/v.mp4"},
        {"id": "a", "type": "image/gif", "link": "https://i.imgur.com/a.gif"},
        {"id": "b", "type": "image/jpeg", "link": "https://i.imgur.com/b.jpg"}
    ], "success": true, "status": 200}"""
    seen = []
    assert shown(opened(body, seen=seen)) == [
        "https://i.imgur.com/b.jpg",
        "https://i.imgur.com/a.gif",
        "https://i.imgur.com/b.jpg",
    ]
    assert seen == [("/api.imgur.com/3/album/nuE98/images", "Client-ID abc")]


def test_an_odd_entry_costs_an_album_nothing_but_itself():
    body = b"""{"data": [
        {"id": "aBc12", "type": null, "link": "https://i.imgur.com/aBc12.jpg"},
        {"id": "dEf34", "type": "image/png"},
        {"id": null, "type": "image/png", "link": null},
        7,
        {"id": "gHi56", "type": "image/png", "link": "https://i.imgur.com/gHi56.png", "title": "sad \\ud83d"}
    ]}"""
    images = opened(body)
    assert [(image.url, image.status, image.reason) for image in images] == [
        ("https://i.imgur.com/aBc12.jpg", "pending", None),
        ("https://i.imgur.com/dEf34.jpg", "pending", None),
        (ALBUM, "failed", "album_item_missing"),
        (ALBUM, "failed", "album_item_missing"),
        ("https://i.imgur.com/gHi56.png", "pending", None),
    ]


def test_a_gallery_is_an_album_or_an_image():
    album = b'{"data": {"is_album": true, "images": [{"link": "https://i.imgur.com/a.jpg"}]}}'
    image = b'{"data": {"is_album": false, "link": "https://i.imgur.com/nuE98.png", "type": "image/png"}}'
    seen = []
    assert shown(opened(album, "imgur_gallery", seen=seen)) == ["https://i.imgur.com/a.jpg"]
    assert shown(opened(image, "imgur_gallery")) == ["https://i.imgur.com/nuE98.png"]
    assert seen == [("/api.imgur.com/3/gallery/nuE98", "Client-ID abc")]


@pytest.mark.parametrize("link", [b"", b', "link": null', b', "link": ""'])
def test_a_gallery_of_one_image_without_its_link_is_that_image(link):
    body = b'{"data": {"is_album": false, "id": "nuE98a", "type": "image/png"%s}}' % link
    assert shown(opened(body, "imgur_gallery")) == ["https://i.imgur.com/nuE98a.jpg"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"data": []}', "imgur_album"),
        (b'{"data": [{"type": "video/mp4", "link": "https://i.imgur.com/v.mp4"}]}', "imgur_album"),
        (b'{"data": {"is_album": true, "images": []}}', "imgur_gallery"),
        (b'{"data": {"is_album": true}}', "imgur_gallery"),
        (b'{"data": {"is_album": false, "type": "video/mp4", "link": "https://a/v.mp4"}}', "imgur_gallery"),
        (b'{"data": {"error": "nothing here"}, "success": false}', "imgur_gallery"),
    ],
)
def test_an_album_without_a_picture_is_gone(body, kind):
    assert refused(body, kind) == ("empty_album", False, True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b'{"data": null}',
        b'{"data": [1]}',
        b'{"data": [{"id": "a"}]}',
        b'{"data": [{"type": "image/png", "link": ""}]}',
        b"\xff",
    ],
)
def test_an_answer_that_is_none_of_imgurs_may_be_better_another_time(body):
    assert refused(body) == ("malformed_answer", True, False)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, ("client_error", False, False)),
        (401, ("unauthorized", True, False)),
        (403, ("unauthorized", True, False)),
        (404, ("not_found", False, True)),
        (410, ("gone", False, True)),
    ],
)
def test_a_refusal_is_named(status, expected):
    assert refused(b"{}", status=status) == expected


def test_a_wrong_client_id_can_be_mended_and_is_never_shown():
    async def go():
        sandbox = make_sandbox(posts=20)
        async with serving(sandbox) as base, client_for(base, True) as client:
            await album_images(client, ALBUM, "imgur_album", "wrong")

    with pytest.raises(FetchError) as caught:
        asyncio.run(go())
    assert (caught.value.reason, caught.value.retry) == ("unauthorized", True)
    assert caught.value.detail == "imgur refuses this IMGUR_CLIENT_ID (HTTP 403)"


@pytest.mark.parametrize(
    "url", ["https://i.imgur.com/", "https://i.imgur.com/a/b.jpg", "https://i.imgur.com/a"]
)
def test_an_address_without_an_id_is_never_asked(url):
    seen = []
    assert refused(b"{}", url=url, seen=seen) == ("bad_url", False, False)
    assert seen == []
