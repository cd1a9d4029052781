"""How Async PRAW sends its requests here: bodies within a size limit, no redirects, no cookies.

Importing this loads aiohttp and Async PRAW's core.
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
    """Return a session whose answers' `read()`, `text()` and `json()` raise `FetchError` over `max_bytes`."""

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
    """Follows no redirect, and keeps the last answer's body.

    The body holds the reason of a failure, and Async PRAW drops it. A redirect of the token request would
    send the credentials in its body on to another host.
    """

    body = b""

    @asynccontextmanager
    async def request(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Send a request and read its answer. Raises what `asyncprawcore.Requestor.request` does."""
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
    error: msgspec.Raw  # {"error": "invalid_grant"}: Async PRAW names it


def _check_token(body: bytes) -> None:
    """Raise `FetchError` for what Async PRAW would fail on with a KeyError or TypeError."""
    try:
        msgspec.json.decode(body, type=_Refusal)
    except msgspec.DecodeError:
        try:
            msgspec.json.decode(body, type=_Token)
        except msgspec.DecodeError as error:
            raise FetchError("malformed_answer", detail=f"the access token: {error}"[:200]) from None
