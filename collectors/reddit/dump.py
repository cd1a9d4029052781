"""Source `dump`: `.zst` files of raw submissions, one JSON object per line, as archives publish them.

Files are compressed with a window of up to 2 GB (`--long=31`) and may have several frames. Lines are split
as bytes, because a chunk may end inside a character. A file that ends inside a frame is an error with the
offset.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from affectory.core.errors import InputError
from collectors.crawl.source import Failure, Page
from collectors.reddit.post import parse_post
from collectors.reddit.sources import Asked
from collectors.store.record import Post, Rejection

#: `observed_from` of a dump's posts.
DUMP = "dump"

#: Bytes that are read from the file at once.
CHUNK = 1 << 20

#: Posts per page, and lines after which a page is yielded in any case.
PAGE_POSTS, PAGE_LINES = 500, 200_000


class TruncatedDump(InputError):
    """A dump that ends inside a frame."""


class _Glance(msgspec.Struct):
    """The field by which most lines are skipped without parsing the rest."""

    subreddit: str | None = None


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a `.zst` file. Raises `TruncatedDump`, or `InputError` for another format."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=2**31)
    rest, unpacked = b"", 0
    with path.open("rb") as file:
        frame = decompressor.decompressobj()
        at_start = True
        while chunk := file.read(CHUNK):
            while chunk:
                try:
                    data = frame.decompress(chunk)
                except zstandard.ZstdError as error:
                    raise InputError(
                        f"{str(path)!r} is not a valid .zst file: {error}, near byte "
                        f"{file.tell() - len(chunk):,}; download it again"
                    ) from None
                at_start = False
                unpacked += len(data)
                *whole, rest = (rest + data).split(b"\n")
                yield from whole
                chunk = frame.unused_data
                if frame.eof:  # another frame may follow
                    frame, at_start = decompressor.decompressobj(), True
        if not at_start:
            raise TruncatedDump(
                f"{str(path)!r} is truncated: it ends inside a zstd frame at byte {file.tell():,} "
                f"({unpacked:,} unpacked); download it again"
            )
    if rest:
        yield rest


async def checksum(path: Path) -> str:
    """Return a file's sha256, as published beside dumps; other tasks run in between."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
            await asyncio.sleep(0)
    return sha256.hexdigest()


def make(asked: Asked) -> Dump:
    """Return the source, which reads `asked.files`."""
    return Dump(asked.files, asked.plan.communities, asked.key, asked.scope)


@dataclass(slots=True)
class Dump:
    """Read the posts of `subs` from dump files, in one pass for all subreddits."""

    paths: Sequence[Path]
    subs: Sequence[str]
    key: bytes
    scope: str
    _pages: dict[str, _Gathered] = field(default_factory=dict)

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Yield the posts in the files' order; each community's last page comes after the last file."""
        gathered = {sub: _Gathered() for sub in self.subs}
        others = 0
        for path in self.paths:
            number = 0
            for number, line in enumerate(lines(path), 1):
                sub, found = self._read(line, path, number)
                if sub is None:
                    others += 1
                else:
                    gathered[sub].add(found)
                if number % PAGE_LINES == 0 or (sub and len(gathered[sub].posts) >= PAGE_POSTS):
                    for name in gathered:
                        yield gathered[name].page(name, self._walk(name))
                    await asyncio.sleep(0)  # for Ctrl-C and the image stage
        for position, sub in enumerate(self.subs):
            gathered[sub].skipped["other_subreddit"] += others if position == 0 else 0
            yield gathered[sub].page(sub, self._walk(sub), last=True)
        for path in self.paths:
            # In the closing summary, which the store's log of runs keeps.
            yield Page(self.subs[0], None, notes=[f"{path.name} has sha256 {await checksum(path)}"])

    def _walk(self, sub: str) -> str:
        return f"dump:{sub}:{self.scope}"

    def _read(self, line: bytes, path: Path, number: int) -> tuple[str | None, Post | Rejection]:
        """Return the line's community, or None for one that wasn't asked for, and its post."""
        try:
            name = (msgspec.json.decode(line, type=_Glance).subreddit or "").lower()
            if name not in self.subs:
                return None, Rejection("other_subreddit")
            found: Any = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            detail = f"{path.name}, line {number}: {error}"
            return self.subs[0], Rejection("unreadable_line", detail[:200])
        return name, parse_post(
            found, key=self.key, collected_at=int(time.time()), escaped=True, observed_from=DUMP
        )


class _Gathered:
    """The rows of one community since its last page."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.rejected: list[Rejection] = []
        self.skipped: Counter[str] = Counter()

    def add(self, found: Post | Rejection) -> None:
        if isinstance(found, Post):
            self.posts.append(found)
        else:
            self.rejected.append(found)

    def page(self, community: str, walk: str, *, last: bool = False) -> Page:
        page = Page(
            community, walk, self.posts, self.rejected, self.skipped, cursor=None, last=last, ranked=True
        )
        self.__init__()  # type: ignore[misc]
        return page
