"""What goes wrong in the sandbox goes wrong as said, and alike in every run."""

import asyncio
import contextlib
import io
import struct
import time
import tracemalloc
import zlib

import aiohttp
import pytest
from PIL import Image

from affectory.core.errors import InputError
from collectors.sandbox.misbehave import bomb
from collectors.sandbox.server import make_sandbox, serving
from collectors.sandbox.state.faults import KNOWN, Faults
from collectors.sandbox.state.limits import Bucket, HostLimits

LISTING = "/oauth.reddit.com/r/happy/new"


def meet(fault, path=None, times=1, **options):
    """Ask for a picture (or `path`) where everything has `fault`: [(status, headers, body), …]."""
    sandbox = make_sandbox(posts=40, faults=[f"{fault}=1"], **options)
    post = next(
        p for p in sandbox.corpus.posts if p.form == "reddit_image" and p.pictures[0].format == "jpeg"
    )

    async def go():
        async with serving(sandbox) as base, aiohttp.ClientSession() as session:
            seen = []
            for _ in range(times):
                url = base + (path or f"/i.redd.it/{post.pictures[0].id}.jpg")
                headers = {"Authorization": "bearer sandbox-"}
                async with session.get(url, allow_redirects=False, headers=headers) as answer:
                    seen.append((answer.status, answer.headers, await answer.read()))
            return seen

    return asyncio.run(go())


def test_an_address_has_the_same_fault_in_every_run():
    specs = ["429=0.2 drip=0.1", "html=0.1"]
    urls = [f"https://i.redd.it/{k}.jpg" for k in range(2000)]
    first = [Faults.parse(specs, seed=1).fault_of(url, "media") for url in urls]
    assert first == [Faults.parse(specs, seed=1).fault_of(url, "media") for url in urls]
    assert first != [Faults.parse(specs, seed=2).fault_of(url, "media") for url in urls]
    shares = [first.count(name) / 2000 for name in ("429", "drip", "html", None)]
    assert [round(share, 1) for share in shares] == [0.2, 0.1, 0.1, 0.6]


def test_a_bad_spec_is_named_with_the_ones_known():
    with pytest.raises(InputError, match=r"unknown fault 'drop=0.1'.*429, 500, reset, truncated"):
        Faults.parse(["429=0.1", "drop=0.1"])
    for spec in ("429", "429=often", "429=1.5", "429=-1", "429=nan"):
        with pytest.raises(InputError, match="429"):
            Faults.parse([spec])
    with pytest.raises(InputError, match=r"add up to 1\.2"):
        Faults.parse(["429=0.6", "500=0.6"])
    assert len(Faults.parse([f"{name}=0.01" for name in KNOWN]).rates) == 22


def test_transient_faults_strike_once_and_lasting_ones_always():
    faults = Faults.parse(["500=1"])
    assert [faults.strike("https://i.redd.it/a.jpg", "media") for _ in range(3)] == ["500", None, None]
    assert faults.strike("https://i.redd.it/b.jpg", "media") == "500"
    twice = Faults.parse(["500=1"], strikes=2)
    assert [twice.strike("u", "api") for _ in range(3)] == ["500", "500", None]
    lasting = Faults.parse(["html=1"])
    assert [lasting.strike("https://i.redd.it/a.jpg", "media") for _ in range(2)] == ["html", "html"]


def test_an_api_meets_only_what_passes():
    for name in ("drip", "html", "bomb", "huge", "removed", "loop", "slow_down"):
        assert Faults.parse([f"{name}=1"]).strike("https://oauth.reddit.com/r/happy/top", "api") is None
    assert Faults.parse(["slow_down=1"]).strike("u", "archive") == "slow_down"
    assert Faults.parse(["slow_down=1"]).strike("u", "media") is None


def test_429_comes_with_and_without_retry_after():
    sandbox = make_sandbox(posts=60, faults=["429=1"])
    ids = [post.pictures[0].id for post in sandbox.corpus.posts if post.form == "reddit_image"]

    async def go():
        waits = []
        async with serving(sandbox) as base, aiohttp.ClientSession() as session:
            for name in ids:
                async with session.get(f"{base}/i.redd.it/{name}.jpg") as answer:
                    assert answer.status == 429
                    waits.append(answer.headers.get("Retry-After"))
        return waits

    assert set(asyncio.run(go())) == {"1", None}


def test_a_failing_server_recovers():
    (first, _, _), (second, _, body) = meet("500", times=2)
    assert first in (500, 503)
    assert (second, body[:2]) == (200, b"\xff\xd8")
    (first, _, _), (second, _, _) = meet("500", path=LISTING, times=2)
    assert (first in (500, 503), second) == (True, 200)


def test_the_archive_asks_to_slow_down():
    path = "/arctic-shift.photon-reddit.com/api/posts/search?subreddit=happy"
    (first, _, body), (second, _, _) = meet("slow_down", path=path, times=2)
    assert (first, body) == (422, b'{"data":null,"error":"Timeout. Maybe slow down a bit"}')
    assert second == 200


