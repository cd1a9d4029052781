"""Files of results with a schema number: `results.json` and `missing.json`."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from affectory.core import files
from affectory.core.errors import BaselineError

T = TypeVar("T", bound=msgspec.Struct)


class _Versioned(msgspec.Struct):
    schema: int = 0


def write(path: Path, content: msgspec.Struct) -> Path:
    """Write a file, whole or not at all."""
    return files.write(path, msgspec.json.format(msgspec.json.encode(content), indent=1))


def read(path: Path, kind: type[T], schema: int) -> T:
    """Read a file. Raises `BaselineError` for a damaged one and for another schema, naming the next step."""
    content = path.read_bytes()
    try:
        found = msgspec.json.decode(content, type=_Versioned).schema
        if found == schema:
            return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise BaselineError(
            f"{str(path)!r} can't be read ({error}): repeat the command that wrote it"
        ) from None
    raise BaselineError(
        f"{str(path)!r} has schema {found}, and this program reads {schema}: repeat the command that wrote it"
    )
