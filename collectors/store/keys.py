"""The file `author.key`: the key that hashes authors' names, complete on the disk before it is used."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

NAME = "author.key"

#: The key's length.
BYTES = 32


def read_key(folder: Path) -> tuple[bytes, str]:
    """Return the key of the store in `folder`, and what is wrong with it: "" if nothing is."""
    path = folder / NAME
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return b"", f"{str(path)!r} is missing"
    return key, "" if len(key) == BYTES else f"{str(path)!r} has {len(key):,} bytes, not {BYTES}"


def make_key(folder: Path, key: bytes | None = None) -> bytes:
    """Write a key, by default a random one, readable by its owner alone. It survives a power cut."""
    key, new = key or secrets.token_bytes(BYTES), folder / f"{NAME}.{os.getpid()}"
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        new.replace(folder / NAME)
    finally:
        new.unlink(missing_ok=True)
    named = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(named)  # the file's name
    finally:
        os.close(named)
    return key