def test_a_connection_is_reset():
    with pytest.raises(aiohttp.ClientConnectionError):
        meet("reset")
    resets = Faults.parse(["reset=1"])
    assert [resets.strike("u", "media") for _ in range(3)] == ["reset", "reset", None]


def test_a_transfer_breaks_off():
    with pytest.raises(aiohttp.ClientPayloadError):
        meet("truncated")
    with pytest.raises(aiohttp.ClientPayloadError):
        meet("truncated", path=LISTING)


@pytest.mark.slow
def test_drip_and_huge_never_end():
    assert _read_for("drip", seconds=0.5, most=100) == ("image/jpeg", b"\xff\xd8")
    assert _read_for("huge", seconds=5, most=2_000_000) == ("image/jpeg", b"\0\0")


def _read_for(fault, seconds, most):
    """Read until time or `most` is up; gives the type and the first two bytes. It must not end by itself."""
    sandbox = make_sandbox(posts=40, faults=[f"{fault}=1"])
    name = next(p for p in sandbox.corpus.posts if p.form == "reddit_image" and p.url.endswith("jpg"))

    async def go():
        read = bytearray()
        async with (
            serving(sandbox) as base,
            aiohttp.ClientSession() as session,
            session.get(base + "/" + name.url.removeprefix("https://")) as answer,
        ):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while len(read) < most:
                        chunk = await answer.content.read(65_536)
                        assert chunk, "the answer ended"
                        read += chunk
            return answer.headers["Content-Type"], bytes(read[:2])

    return asyncio.run(go())


def test_a_page_stands_where_the_image_was():
    ((status, headers, body),) = meet("html")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<title>Sign in to continue</title>" in body


def test_redirects_lead_astray():
    ((status, headers, _),) = meet("private_redirect")
    assert (status, headers["Location"]) == (302, "http://169.254.169.254/latest/meta-data/")
    first, second = meet("loop", times=2)
    assert first[0] == 302
    assert first[1]["Location"].startswith("https://i.redd.it/")
    assert first[1]["Location"] == second[1]["Location"]


def test_a_removed_image_is_a_placeholder():
    ((status, headers, _),) = meet("removed", path="/i.imgur.com/x05uPhi.jpg")
    assert (status, headers["Location"]) == (302, "https://i.imgur.com/removed.png")
    ((status, headers, body),) = meet("removed", path="/i.imgur.com/removed.png")
    assert (status, headers["Content-Type"], body[:4]) == (200, "image/png", b"\x89PNG")
    assert meet("removed")[0][0] == 404
    assert meet("unavailable")[0][0] == 404


def test_an_image_may_refuse_to_be_used():
    ((status, headers, body),) = meet("noai")
    assert (status, headers["X-Robots-Tag"], body[:2]) == (200, "noai, noimageai", b"\xff\xd8")


def test_a_pixel_and_garbage_are_no_images():
    ((_, headers, body),) = meet("pixel")
    assert (headers["Content-Type"], len(body)) == ("image/gif", 43)
    assert Image.open(io.BytesIO(body)).size == (1, 1)
    ((_, headers, body),) = meet("corrupt")
    assert (headers["Content-Type"], body[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    with pytest.raises(OSError), Image.open(io.BytesIO(body)) as image:
        image.load()


@pytest.mark.slow
def test_the_bomb_is_small_and_valid_and_built_in_little_memory():
    bomb.cache_clear()
    tracemalloc.start()
    built = bomb()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 860_000 < len(built) < 890_000
    assert peak < 20_000_000
    assert built[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", built[16:24]) == (30_000, 30_000)
    start = built.index(b"IDAT")
    (length,) = struct.unpack(">I", built[start - 4 : start])
    unpacker, total = zlib.decompressobj(), 0
    data = built[start + 4 : start + 4 + length]
    while not unpacker.eof:  # checks Adler-32 at the end
        total += len(unpacker.decompress(data, 2**22))
        data = unpacker.unconsumed_tail
    assert total == 30_000 * 30_001
    assert meet("bomb")[0][2] == built


def test_a_host_over_its_limit_answers_429():
    sandbox = make_sandbox(posts=20, host_limits=["bench.example=2"])

    async def go():
        async with serving(sandbox) as base, aiohttp.ClientSession() as session:
            found = []
            for host in ("bench.example/x.jpg",) * 3 + ("daily-feed.example/x",):
                async with session.get(f"{base}/{host}") as answer:
                    found.append((answer.status, answer.headers.get("Retry-After")))
            return found

    assert asyncio.run(go()) == [(404, None), (404, None), (429, "1"), (200, None)]


def test_a_bucket_refills_at_its_rate():
    bucket = Bucket(rate=2)
    now = time.monotonic()
    assert [bucket.take(now) for _ in range(3)] == [True, True, False]
    assert [bucket.take(now + 0.5) for _ in range(2)] == [True, False]
    assert [bucket.take(now + 100) for _ in range(3)] == [True, True, False]
    assert HostLimits.parse(["a.b=1"], retry_after=False).headers() == {}
    for spec in ("a.b", "a.b=fast", "=3", "a.b=0", "a.b=-1", "a.b=inf"):
        with pytest.raises(InputError, match="host limit"):
            HostLimits.parse([spec])
