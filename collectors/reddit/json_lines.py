"""The lines of a file, packed or not, in bounded memory whatever the file unpacks to.

`.zst` files are packed with a window of up to 2 GB (`--long=31`) and may have several frames, as `.gz` and
`.xz` files may. Lines are split as bytes, because a chunk may end inside a character. A file that ends inside
a frame is an error with the offset.
"""

from __future__ import annotations

import gzip
import io
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

#: Bytes of lines that are yielded at once: little enough to stay in a core's cache.
BLOCK = 1 << 18

#: Bytes of a line that is kept; the longest submissions have about a megabyte.
LONGEST = 1 << 24

#: Suffixes of files that aren't packed.
PLAIN = (".jsonl", ".ndjson", ".json")

#: What a blank line consists of.
WHITE = b" \t\r\n"

# Some editors and Windows programs begin a file with it.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"[ \t\r\n]*")


class TruncatedDump(InputError):
    """A packed file that ends inside a frame."""


def blocks(path: Path, *, longest: int = LONGEST) -> Iterator[tuple[int, list[bytes | None]]]:
    """Yield a file's lines with their ends, many at once, and the number of the first of them.

    Lines may be blank; None stands for one of more than `longest` bytes.

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
    first, is_empty = 1, True
    for data in _whole_lines(_pieces(chunks), longest):
        if data is None:
            lines: list[bytes | None] = [None]
        else:
            text = data.removeprefix(_BYTE_ORDER_MARK) if first == 1 else data
            if _BLANK.fullmatch(text):  # a million of them cost nothing
                first += text.count(b"\n")
                continue
            lines = list(io.BytesIO(text))  # four times as fast as split
            if len(text) > longest:
                lines = [line if line and len(line.rstrip(WHITE)) <= longest else None for line in lines]
        is_empty = False
        yield first, lines
        first += len(lines)
    if is_empty:
        raise InputError(f"{str(path)!r} is empty: download it again, or leave it out")


def _whole_lines(pieces: Iterator[bytes], longest: int) -> Iterator[bytes | None]:
    """Yield whole lines, `BLOCK` bytes or more at once, and None for a line that becomes too long."""
    held: list[bytes] = []
    size, too_long = 0, False
    last, end = -1, 0  # where in `held` the last line ends: the piece, and the offset in it
    for piece in pieces:
        if too_long:
            if not (start := piece.find(b"\n") + 1):
                continue
            yield None
            piece, too_long = piece[start:], False
        held.append(piece)
        size += len(piece)
        if ended := piece.rfind(b"\n") + 1:
            last, end = len(held) - 1, ended
        if size >= BLOCK and last >= 0:
            yield b"".join([*held[:last], held[last][:end]])
            held = [held[last][end:], *held[last + 1 :]]
            size, last = sum(map(len, held)), -1
        if size > longest and last < 0:
            held, size, too_long = [], 0, True
    if held:
        yield b"".join(held)
    if too_long:
        yield None


def _pieces(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield chunks in pieces of at most `BLOCK` bytes."""
    for chunk in chunks:
        for start in range(0, len(chunk), BLOCK):
            yield chunk[start : start + BLOCK]


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
