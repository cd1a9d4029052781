"""The host of an address and the year of a time, of whatever type a dataset has them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

_YEARS = range(1990, 2100)
#: A number of so many seconds, or of so many milliseconds, since 1970 is a time after 1990.
_SECONDS, _MILLISECONDS = 631_152_000, 631_152_000_000


def host(link: Any) -> str:
    """Return the host of an address, without www.; "" if it has none."""
    if not isinstance(link, str) or not link:
        return ""
    try:
        found = urlsplit(link if "//" in link else f"//{link}").hostname or ""
    except ValueError:
        return ""
    return found.removeprefix("www.")


def year(when: Any) -> str:
    """Return the year of a time: a date, seconds or milliseconds since 1970, a year, or a text with one."""
    if isinstance(when, date):
        return str(when.year)
    if isinstance(when, str):
        match = re.search(r"\b(19[9]\d|20\d\d)\b", when)
        return match[1] if match else year(float(when)) if when.replace(".", "", 1).isdigit() else ""
    if not isinstance(when, int | float) or isinstance(when, bool) or when != when:
        return ""
    if when in _YEARS:
        return str(int(when))
    seconds = when / 1000 if when >= _MILLISECONDS else when
    return str(datetime.fromtimestamp(seconds, UTC).year) if _SECONDS <= seconds < 4e9 else ""
