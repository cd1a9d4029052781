"""Bodies: what they unpack to, how large they may be, and whose fault it is when they can't be read."""

import asyncio
import os
import time
import tracemalloc
import zlib

import aiohttp
import pytest

from collectors.http import bodies
from collectors.http.answers import FetchError
from collectors.http.client import Limits
from tests.collectors.fetching import QUICK, client_to, marks, outcome
from tests.collectors.raw import bomb, deflated, gzipped, raw_site, with_headers

DATA = os.urandom(100_000) + bytes(1_000_000)  # a part that doesn't pack, and one that packs well
ADDRESS_FAULT = ["retry"]


def fetched(parts, limits=QUICK, accept=(200,), times=1):
    """Fetch `times` addresses from a server that answers with these parts: (the outcomes, the host)."""

    async def go():
        def answer(head, body):
            return parts() if callable(parts) else parts

        async with raw_site(answer) as base, client_to(base, limits) as client:
            urls = [f"https://i.redd.it/{number}.jpg" for number in range(times)]
            return [await outcome(client, url, accept=accept) for url in urls], client.hosts["i.redd.it"]

    return asyncio.run(go())


def one(parts, **options):
    (found,), _ = fetched(parts, **options)
    return found


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("identity", DATA),
        ("gzip", gzipped(DATA)),
        ("GZip , identity", gzipped(DATA)),
        ("x-gzip", gzipped(DATA)),
        ("gzip", gzipped(DATA[:500]) + gzipped(b"") + gzipped(DATA[500:])),
        ("deflate", deflated(DATA)),
        ("deflate", deflated(DATA, -zlib.MAX_WBITS)),
    ],
)
def test_a_packed_body_is_unpacked(encoding, packed):
    assert one(with_headers(packed, Content_Encoding=encoding, Content_Length=len(packed))).body == DATA


@pytest.mark.parametrize("extra", [-1, 0, 1, bodies.PIECE - 1, bodies.PIECE, bodies.PIECE + 1])
@pytest.mark.parametrize("wbits", [-zlib.MAX_WBITS, zlib.MAX_WBITS])
def test_a_body_of_whole_pieces_is_unpacked_to_its_end(extra, wbits):
    data = bytes(bodies.PIECE + extra)
    assert one(with_headers(deflated(data, wbits), Content_Encoding="deflate")).body == data


def test_no_body_is_no_bad_one():
    assert one(with_headers(Content_Encoding="gzip", Content_Length=0)).body == b""


@pytest.mark.parametrize(
    ("encoding", "packed", "detail"),
    [
        ("br", b"\x0b\x02\x80hello\x03", "Content-Encoding: br"),
        ("zstd", b"\x28\xb5\x2f\xfd\x04\x00", "Content-Encoding: zstd"),
        ("gzip, gzip", gzipped(gzipped(DATA)), "Content-Encoding: gzip, gzip"),
        ("\xff", b"x", "Content-Encoding: ?"),
        (
            "gzip",
            b"nope",
            "Content-Encoding: gzip, but Error -3 while decompressing data: incorrect header check",
        ),
        ("gzip", gzipped(DATA)[:-9], "the packed data ends too early"),
        ("deflate", deflated(DATA)[:-5], "the packed data ends too early"),
        ("deflate", deflated(DATA) + b"x", "Content-Encoding: deflate, but more follows its end"),
        ("gzip", gzipped(b"") * 17, "Content-Encoding: gzip, but more follows its end"),
    ],
)
def test_a_content_encoding_that_cant_be_undone_is_named(encoding, packed, detail):
    head, body = with_headers(packed, Content_Encoding="?", Content_Length=len(packed))
    error = one([head.replace(b": ?", b": " + encoding.encode("latin-1")), body])
    assert marks(error) == ("bad_content_encoding", ADDRESS_FAULT)
    assert error.detail == detail


MALFORMED = [
    b"zz\r\nx",
    b"-1\r\nab\r\n",
    b"2\r\nabcd\r\n0\r\n\r\n",
    b"2\r\nab\r\nzz\r\nx",
    b"2;a=\x00b\r\nab\r\n",
]


@pytest.mark.parametrize("body", MALFORMED)
def test_malformed_chunks_are_named(body):
    assert marks(one(with_headers(body, Transfer_Encoding="chunked"))) == ("bad_chunks", ADDRESS_FAULT)


@pytest.mark.slow
@pytest.mark.parametrize("body", MALFORMED)
def test_malformed_chunks_are_named_at_once_when_they_come_after_the_headers(body):
    async def go():
        seen_headers = asyncio.Event()

        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            await seen_headers.wait()
            writer.write(body)
            await reader.read()  # holds the connection open: its bytes alone say that something is wrong
            writer.close()

        async with (
            await asyncio.start_server(serve, "127.0.0.1", 0) as server,
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as response,
        ):
            seen_headers.set()
            with pytest.raises(FetchError) as caught:
                await bodies.read_body(response, 1000)
            return caught.value

    began = time.monotonic()
    assert marks(asyncio.run(go())) == ("bad_chunks", ADDRESS_FAULT)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("body", [b"", b"5", b"5\r\nab", b"5\r\nabcde\r\n"])
def test_chunks_that_only_end_too_early_are_a_lost_connection(body):
    error = one(with_headers(body, Transfer_Encoding="chunked"), limits=Limits(attempts=2, backoff=0.001))
    assert marks(error) == ("connection_lost", ["retry", "again", "host_failed"])


@pytest.mark.parametrize(
    "parts",
    [
        with_headers(b"x", Content_Encoding="br"),
        with_headers(b"zz\r\nx", Transfer_Encoding="chunked"),
    ],
)
def test_ten_such_addresses_in_a_row_leave_their_host_open(parts):
    errors, host = fetched(parts, times=10)
    assert {error.reason for error in errors} <= {"bad_content_encoding", "bad_chunks"}
    assert (len(errors), host.state, host.paused_for) == (10, "ok", 0)


@pytest.mark.parametrize(
    ("status", "reason"), [(b"404 No", "not_found"), (b"429 No", "rate_limited"), (b"503 No", "server_error")]
)
def test_a_failure_is_named_by_its_status_however_its_page_is_packed(status, reason):
    head, body = with_headers(b"x", Content_Encoding="br")
    assert one([head.replace(b"200 OK", status), body]).reason == reason


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw"])
def test_ten_gigabytes_in_a_small_body_are_refused_in_a_second_and_little_memory(encoding):
    named = "gzip" if encoding == "gzip" else "deflate"
    tracemalloc.start()
    began = time.monotonic()
    try:
        error = one(lambda: [*with_headers(Content_Encoding=named), *bomb(encoding)])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert marks(error) == ("too_large", [])
    assert error.detail == "over 33554432 bytes unpacked"
    assert peak < 100e6
    assert time.monotonic() - began < 3


def test_a_body_may_have_the_limit_and_no_byte_more_before_and_after_unpacking():
    limits = Limits(max_bytes=1000)
    assert len(one(with_headers(bytes(1000)), limits=limits).body) == 1000
    assert len(one(with_headers(gzipped(bytes(1000)), Content_Encoding="gzip"), limits=limits).body) == 1000
    assert one(with_headers(bytes(1001)), limits=limits).detail == "over 1000 bytes"
    assert one(with_headers(bytes(1), Content_Length=1001), limits=limits).detail == "1001 bytes"
    packed = gzipped(bytes(1001))
    assert (
        one(with_headers(packed, Content_Encoding="gzip"), limits=limits).detail == "over 1000 bytes unpacked"
    )
