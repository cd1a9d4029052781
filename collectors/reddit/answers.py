"""Reddit's answer to one request: its JSON, or the error that it means.

    SourceError
    └── RedditError                      one line: the request, the failure, the next step
        ├── BadCredentials               401, or a refused token: {"error": "invalid_grant"}
        │   └── TokenExpired             401 to a call with a token: ask for a new one       (retry)
        ├── Forbidden                    403 without a reason
        │   ├── PrivateSubreddit         … "private", "gold_only", "employees_only"
        │   └── QuarantinedSubreddit     … "quarantined"
        ├── NotFound                     404
        │   ├── BannedSubreddit          … "banned"
        │   └── UnknownSubreddit         302 to /subreddits/search
        ├── Redirected                   another 3xx
        │   └── OptInRequired            … to /quarantine or /over18
        ├── RateLimited                  429                                                 (retry)
        ├── UnavailableForLegalReasons   451
        ├── ServerError                  5xx                                                 (retry)
        ├── MalformedAnswer              not JSON, or not the expected JSON                  (retry)
        │   └── AnswerTooLarge           over 16 MB, decompressed
        └── UnexpectedStatus             anything else

`retry` says whether the same request may succeed later; `retry_after` is the number of seconds to wait, if
Reddit gave one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from affectory.core.errors import SourceError
from collectors.http.answers import html_title, number_in, retry_after


class RedditError(SourceError):
    """Reddit's failure to answer the request for `what` ("r/happy")."""

    says: ClassVar[str] = "the request failed"
    next_step: ClassVar[str] = "try again later"
    retry: bool = False

    def __init__(self, what: str, detail: str = "", *, retry_after: float | None = None) -> None:
        self.what, self.detail, self.retry_after = what, one_line(detail), retry_after
        shown = f" ({self.detail})" if self.detail else ""
        super().__init__(f"{one_line(what)}: {self.says}{shown}; {self.next_step}")


class BadCredentials(RedditError):
    """Reddit doesn't accept the credentials of the app or the account."""

    says = "Reddit refuses the credentials"
    next_step = (
        "check client_id, client_secret, username and password in praw.ini, or do without: --source archive"
    )


class TokenExpired(BadCredentials):
    """The access token is no longer valid."""

    says = "the access token has expired"
    next_step = "ask for a new one and repeat the request"
    retry = True


class Forbidden(RedditError):
    """Reddit refuses without a reason."""

    says = "Reddit forbids it"
    next_step = "check that your app is approved and its user agent unique, or leave it out"


class PrivateSubreddit(Forbidden):
    """Only members may read it."""

    says = "the subreddit is open to members only"
    next_step = "ask its moderators to let your account in, or leave it out"


class QuarantinedSubreddit(Forbidden):
    """Readable after an opt-in."""

    says = "the subreddit is quarantined"
    next_step = "opt in once with your account in a browser, or leave it out"


class NotFound(RedditError):
    """Nothing has this name or id."""

    says = "Reddit finds nothing there"
    next_step = "check the name or the id"


class BannedSubreddit(NotFound):
    """Reddit has closed the subreddit."""

    says = "Reddit has banned the subreddit"
    next_step = "leave it out, or read its posts from a dump (--source dump)"


class UnknownSubreddit(NotFound):
    """No subreddit has this name: Reddit redirects to its search."""

    says = "there is no subreddit of that name"
    next_step = "check the spelling"


class Redirected(RedditError):
    """Reddit redirects, which the client doesn't follow."""

    says = "Reddit redirects the request"
    next_step = "check the name; if it is right, please report it"


class OptInRequired(Redirected):
    """Reddit asks for consent before it shows the page."""

    says = "Reddit asks to opt in first"
    next_step = "opt in once with your account in a browser, or leave it out"


class RateLimited(RedditError):
    """Too many requests."""

    says = "too many requests"
    next_step = "wait, then repeat it"
    retry = True


class UnavailableForLegalReasons(RedditError):
    """Reddit may not show it in this country."""

    says = "Reddit withholds it for legal reasons"
    next_step = "leave it out"


class ServerError(RedditError):
    """Reddit, or a proxy in front of it, failed."""

    says = "Reddit's servers failed"
    next_step = "repeat it in some minutes"
    retry = True


