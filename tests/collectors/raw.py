"""Loopback servers that send exact bytes, and bombs for them."""

import asyncio
import gzip
import zlib
from contextlib import asynccontextmanager


@asynccontextmanager
async def raw_site(answer):
    """Serve `answer(head, body)`, byte strings sent one after the other; then hang up.

    None among them waits until the client hangs up.
    """

    async def serve(reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
            for part in answer(head.decode(), body.decode()):
                if part is None:
                    await reader.read()
                    break
                writer.write(part)
                await writer.drain()
        except ConnectionError:
            pass  # the client has seen enough
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def with_headers(*parts, **headers):
    """An answer with status 200, these headers (`_` stands for `-`) and a body in parts."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return [f"HTTP/1.1 200 OK\r\nConnection: close\r\n{lines}\r\n".encode(), *parts]


def bomb(encoding, gigabytes=10):
    """Give the packed bytes of that many gigabytes of spaces, about a thousandth of them, piece by piece."""
    block = b" " * 2**20
    wbits = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS, "raw": -zlib.MAX_WBITS}[encoding]
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    yield packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)  # stands alone: so it can be repeated
    for _ in range(64 * gigabytes):
        yield again * 16


def deflated(data, wbits=zlib.MAX_WBITS):
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return packer.compress(data) + packer.flush()


def gzipped(data):
    return gzip.compress(data, mtime=0)
