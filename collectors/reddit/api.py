"""Reddit's own API through Async PRAW: credentials where PRAW looks for them, answers as raw JSON.

Async PRAW logs in, renews the token and limits its rate by Reddit's `x-ratelimit` headers. This module adds
retries (429, 5xx) and named errors. Answers have a size limit, and redirects aren't followed, because each
request carries a token or the credentials themselves.
"""

from __future__ import annotations

import configparser
import os
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectory.core.errors import InputError
from collectors.http.answers import FetchError
from collectors.reddit.answers import (
    AnswerTooLarge,
    BadCredentials,
    MalformedAnswer,
    RedditError,
    ServerError,
    check_answer,
)

if TYPE_CHECKING:
    import asyncpraw

#: Attempts at one request, and the first pause in seconds if the server names none.
ATTEMPTS, PAUSE = 6, 2.0

#: Bytes of a decompressed answer. A page of 100 posts has about 300 kB, with the longest texts a few MB.
MAX_BYTES = 16 * 2**20

#: Ids in one call of /api/info, by Reddit's limit.
INFO_IDS = 100

#: PRAW's names of its environment variables, which are in lower case.
ENV_CLIENT_ID, ENV_SITE, ENV_USER_AGENT = "praw_client_id", "praw_site", "praw_user_agent"

NO_CREDENTIALS = (
    "--source oauth needs credentials of a Reddit app, and none were found in praw.ini or the "
    "environment (praw_client_id, praw_client_secret). Reddit gives them on request: "
    "https://support.reddithelp.com/hc/en-us/articles/42728983564564; or read the archive "
    "(--source archive), a dump (--source dump --path FILE.zst) or a published list (--source index "
    "--path FOLDER); or try the command with generated posts: --sandbox"
)

USER_AGENT = "affectory/0.1 (research dataset builder)"


def has_credentials() -> bool:
    """Return whether praw.ini or the environment has a client id, without importing Async PRAW."""
    if os.environ.get(ENV_CLIENT_ID):
        return True
    config_home = os.environ.get("APPDATA") or os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    found = configparser.ConfigParser(interpolation=None)
    try:
        found.read([Path(config_home) / "praw.ini", "praw.ini"])
    except (configparser.Error, UnicodeDecodeError) as error:
        raise InputError(f"praw.ini can't be read: {_fault(error)}; correct the line") from None
    site = os.environ.get(ENV_SITE, "DEFAULT")
    return (site == "DEFAULT" or found.has_section(site)) and found.get(site, "client_id", fallback="") != ""


def _fault(error: configparser.Error | UnicodeDecodeError) -> str:
    """Return what is wrong with praw.ini and where, without its text, which may be a secret."""
    if isinstance(error, UnicodeDecodeError):
        before = error.object.count(b"\n", 0, error.start)
        return f"a character that isn't {error.encoding} in line {before + 1}"
    numbers = [number for number, _ in getattr(error, "errors", [])]
    line = getattr(error, "lineno", None) or next(iter(numbers), None)
    return type(error).__name__ + (f" in line {line}" if line else "")


@asynccontextmanager
async def connect(sandbox: str | None = None) -> AsyncIterator[RedditApi]:
    """Log in with the user's credentials, or to the sandbox at this address.

    Raises `InputError` if credentials are missing.
    """
    if sandbox is None and not has_credentials():
        raise InputError(NO_CREDENTIALS)
    import asyncpraw  # takes 0.4 s

    from collectors.reddit.requestor import KeepingRequestor, make_session

    settings: dict[str, Any] = {"check_for_updates": False}
    if sandbox is not None:
        settings |= {
            "client_id": "sandbox",
            "client_secret": "sandbox",
            "oauth_url": f"{sandbox}/oauth.reddit.com/",
            "reddit_url": f"{sandbox}/www.reddit.com",
            "username": None,
            "password": None,
            "refresh_token": None,
        }
    if sandbox is not None or not os.environ.get(ENV_USER_AGENT):
        settings["user_agent"] = USER_AGENT
    async with make_session(MAX_BYTES) as session:
        settings |= {"requestor_class": KeepingRequestor, "requestor_kwargs": {"session": session}}
        try:
            reddit = asyncpraw.Reddit(**settings)
        except asyncpraw.exceptions.MissingRequiredAttributeException as error:
            raise InputError(f"praw.ini: {' '.join(str(error).split())}") from None
        except (configparser.Error, UnicodeDecodeError) as error:
            raise InputError(f"praw.ini can't be read: {_fault(error)}; correct the line") from None
        async with reddit:
            yield RedditApi(reddit)


class RedditApi:
    """Reddit's API: returns raw JSON or raises a `RedditError`. One request at a time."""

    def __init__(self, reddit: asyncpraw.Reddit) -> None:
        self._reddit = reddit

    async def get(self, path: str, params: Mapping[str, str], *, what: str) -> Any:
        """Return the answer to a GET of `path` ("r/happy/top"); `what` names it in errors ("r/happy")."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._once(path, params, what)
            except RedditError as error:
                if not error.retry or attempt == ATTEMPTS:
                    raise
                wait = error.retry_after
                if wait is None:
                    wait = random.uniform(0, PAUSE * 2 ** (attempt - 1))
                import asyncio  # not for the command's --help

                await asyncio.sleep(min(wait, 600))
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, path: str, params: Mapping[str, str], what: str) -> Any:
        from asyncprawcore import exceptions

        try:
            return await self._reddit.request(method="GET", path=path, params=dict(params))
        except exceptions.OAuthException as error:
            raise BadCredentials(what, f"{error.error}: {error.description or ''}") from None
        except exceptions.ResponseException as error:
            answer = error.response
            body = getattr(self._reddit.requestor, "body", b"")
            check_answer(answer.status, answer.headers, body, what=what)
            raise  # Async PRAW refuses the answer, but check_answer doesn't
        except exceptions.RequestException as error:
            cause = error.original_exception
            if isinstance(cause, FetchError):  # the body can't be read: see collectors/http/bodies.py
                named = AnswerTooLarge if cause.reason == "too_large" else MalformedAnswer
                raise named(what, str(cause)) from None
            raise ServerError(what, f"no answer: {type(cause).__name__} {cause}") from None

    async def info(self, ids: Sequence[str]) -> dict[str, Any]:
        """Return the listing's child of each of these ids ("3svmej"), at most 100, that /api/info knows."""
        from collectors.reddit.post import parse_listing

        names = ",".join(f"t3_{i}" for i in ids)
        children, _ = parse_listing(await self.get("api/info", {"id": names}, what="/api/info"))
        found = {}
        for child in children:
            data = child.get("data") if isinstance(child, dict) else None
            if isinstance(data, dict) and isinstance(data.get("id"), str):
                found[data["id"]] = child
        return found