class MalformedAnswer(RedditError):
    """The answer isn't the expected JSON."""

    says = "the answer can't be read"
    next_step = "repeat it; if it stays, please report it"
    retry = True


class AnswerTooLarge(MalformedAnswer):
    """The answer is larger than any regular one, compressed or decompressed."""

    says = "the answer is too large"
    next_step = "repeat it later; if it stays, please report it"
    retry = False


class UnexpectedStatus(RedditError):
    """A status without a rule."""

    says = "an unexpected status"
    next_step = "please report it"


_FORBIDDEN: dict[object, type[RedditError]] = {
    "private": PrivateSubreddit,
    "gold_only": PrivateSubreddit,
    "employees_only": PrivateSubreddit,
    "quarantined": QuarantinedSubreddit,
}
# https://www.rfc-editor.org/rfc/rfc6749#section-5.2; Reddit answers some of them with status 200.
_TOKEN_ERRORS = {"invalid_grant", "invalid_client", "invalid_request", "invalid_scope"}
_TOKEN_ERRORS |= {"unauthorized_client", "unsupported_grant_type", "access_denied"}


def check_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, what: str, now: float | None = None
) -> Any:
    """Return the JSON of an answer, or raise the `RedditError` that it means.

    `what` names the request in the message ("r/happy"); `now` (Unix time) replaces the clock.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    if 200 <= status < 300:
        answer = _parsed(body, what)
        refusal = answer.get("error") if isinstance(answer, dict) else None
        if isinstance(refusal, str) and refusal in _TOKEN_ERRORS:
            # {"error_description": "Only script apps may use password auth", "error": "unauthorized_client"}
            raise BadCredentials(what, str(answer.get("error_description") or refusal))
        return answer
    raise _failure(status, lower, body, what, now)


def _failure(
    status: int, headers: Mapping[str, str], body: bytes, what: str, now: float | None
) -> RedditError:
    answer = _json_or_none(body)
    reason = answer.get("reason") if isinstance(answer, dict) else None
    detail = reason if isinstance(reason, str) else html_title(body)
    wait = retry_after(headers, now)
    if 300 <= status < 400:
        return _redirect(headers.get("location", ""), what)
    if status == 401:
        # www-authenticate: Bearer realm="reddit", error="invalid_token"
        expired = headers.get("www-authenticate", "").lower().startswith("bearer")
        return (TokenExpired if expired else BadCredentials)(what, detail)
    if status == 403:
        known = _FORBIDDEN.get(detail, Forbidden)
        return known(what, detail)
    if status == 404:
        return BannedSubreddit(what) if detail == "banned" else NotFound(what, detail)
    if status == 429:
        if wait is None:
            reset = number_in(headers, "x-ratelimit-reset")
            wait = None if reset is None else max(0.0, reset)
        return RateLimited(what, "" if wait is None else f"wait {wait:.0f} s", retry_after=wait)
    if status == 451:
        return UnavailableForLegalReasons(what, detail)
    if status >= 500:
        return ServerError(what, f"status {status} {detail}", retry_after=wait)
    return UnexpectedStatus(what, f"status {status} {detail}")


def _redirect(location: str, what: str) -> RedditError:
    location = re.split("[?#]", location)[0]  # the query may repeat the request's, or a secret
    try:
        path = urlsplit(location).path
    except ValueError:
        path = ""
    if path.startswith("/subreddits/search"):
        return UnknownSubreddit(what)
    if path in ("/quarantine", "/over18"):
        return OptInRequired(what, path)
    return Redirected(what, f"to {location}" if location else "")


def one_line(text: str) -> str:
    """Return text from outside fit for a message: one line, at most 200 characters."""
    text = " ".join(re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", " ", text).split())
    return text if len(text) <= 200 else text[:199] + "…"


def _parsed(body: bytes, what: str) -> Any:
    try:
        # Only the standard library's parser accepts the lone surrogates in some of Reddit's titles.
        return json.loads(body)
    except (ValueError, RecursionError):
        title = html_title(body)
        found = f"a web page, {title!r}" if title else f"{len(body)} bytes that are no JSON: {body[:40]!r}"
        raise MalformedAnswer(what, found if body else "nothing at all") from None


def _json_or_none(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
