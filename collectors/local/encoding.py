"""What a text file is written in: named, or told from its bytes."""

from __future__ import annotations

import codecs
from pathlib import Path

from affectory.core.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does: looked at before it
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

#: Bytes decoded at once.
CHUNK = 1 << 20


def encoding_of(path: Path, named: str | None) -> str:
    """Return the encoding to read a file with, after a look at all of it.

    A byte-order mark decides; else it is the one named; else UTF-8, or GB18030 where every character is
    one of GB2312's: GB18030 alone would take most Western text for rare Chinese characters.
    Raises `InputError` with the encodings that were tried.
    """
    with path.open("rb") as file:
        head = file.read(4)
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if marked or named:
        encoding = marked or named or ""
        if (fault := _fault(path, encoding)) is not None:
            raise InputError(f"{str(path)!r} is no {encoding} text: {fault}; name another with encoding")
        return encoding
    faults = {name: _fault(path, name) for name in ("utf-8", "gb2312")}
    if faults["utf-8"] is None:
        return "utf-8"
    if faults["gb2312"] is None:
        return "gb18030"
    raise InputError(
        f"{str(path)!r} is neither utf-8 ({faults['utf-8']}) nor gb18030 text ({faults['gb2312']}): "
        'name what it is in [source.local], for example encoding = "cp1252"'
    )


def _fault(path: Path, encoding: str) -> str | None:
    """Return what keeps a file from being decoded, or None."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    before = 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK)
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return f"byte {before - held + error.start:,} is 0x{error.object[error.start]:02x}"
            except UnicodeError as error:  # utf-16 without a mark
                return str(error)
            if not chunk:
                return None
            before += len(chunk)
