"""Optional rate limits: a token bucket for each host, and 429 when it is empty.

HostLimits.parse(["i.imgur.com=20"])        # 20 requests a second, bursts up to 20
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from affectory.core.errors import InputError


@dataclass(slots=True)
class Bucket:
    """A token bucket that gains `rate` tokens a second and holds at most `rate` (but 1 or more)."""

    rate: float
    tokens: float = field(default=-1.0)
    stamp: float = 0.0

    def take(self, now: float) -> bool:
        """Take a token; return False if the bucket is empty. `now` is in seconds."""
        full = max(1.0, self.rate)
        if self.tokens < 0:
            self.tokens, self.stamp = full, now
        self.tokens = min(full, self.tokens + (now - self.stamp) * self.rate)
        self.stamp = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(slots=True)
class HostLimits:
    """The limits of some hosts; the others have none."""

    buckets: dict[str, Bucket] = field(default_factory=dict)
    retry_after: bool = True

    @classmethod
    def parse(cls, specs: Iterable[str], *, retry_after: bool = True) -> HostLimits:
        """Read specs such as "i.imgur.com=20" (requests a second). Raises `InputError`."""
        buckets: dict[str, Bucket] = {}
        for spec in " ".join(specs).split():
            host, _, rate = spec.rpartition("=")
            try:
                buckets[host] = Bucket(float(rate))
            except ValueError:
                raise InputError(f"host limit {spec!r} is not HOST=RATE: write i.imgur.com=20") from None
            if not host or not 0 < buckets[host].rate < float("inf"):
                raise InputError(f"host limit {spec!r} needs a host and a positive rate: i.imgur.com=20")
        return cls(buckets, retry_after)

    def allows(self, host: str) -> bool:
        """Return whether a request to this host is allowed now; if so, count it."""
        bucket = self.buckets.get(host)
        return bucket is None or bucket.take(time.monotonic())

    def headers(self) -> dict[str, str]:
        """Return the headers of the refusal."""
        return {"Retry-After": "1"} if self.retry_after else {}
