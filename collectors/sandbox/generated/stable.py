"""Random numbers that depend on a key only.

Everything in the sandbox is drawn from a hash of its key ("title", seed, index), never from `hash()` (salted
in each process) or from a shared generator (whose state depends on earlier draws). So post 17 is the same on
every machine, in whatever order posts are generated.
"""

from __future__ import annotations

import hashlib
import random


def number(*parts: object) -> int:
    """Return a random integer below 2**64 that depends on `parts` only."""
    name = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")


def unit(*parts: object) -> float:
    """Return a random float in [0, 1) that depends on `parts` only."""
    return (number(*parts) >> 11) / (1 << 53)


def stream(*parts: object) -> random.Random:
    """Return a random generator whose seed depends on `parts` only."""
    return random.Random(number(*parts))


def word(alphabet: str, length: int, *parts: object) -> str:
    """Return `length` random characters of `alphabet`, as in imgur's "x05uPhi"."""
    rng = stream(*parts)
    return "".join(rng.choices(alphabet, k=length))
