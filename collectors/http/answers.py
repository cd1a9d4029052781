"""What a host's answer means, by its status, headers and body.

The reasons of `FetchError`. `again`: the client repeats the request in the same run; `retry`: a later run may
succeed.

    rate_limited, server_error, connection_lost,        again, retry
      connect_error, connect_timeout, dns_error
    bad_certificate, deadline_exceeded, host_down       retry
    bad_content_encoding, bad_chunks                    retry; doesn't count as a failure of the host
    foreign_redirect                                    retry; an address with a secret redirects elsewhere
    not_found, gone, removed_placeholder                final, and the image is `gone`
    forbidden, unauthorized, legally_unavailable,       final
      client_error, bad_url, private_address,
      too_many_redirects, too_large
    noai, robots_txt, tdm_reservation, content_usage    the image may not be used for AI (consent.py)
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Self
from urllib.parse import urlsplit

from collectors.http import consent
from collectors.http.consent import Signals

#: Reasons that say nothing about the address: the host gave no answer, or none for now.
NO_ANSWER = frozenset(
    (
        "rate_limited",
        "server_error",
        "connection_lost",
        "connect_error",
        "bad_certificate",
        "connect_timeout",
        "dns_error",
        "deadline_exceeded",
        "host_down",
    )
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A host's answer. Names in `headers` are in lower case; `location` is set for a redirect.

    `signals` are those of an image: in its own answer, in redirects to it, and in robots.txt.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    location: str | None = None
    signals: Signals = field(default_factory=dict)


class FetchError(Exception):
    """A request failed. The module's docstring lists the reasons.

    `gone`: the source has removed the content. `host_failed`: the host itself failed. `asked` is False if no
    request was made, because the host had been given up before. `refused_by` is the one of the `signals` for
    which an image may not be used.
    """

    def __init__(
        self,
        reason: str,
        *,
        detail: str = "",
        retry: bool = False,
        again: bool = False,
        gone: bool = False,
        host_failed: bool = False,
        asked: bool = True,
        signals: Signals | None = None,
        refused_by: str | None = None,
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        # The store takes no lone surrogates, and a header or an address may hold them.
        self.reason, self.detail = reason, detail.encode("utf-8", "replace").decode()
        self.retry, self.again, self.gone, self.host_failed = retry, again, gone, host_failed
        self.asked = asked
        self.signals, self.refused_by = signals or {}, refused_by

    @classmethod
    def host(cls, reason: str, *, detail: str, again: bool = True) -> Self:
        """Return a transient failure of the host itself."""
        return cls(reason, detail=detail, retry=True, again=again, host_failed=True)

    @classmethod
    def refusal(cls, signals: Signals, refused_by: str) -> Self:
        """Return the refusal of an image by one of its signals."""
        detail = consent.shown(signals, refused_by)
        return cls(consent.REASONS[refused_by], detail=detail, signals=signals, refused_by=refused_by)


def failure(answer: Answer) -> FetchError:
    """Return the error for an answer whose status is not one of the accepted."""
    status, detail = answer.status, f"HTTP {answer.status}"
    if status == 429:
        return FetchError("rate_limited", detail=detail, retry=True, again=True)
    if status >= 500 or status == 408:
        return FetchError.host("server_error", detail=detail)
    if status in (404, 410):
        return FetchError("not_found" if status == 404 else "gone", detail=detail, gone=True)
    named = {401: "unauthorized", 403: "forbidden", 451: "legally_unavailable"}
    return FetchError(named.get(status, "client_error"), detail=detail)


#: imgur answers 302 to https://i.imgur.com/removed.png (161x81) for a removed image; Flickr to
#: https://s.yimg.com/pw/images/en-us/photo_unavailable.png, formerly photo_unavailable.gif.
_REMOVED_PAGE = re.compile(r"/(removed\.png|photo_(unavailable|not_available)[^/]*\.(gif|png|jpg))$")


def is_removed_page(url: str) -> bool:
    """Return whether an address is a host's placeholder image for removed content."""
    return _REMOVED_PAGE.search(urlsplit(url).path) is not None


# Bounded: with ten thousand "<title>" that are never closed, an unbounded match takes seconds.
_TITLE = re.compile(rb"<title[^>]{0,200}>(.{0,1000}?)</title", re.IGNORECASE | re.DOTALL)


def html_title(body: bytes) -> str:
    """Return an HTML page's title on one line, at most 200 characters; empty if it has none."""
    found = _TITLE.search(body[:65536])
    return " ".join(found[1].decode("utf-8", "replace").split())[:200] if found else ""


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return the seconds that a `Retry-After` header asks to wait, 0 or more; None without a readable one.

    The header holds seconds (`4`) or a date (`Wed, 21 Oct 2026 07:28:00 GMT`). `now` is the Unix time
    (default: see `sent_at`).
    """
    seconds = number_in(headers, "retry-after")
    if seconds is not None:
        return max(0.0, seconds)
    due = _moment_in(headers, "retry-after")
    if due is None:
        return None
    return max(0.0, due - (sent_at(headers) if now is None else now))


def sent_at(headers: Mapping[str, str]) -> float:
    """Return the Unix time of an answer by its host's clock, from `Date`; without it, by this machine's.

    Times in an answer are compared with this one: the two clocks may differ by hours. `Age` is how long a
    cache has kept the answer.
    """
    moment = _moment_in(headers, "date")
    return time.time() if moment is None else moment + max(number_in(headers, "age") or 0, 0)


def _moment_in(headers: Mapping[str, str], name: str) -> float | None:
    """Return the Unix time of a header's date; None without a readable one."""
    from email.utils import parsedate_to_datetime  # slow to import, and every command imports this file

    try:
        moment = parsedate_to_datetime(headers[name])
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (KeyError, ValueError, OverflowError):
        return None


def number_in(headers: Mapping[str, str], name: str) -> float | None:
    """Return a header's finite number; None without one."""
    try:
        value = float(headers[name])
    except (KeyError, ValueError):
        return None
    return value if math.isfinite(value) else None
