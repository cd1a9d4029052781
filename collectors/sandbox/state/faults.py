"""Which faults occur, how often, and for which addresses.

    faults = Faults.parse(["429=0.05", "drip=0.01"], seed=0)
    faults.strike("https://i.redd.it/rrinwcmrxzug1.jpg", "media")      # None, or a fault's name

The fault of an address depends on the seed and the address only, so two runs have the same faults.
Transient faults affect the first request of an address (or the first `strikes`), and not the later ones;
lasting faults affect every request. `misbehave.py` makes the answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from affectory.core.errors import InputError
from collectors.sandbox.generated import stable

#: The kind of an address: an API, Arctic Shift's API, Flickr's API, images and pages, the robots.txt of a
#: host of images, or no faults at all.
Place = Literal["api", "archive", "flickr", "media", "robots", "safe"]

TRANSIENT = {
    "429": "too many requests, half of them with Retry-After: 1",
    "500": "a server error, 500 or 503",
    "reset": "the connection is closed without an answer",
    "truncated": "fewer bytes are sent than Content-Length says",
    "slow_down": "Arctic Shift's 422 'Timeout. Maybe slow down a bit'",
    "flickr_down": "Flickr's failure 201 'not currently available', in JSON whatever was asked for",
}
LASTING = {
    "drip": "one byte every 0.2 s, without end",
    "huge": "an endless stream of zeros, as image/jpeg",
    "html": "an HTML page instead of an image",
    "bomb": "a PNG of 874 kB that decodes to 900 MB",
    "private_redirect": "302 to http://169.254.169.254/latest/meta-data/",
    "loop": "a redirect to itself",
    "removed": "the host's 'removed' placeholder",
    "unavailable": "404",
    "noai": "the image, with X-Robots-Tag: noai, noimageai",
    "pixel": "a GIF of one pixel",
    "corrupt": "a JPEG's first bytes, then garbage",
    "tdm": "the image, with tdm-reservation: 1 and tdm-policy",
    "usage": "the image, with Content-Usage: train-ai=n",
}
#: The faults of robots.txt, which has no others: the rate is a share of the hosts of images.
ROBOTS = {
    "disallow": "robots.txt disallows everything",
    "robots_usage": "robots.txt has Content-Usage: train-ai=n",
    "robots_down": "robots.txt answers 503, images are served",
}
KNOWN = TRANSIENT | LASTING | ROBOTS

_APPLY: Mapping[Place, frozenset[str]] = {
    "api": frozenset(TRANSIENT) - {"slow_down", "flickr_down"},
    "archive": frozenset(TRANSIENT) - {"flickr_down"},
    "flickr": frozenset(TRANSIENT) - {"slow_down"},
    "media": frozenset(TRANSIENT | LASTING) - {"slow_down", "flickr_down"},
    "robots": frozenset(ROBOTS),
    "safe": frozenset(),
}


@dataclass(slots=True)
class Faults:
    """The rates of the faults, and how often each address was affected."""

    rates: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    strikes: int = 1
    _struck: Counter[str] = field(default_factory=Counter)

    @classmethod
    def parse(cls, specs: Iterable[str], seed: int = 0, strikes: int = 1) -> Faults:
        """Read specs such as "429=0.05", also several in one string. Raises `InputError`."""
        rates: dict[str, float] = {}
        for spec in " ".join(specs).replace(",", " ").split():
            name, equals, rate = spec.partition("=")
            if name not in KNOWN or not equals:
                raise InputError(f"unknown fault {spec!r}: write NAME=RATE with one of {', '.join(KNOWN)}")
            try:
                rates[name] = float(rate)
            except ValueError:
                raise InputError(f"the rate of fault {spec!r} is not a number: write {name}=0.05") from None
            if not 0 <= rates[name] <= 1:
                raise InputError(f"the rate of fault {spec!r} must be from 0 to 1")
        if sum(rates.values()) > 1 + 1e-9:
            raise InputError(f"the rates of the faults add up to {sum(rates.values()):g}: 1 is the most")
        return cls({name: rates[name] for name in KNOWN if rates.get(name)}, seed, strikes)

    def fault_of(self, url: str, place: Place) -> str | None:
        """Return the fault of an address, whether or not it has occurred already."""
        if not self.rates:
            return None
        draw = stable.unit("fault", self.seed, url)
        for name, rate in self.rates.items():
            draw -= rate
            if draw < 0:
                return name if name in _APPLY[place] else None
        return None

    def strike(self, url: str, place: Place) -> str | None:
        """Return the fault of this request, and count it if it is transient."""
        name = self.fault_of(url, place)
        if name in TRANSIENT:
            self._struck[url] += 1
            # aiohttp's client repeats a GET once when the connection breaks, so one reset more is needed.
            if self._struck[url] > self.strikes + (name == "reset"):
                return None
        return name

    def forget(self) -> None:
        """Let the transient faults occur again."""
        self._struck.clear()
