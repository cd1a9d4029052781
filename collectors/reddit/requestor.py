"""How Async PRAW sends its requests here: bodies within a size limit, no redirects, no cookies.

Importing this loads aiohttp and Async PRAW's core.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import asyncprawcore

from collectors.bodies import read_body


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
            yield response
