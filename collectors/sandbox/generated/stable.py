"""Random numbers that depend on nothing but their names.

Everything in the sandbox is drawn from a hash of what it is ("title", seed, index), never from
`hash()` (salted in each process) or from a shared generator (whose state depends on who asked
first). So post 17 is the same post on every machine and in whatever order it is asked for.
"""

from __future__ import annotations

import hashlib
import random


def number(*parts: object) -> int:
    """Return 64 bits that depend on `parts` only."""
    name = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")


def unit(*parts: object) -> float:
    """Return a float in [0, 1) that depends on `parts` only."""
    return (number(*parts) >> 11) / (1 << 53)


def stream(*parts: object) -> random.Random:
    """Return a generator of its own for `parts`."""
    return random.Random(number(*parts))


def word(alphabet: str, length: int, *parts: object) -> str:
    """Return `length` characters of `alphabet`, as in imgur's "x05uPhi"."""
    rng = stream(*parts)
    return "".join(rng.choices(alphabet, k=length))
