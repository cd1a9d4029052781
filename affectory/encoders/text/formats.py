"""Files of word vectors: GloVe, word2vec (text and binary) and fastText, read block by block."""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affectory.core.errors import BaselineError

#: Vectors that are parsed at once.
BLOCK = 1024


class Block(NamedTuple):
    """Some words, UTF-8, their vectors, float32[k, d], and how far the file is read, in bytes."""

    words: list[bytes]
    rows: NDArray[np.float32]
    read: int


def blocks(path: Path) -> Iterator[Block]:
    """Yield the words and vectors of a file, in its order.

    Raises `BaselineError`, naming the line or the row, for a file of another format.
    """
    try:
        with path.open("rb") as file:
            header = file.readline(64).split()
            after = file.tell()
            counts = [int(part) for part in header] if all(part.isdigit() for part in header) else []
            if len(counts) == 2 and _binary(file.read(1 << 16)):
                yield from _binary_blocks(path, after, *counts)
                return
        found = False
        for block in _text_blocks(path):
            found = True
            yield block
    except OSError as error:
        raise BaselineError(f"the vectors {str(path)!r} can't be read: {error.strerror}") from None
    if not found:
        raise BaselineError(f"{str(path)!r} holds no vectors")


def _binary(start: bytes) -> bool:
    """Return whether what follows the first word and its space isn't a number in digits."""
    values = start.partition(b" ")[2].split(maxsplit=1)
    try:
        return bool(values) and not math.isfinite(float(values[0]))
    except ValueError:
        return True


def _binary_blocks(path: Path, start: int, rows: int, width: int) -> Iterator[Block]:
    """Yield word2vec's binary format: a word, a space, `width` float32s, at times a line break."""
    size = 4 * width
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = start
        for first in range(0, rows, BLOCK):
            words, values = [], []
            for row in range(first, min(first + BLOCK, rows)):
                space = data.find(b" ", at)
                if space < 0 or space + 1 + size > len(data):
                    raise BaselineError(
                        f"{str(path)!r} ends in vector {row + 1:,} of {rows:,}: it is cut off; fetch it again"
                    )
                words.append(_utf8(data[at:space].lstrip(b"\n")))
                at = space + 1 + size
                values.append(data[space + 1 : at])
            yield Block(words, np.frombuffer(b"".join(values), "<f4").reshape(len(words), width), at)


def _text_blocks(path: Path) -> Iterator[Block]:
    width = read = number = 0
    stated: int | None = None
    lines: list[bytes] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            read += len(line)
            line = line.rstrip()
            if number == 1 and _is_header(line):
                stated = int(line.split(b" ")[1])
                continue
            spaces = line.count(b" ")
            width = width or spaces
            if stated not in (None, width):
                raise BaselineError(
                    f"{str(path)!r}: its first line states a width of {stated}, and line {number} has "
                    f"{spaces} values: remove that first line, or fetch the file again"
                )
            if spaces != width or not width:
                word = _utf8(line.partition(b" ")[0]).decode()
                raise BaselineError(
                    f"{str(path)!r}, line {number}: {spaces} values after {word[:40]!r}, and {width} in the "
                    "lines before; every line is a word and its vector, spaces between"
                )
            lines.append(line)
            if len(lines) == BLOCK:
                yield _parsed(path, number, lines, width, read)
                lines = []
    if lines:
        yield _parsed(path, number, lines, width, read)


def _is_header(line: bytes) -> bool:
    parts = line.split(b" ")
    return len(line) < 64 and len(parts) == 2 and all(part.isdigit() for part in parts)


def _parsed(path: Path, last: int, lines: Sequence[bytes], width: int, read: int) -> Block:
    """Parse lines, of which the last has the number `last`."""
    parts = [line.partition(b" ") for line in lines]
    words = [_utf8(word) for word, _, _ in parts]
    try:
        rows = np.fromstring(b" ".join(values for _, _, values in parts), np.float32, sep=" ")
        if rows.size != width * len(lines):
            raise ValueError
    except (ValueError, DeprecationWarning):  # line by line, to name the one that is wrong
        rows = np.empty((len(lines), width), np.float32)
        for row, (_, _, values) in enumerate(parts):
            try:
                rows[row] = np.array(values.decode("utf-8", "replace").split(" "), np.float32)
            except ValueError as error:
                number = last - len(lines) + 1 + row
                raise BaselineError(f"{str(path)!r}, line {number}: {str(error)!r}; no word vector") from None
    return Block(words, rows.reshape(len(lines), width), read)


def _utf8(word: bytes) -> bytes:
    """Return the word with what isn't UTF-8 replaced, as texts are read."""
    try:
        word.decode()
    except UnicodeDecodeError:
        return word.decode("utf-8", "replace").encode()
    return word
