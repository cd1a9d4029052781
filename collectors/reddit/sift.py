"""Dumps, sifted: lines of the subreddits that were asked for, those that can't be read, a count of the rest.

`batches` reads a file in this process. `sift` reads it in another one, or on another machine, for
`affectory.core.engine`: what it found is in a file, from which `Sifted.batches` yields the same again.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import msgspec

from affectory.core.errors import InputError
from collectors.reddit.decoder import REFUSALS
from collectors.reddit.json_lines import WHITE, blocks

#: Bytes that are read at once for a checksum.
CHUNK = 1 << 20

#: Bytes of lines, and lines at all, after which what was found is written.
_BYTES, _LINES = 1 << 20, 200_000


class Glance(msgspec.Struct, gc=False):
    """The field by which most lines are skipped: the rest of the line is checked, but not kept."""

    subreddit: str | None = None


_glance = msgspec.json.Decoder(Glance).decode


@dataclass(slots=True)
class Batch:
    """Some lines of a dump: their number, how many of them are submissions of other subreddits, and the rest.

    `rest` has each line's number, and None for a line that is too long.
    """

    lines: int = 0
    skipped: int = 0
    rest: list[tuple[int, bytes | None]] = field(default_factory=list)

    def add(self, other: Batch) -> None:
        """Add the lines that follow."""
        self.lines += other.lines
        self.skipped += other.skipped
        self.rest += other.rest


def batches(path: Path, subs: Collection[str], longest: int) -> Iterator[Batch]:
    """Yield a file's lines, some hundreds at once. Raises `InputError` for a file that can't be read."""
    wanted = frozenset(subs)
    for first, lines in blocks(path, longest=longest):
        batch = Batch(len(lines))
        for number, line in enumerate(lines, first):
            try:
                name = _glance(line or b"").subreddit
            except REFUSALS:
                name = None  # the reader of `rest` says why
            if name and name.lower() not in wanted:
                batch.skipped += 1
            elif line is None or (line := line.strip(WHITE)):
                batch.rest.append((number, line))
        yield batch


@dataclass(frozen=True, slots=True)
class Sifted:
    """What `sift` has found in a dump. `error`: why the file couldn't be read to its end."""

    found: Path
    sha256: str
    error: InputError | None

    def batches(self) -> Iterator[Batch]:
        """Yield what `sift` has found, then delete it. Raises the error that reading the dump has raised."""
        with self.found.open("rb") as file:
            while file.peek(1):
                yield pickle.load(file)
        self.found.unlink()
        if self.error:
            raise self.error


def sift(path: Path, subs: Collection[str], longest: int, folder: Path) -> Sifted:
    """Read a dump and write to a file in `folder` what `batches` yields, in larger batches."""
    temporary = folder / f"{uuid4().hex}.part"
    error = None
    with temporary.open("wb") as file:
        batch, size = Batch(), 0
        try:
            for one in batches(path, subs, longest):
                batch.add(one)
                size += sum(len(line or b"") for _, line in one.rest)
                if size > _BYTES or batch.lines > _LINES:
                    pickle.dump(batch, file)
                    batch, size = Batch(), 0
        except InputError as raised:
            error = raised
        pickle.dump(batch, file)
    found = temporary.with_suffix("")
    temporary.rename(found)  # whole: a cluster may read a dump twice
    return Sifted(found, checksum(path), error)


def checksum(path: Path) -> str:
    """Return a file's sha256, as published beside dumps."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
    return sha256.hexdigest()
