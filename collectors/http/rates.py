"""How fast a host is asked, as it is known before the first request. Importing this is cheap."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """The rate of requests to a host: `rate` a second at first, `max_rate` at most, `at_once` in parallel.

    If the host asks for a pause of more than `patience` seconds, its remaining addresses are left to a rerun.
    """

    rate: float = 10.0
    max_rate: float = 30.0
    at_once: int = 8
    patience: float = 120.0
