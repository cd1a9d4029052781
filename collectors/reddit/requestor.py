"""Async PRAW's HTTP requests with a size limit for bodies, without redirects and cookies.

Importing this imports aiohttp and Async PRAW's core.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import asyncprawcore
import msgspec
from asyncprawcore.const import ACCESS_TOKEN_PATH

from collectors.http.answers import FetchError
from collectors.http.bodies import read_body


def make_session(max_bytes: int) -> aiohttp.ClientSession:
    """Return a session whose responses raise `FetchError` when a body of more than `max_bytes` is read."""

    class BoundedResponse(aiohttp.ClientResponse):
        async def read(self) -> bytes:
            if self._body is None:
                self._body = await read_body(self, max_bytes)
            return self._body

    return aiohttp.ClientSession(
        response_class=BoundedResponse,
        auto_decompress=False,
        headers={"Accept-Encoding": "gzip"},
        cookie_jar=aiohttp.DummyCookieJar(),
    )


class KeepingRequestor(asyncprawcore.Requestor):
    """A requestor that follows no redirects and keeps the body of the last answer.

    The body has the reason of a failure, and Async PRAW discards it. A redirect of the token request would
    send the credentials in its body to another host.
    """

    body = b""

    @asynccontextmanager
    async def request(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Send a request and read its answer. Raises the errors of `asyncprawcore.Requestor.request`."""
        self.body = b""
        async with super().request(*args, **{**kwargs, "allow_redirects": False}) as response:
            self.body = await response.read()
            if response.status == 200 and response.url.path.endswith(ACCESS_TOKEN_PATH):
                _check_token(self.body)
            yield response


class _Token(msgspec.Struct):
    # {"access_token": "eyJ…", "token_type": "bearer", "expires_in": 86400, "scope": "*"}
    access_token: str
    expires_in: int
    scope: str


class _Refusal(msgspec.Struct):
    error: msgspec.Raw  # {"error": "invalid_grant"}: Async PRAW raises an error for it


def _check_token(body: bytes) -> None:
    """Raise `FetchError` for an answer on which Async PRAW would raise a KeyError or TypeError."""
    try:
        msgspec.json.decode(body, type=_Refusal)
    except msgspec.DecodeError:
        try:
            msgspec.json.decode(body, type=_Token)
        except msgspec.DecodeError as error:
            raise FetchError("malformed_answer", detail=f"the access token: {error}"[:200]) from None
