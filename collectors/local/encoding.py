"""The encoding of a text file: named by the user, or detected."""

from __future__ import annotations

import codecs
from pathlib import Path

from affectory.core.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with UTF-16's mark, so it comes first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

#: Bytes that are decoded at once.
CHUNK = 1 << 20


def encoding_of(path: Path, named: str | None) -> str:
    """Return the encoding of a file, after decoding all of it.

    It is that of the byte-order mark, else the one `named`, else UTF-8, else GB18030 if all characters are in
    GB2312: most Western text is valid GB18030, too, as rare Chinese characters. Raises `InputError` with the
    encodings that were tried.
    """
    with path.open("rb") as file:
        marked = _marked(file.read(4), named)
    if marked or named:
        encoding = marked or named or ""
        if (fault := _fault(path, encoding)) is not None:
            raise InputError(f"{str(path)!r} is not {encoding} text: {fault}; name another with encoding")
        return encoding
    faults = {name: _fault(path, name) for name in ("utf-8", "gb2312")}
    if faults["utf-8"] is None:
        return "utf-8"
    if faults["gb2312"] is None:
        return "gb18030"
    raise InputError(
        f"{str(path)!r} is neither utf-8 ({faults['utf-8']}) nor gb18030 text ({faults['gb2312']}): "
        'name its encoding in [source.local], for example encoding = "cp1252"'
    )


def text_of(data: bytes, named: str | None) -> tuple[str, str]:
    """Return the text of a small file, and its encoding.

    That is the one of the byte-order mark, else UTF-8, else the one `named`, or GB18030 without one, if all
    characters are in GB2312. Raises `UnicodeError`. Files that are not UTF-8 may lie among others that are.
    """
    if (marked := _marked(data[:4], named)) is not None:
        return data.decode(marked), marked
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        if named is not None:
            return data.decode(named), named
        try:
            data.decode("gb2312")
        except UnicodeDecodeError:
            raise error from None
        return data.decode("gb18030"), "gb18030"


def _marked(head: bytes, named: str | None) -> str | None:
    """Return the encoding that a file's first bytes mark, if they do."""
    marks = [name for mark, name in _MARKS if head.startswith(mark)]
    # A UTF-16 file that begins with NUL also has UTF-32's mark: if both fit, the one that was named.
    return named if named in marks else next(iter(marks), None)


def _fault(path: Path, encoding: str) -> str | None:
    """Return why a file can't be decoded, or None if it can."""
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
            except UnicodeError as error:  # UTF-16 without a byte-order mark
                return str(error)
            if not chunk:
                return None
            before += len(chunk)
