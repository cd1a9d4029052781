"""Reading an answer's body within a limit, for the bytes received and for the decompressed ones.

    async with session.get(url) as response:       # a session with auto_decompress=False
        body = await read_body(response, 16 * 2**20)

Ten megabytes of gzip can decompress to ten gigabytes, so the body is decompressed here, piece by piece, and
reading stops at the limit. Content-Encodings other than gzip and deflate fail as `bad_content_encoding`.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import aiohttp
from aiohttp.http import HttpProcessingError

from collectors.http.answers import FetchError

#: Bytes decompressed at once: the most by which a body can exceed its limit before it is refused.
PIECE = 256 * 1024

#: Members of a gzip body (RFC 1952, 2.2). Servers send one; a million empty ones would only cost time.
MEMBERS = 16

#: Seconds without data after which the connection's state is checked: see `_next_chunk`.
LOOK = 0.25


async def read_body(
    response: aiohttp.ClientResponse, limit: int, room_for: Callable[[int], Awaitable[None]] | None = None
) -> bytes:
    """Return the whole body, decompressed; `limit` in bytes applies before and after decompression.

    `room_for` is awaited with the number of bytes in memory before more are read. The session must not
    decompress by itself. Raises `FetchError`: `too_large`, `bad_content_encoding`, `bad_chunks`. Errors of
    aiohttp (a lost connection, a timeout) pass through.
    """
    unpacker = _unpacker(response)
    if (response.content_length or 0) > limit:
        raise FetchError("too_large", detail=f"{response.content_length} bytes")
    pieces: list[bytes] = []
    received = size = 0
    async for chunk in _chunks(response):
        received += len(chunk)
        if received > limit:
            raise FetchError("too_large", detail=f"over {limit} bytes")
        if unpacker is None:
            pieces.append(chunk)
            if room_for is not None:
                await room_for(received)
            continue
        for piece in unpacker.unpack(chunk):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise FetchError("too_large", detail=f"over {limit} bytes unpacked")
            if room_for is not None:
                await room_for(size)
            await asyncio.sleep(0)  # a large body blocks neither other transfers nor Ctrl-C
    if unpacker is not None and received and not unpacker.ended:
        raise FetchError("bad_content_encoding", detail="the packed data ends too early", retry=True)
    return b"".join(pieces)


def is_bad_chunks(error: BaseException) -> bool:
    """Return whether aiohttp refused an answer because its chunked transfer encoding is malformed.

    The parser's own error is among the causes. A body that only ends too early isn't malformed.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HttpProcessingError):
            message = cause.message.strip().partition("\n")[0]
            # "Invalid character in chunk size:", "Chunk size mismatch: …"; with aiohttp's parser in Python
            # the class alone tells: TransferEncodingError("zz"), and "Not enough data for satisfy …".
            if re.search(r"\bchunk\b", message, re.I):
                return True
            if type(cause).__name__ == "TransferEncodingError":
                return not message.startswith("Not enough data")
        cause = cause.__cause__
    return False


class _Unpacker:
    """Decompresses a body, gzip or deflate, piece by piece."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._members = 0
        self._inflate: zlib._Decompress | None = None

    @property
    def ended(self) -> bool:
        """Whether the compressed data is complete."""
        return self._inflate is not None and self._inflate.eof

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed `data`, in pieces of at most `PIECE` bytes."""
        while data:
            if self._inflate is None or self._inflate.eof:
                self._inflate = self._next_member(data[0])
            full = True
            while full and not self._inflate.eof:  # after a full piece, there may be more inside
                try:
                    piece = self._inflate.decompress(data, PIECE)
                except zlib.error as error:
                    detail = f"Content-Encoding: {self._encoding}, but {error}"
                    raise FetchError("bad_content_encoding", detail=detail, retry=True) from None
                data, full = self._inflate.unconsumed_tail, len(piece) == PIECE
                yield piece
            data = self._inflate.unused_data if self._inflate.eof else data

    def _next_member(self, first: int) -> zlib._Decompress:
        self._members += 1
        if self._members > (MEMBERS if self._encoding == "gzip" else 1):
            detail = f"Content-Encoding: {self._encoding}, but more follows its end"
            raise FetchError("bad_content_encoding", detail=detail, retry=True)
        if self._encoding == "gzip":
            return zlib.decompressobj(16 + zlib.MAX_WBITS)
        # RFC 9110 means the zlib format (RFC 1950: the low four bits are 8); some servers send raw deflate.
        return zlib.decompressobj(zlib.MAX_WBITS if first & 0x0F == 8 else -zlib.MAX_WBITS)


def _unpacker(response: aiohttp.ClientResponse) -> _Unpacker | None:
    """Return the decompressor for the answer's Content-Encoding; None if it has none."""
    header = ",".join(response.headers.getall("Content-Encoding", []))
    codings = [coding.strip().lower() for coding in header.split(",")]
    match [coding for coding in codings if coding not in ("", "identity")]:
        case []:
            return None
        case ["gzip" | "x-gzip"]:
            return _Unpacker("gzip")
        case ["deflate"]:
            return _Unpacker("deflate")
    raise FetchError("bad_content_encoding", detail=f"Content-Encoding: {header}"[:200], retry=True)


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        while chunk := await _next_chunk(response):
            yield chunk
    except (aiohttp.ClientPayloadError, HttpProcessingError) as error:
        if isinstance(error, HttpProcessingError) or is_bad_chunks(error):
            raise bad_chunks() from None
        raise


async def _next_chunk(response: aiohttp.ClientResponse) -> bytes:
    """Return the bytes that have arrived; empty at the end.

    When aiohttp's parser in C refuses a chunk, aiohttp closes the connection without an error for the reader,
    who would wait until the deadline. So the connection is checked when no data comes.
    """
    while True:
        try:
            async with asyncio.timeout(LOOK) as silence:
                return await response.content.readany()
        except TimeoutError:
            if not silence.expired():
                raise  # the request's own deadline
        if response.connection is not None and response.connection.transport is None:
            raise bad_chunks()


def bad_chunks() -> FetchError:
    """Return the error for a malformed chunked transfer encoding."""
    return FetchError("bad_chunks", detail="malformed chunked transfer encoding", retry=True)
