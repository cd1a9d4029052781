"""The lines of a file, packed or not, in bounded memory whatever the file unpacks to.

`.zst` files are packed with a window of up to 2 GB (`--long=31`) and may have several frames, as `.gz` and
`.xz` files may. Lines are split as bytes, because a chunk may end inside a character. A file that ends inside
a frame is an error with the offset.
"""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import zstandard

from affectory.core.errors import InputError

#: Bytes that are read or unpacked at once.
CHUNK = 1 << 20

#: Packed bytes that are given to zstd at once. Four of them may unpack to 128 kB, so these to 64 MB at most.
ZSTD_PIECE = 1 << 11

#: Bytes of a line that is kept; the longest submissions have about a megabyte.
LONGEST = 1 << 24

#: Suffixes of files that aren't packed.
PLAIN = (".jsonl", ".ndjson", ".json")

# Some editors and Windows programs begin a file with it.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"[ \t\r\n]+")


class TruncatedDump(InputError):
    """A packed file that ends inside a frame."""


def lines(path: Path, *, longest: int = LONGEST) -> Iterator[tuple[int, bytes | None]]:
    """Yield the number and the bytes of each line, None for a longer one; blank lines are left out.

    Raises `TruncatedDump`, or `InputError` for a file without lines or of another format.
    """
    kind = path.suffix.lower()
    if kind == ".zst":
        chunks = _zstd(path)
    elif kind in (".gz", ".xz"):
        chunks = _packed(path, kind)
    elif kind in PLAIN:
        chunks = _plain(path)
    else:
        raise InputError(
            f"{str(path)!r} has the suffix {path.suffix!r}, not .zst, .gz, .xz, {', '.join(PLAIN)}: "
            "rename it by its format"
        )
    is_empty = True
    for number, line in _split(chunks, longest):
        if number == 1 and line is not None:
            line = line.removeprefix(_BYTE_ORDER_MARK)
            if not line.strip():
                continue
        is_empty = False
        yield number, line
    if is_empty:
        raise InputError(f"{str(path)!r} is empty: download it again, or leave it out")


def _split(chunks: Iterator[bytes], longest: int) -> Iterator[tuple[int, bytes | None]]:
    number, held, too_long = 1, bytearray(), False
    for chunk in chunks:
        at = 0
        while at < len(chunk):
            if not held and not too_long and chunk[at] in b" \t\r\n":
                blank = _BLANK.match(chunk, at)
                assert blank is not None
                number += chunk.count(b"\n", at, blank.end())
                at = blank.end()
                continue
            end = chunk.find(b"\n", at)
            part = chunk[at:end] if end >= 0 else chunk[at:]
            too_long = too_long or len(held) + len(part) > longest
            if too_long:
                held.clear()
            if end < 0:
                held += b"" if too_long else part
                break
            yield number, None if too_long else bytes(held) + part if held else part
            held.clear()
            number, too_long, at = number + 1, False, end + 1
    if held or too_long:
        yield number, None if too_long else bytes(held)


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _packed(path: Path, kind: str) -> Iterator[bytes]:
    """Yield the content of a `.gz` or `.xz` file."""
    with path.open("rb") as file:
        unpacked = 0
        try:
            with gzip.open(file) if kind == ".gz" else lzma.open(file) as packed:
                while chunk := packed.read(CHUNK):
                    unpacked += len(chunk)
                    yield chunk
        except EOFError:
            if file.seek(0, 2):  # an empty file has no lines, which the caller reports
                raise _truncated(path, kind, file.tell(), unpacked) from None
        except (gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
            raise _invalid(path, kind, error, file.tell()) from None


def _zstd(path: Path) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=2**31)
    unpacked = 0
    with path.open("rb", buffering=CHUNK) as file:
        frame = decompressor.decompressobj()
        at_start = True
        while piece := file.read(ZSTD_PIECE):
            while piece:
                try:
                    chunk = frame.decompress(piece)
                except zstandard.ZstdError as error:
                    raise _invalid(path, ".zst", error, file.tell() - len(piece)) from None
                at_start = False
                unpacked += len(chunk)
                yield chunk
                piece = frame.unused_data
                if frame.eof:  # another frame may follow
                    frame, at_start = decompressor.decompressobj(), True
        if not at_start:
            raise _truncated(path, ".zst", file.tell(), unpacked)


def _truncated(path: Path, kind: str, size: int, unpacked: int) -> TruncatedDump:
    return TruncatedDump(
        f"{str(path)!r} is truncated: the {kind} file ends inside a frame at byte {size:,} "
        f"({unpacked:,} unpacked); download it again"
    )


def _invalid(path: Path, kind: str, error: Exception, near: int) -> InputError:
    return InputError(
        f"{str(path)!r} is not a valid {kind} file: {error}, near byte {near:,}; download it again"
    )
