"""A quota of calls per span of time, kept on disk: it applies across restarts and processes.

    quota = Quota(folder / "flickr.calls", calls=3600, seconds=3600)
    wait = quota.take()          # 0.0: the call may go out now, and counts; else the seconds to wait

The file holds the times of the last `calls` calls. The next call is allowed once the oldest is a whole span
ago, and replaces it: one write of eight bytes, so that a killed process doesn't damage the file.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Quota:
    """At most `calls` in any `seconds`, by the wall clock `now` (Unix seconds)."""

    path: Path
    calls: int
    seconds: float
    now: Callable[[], float] = time.time

    def take(self) -> float:
        """Take a call and return 0.0, or return the seconds until the next call is allowed."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            held = os.pread(descriptor, 8 * self.calls, 0)
            times = array("d", held.ljust(8 * self.calls, b"\0"))
            oldest = min(range(self.calls), key=times.__getitem__)
            now = self.now()
            # If the clock was set back, wait for one span at most.
            wait = min(times[oldest] + self.seconds - now, self.seconds)
            if wait > 0:
                return wait
            os.pwrite(descriptor, struct.pack("=d", now), 8 * oldest)
            return 0.0
        finally:
            os.close(descriptor)
