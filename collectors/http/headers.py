"""An answer's headers as text: all of them by name, and those that are signals of consent."""

from __future__ import annotations

import re

import aiohttp

from collectors.http import consent
from collectors.http.consent import Signals


def merged(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the headers by lower-case name; the values of a repeated header are joined."""
    found: dict[str, str] = {}
    for name, value in response.headers.items():
        text = _text(value)
        known = found.get(name.lower())
        found[name.lower()] = text if known is None else f"{known}, {text}"
    return found


def signals(response: aiohttp.ClientResponse) -> Signals:
    """Return the signals of consent; a header that is repeated keeps its values apart."""
    found = ((name, response.headers.getall(name, ())) for name in consent.HEADERS)
    return {name: [_text(value) for value in values] for name, values in found if values}


def _text(value: str) -> str:
    """Return a header's value as text that the store accepts.

    Bytes that aren't UTF-8, which aiohttp returns as lone surrogates, are percent-encoded: that is their
    meaning in a Location.
    """
    return re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", value)
