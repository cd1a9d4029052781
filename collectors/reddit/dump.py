"""Source `dump`: `.zst` files of raw submissions, one JSON object a line, as the archives publish them.

Files are compressed with a window of up to 2 GB (`--long=31`) and may hold several frames. Lines are
split on bytes, for a chunk's edge may cut a character in two; a file that ends within a frame or
a line is an error that names the offset, never a silent end.
"""

from __future__ import annotations

import asyncio
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
from collectors.store.record import Post, Rejection

#: Bytes read from the file, and unpacked, at once.
CHUNK = 1 << 20

#: Posts in a page, and lines after which a page is given whatever it holds.
PAGE_POSTS, PAGE_LINES = 500, 200_000


class TruncatedDump(InputError):
    """A dump that ends before its end."""


class _Glance(msgspec.Struct):
    """The one field that decides whether a line is read further."""

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
                        f"{str(path)!r} is no sound .zst file: {error}, near byte "
                        f"{file.tell() - len(chunk):,}; download it again"
                    ) from None
                at_start = False
                unpacked += len(data)
                *whole, rest = (rest + data).split(b"\n")
                yield from whole
                chunk = frame.unused_data
                if frame.eof:  # the next frame, if any
                    frame, at_start = decompressor.decompressobj(), True
        if not at_start:
            raise TruncatedDump(
                f"{str(path)!r} is truncated: it ends inside a zstd frame at byte {file.tell():,} "
                f"({unpacked:,} unpacked); download it again"
            )
    if rest:
        yield rest


@dataclass(slots=True)
class Dump:
    """Read the posts of `subs` from dump files, one pass for all subreddits."""

    paths: Sequence[Path]
    subs: Sequence[str]
    key: bytes
    scope: str
    _pages: dict[str, _Gathered] = field(default_factory=dict)

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Give the posts in the files' order; a community's last page comes after the last file."""
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
                    await asyncio.sleep(0)  # let Ctrl-C and the images have their turn
        for position, sub in enumerate(self.subs):
            gathered[sub].skipped["other_subreddit"] += others if position == 0 else 0
            yield gathered[sub].page(sub, self._walk(sub), last=True)

    def _walk(self, sub: str) -> str:
        return f"dump:{sub}:{self.scope}"

    def _read(self, line: bytes, path: Path, number: int) -> tuple[str | None, Post | Rejection]:
        """Return the community a line belongs to, or None for one nobody asked for, and its post."""
        try:
            name = (msgspec.json.decode(line, type=_Glance).subreddit or "").lower()
            if name not in self.subs:
                return None, Rejection("other_subreddit")
            found: Any = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            detail = f"{path.name}, line {number}: {error}"
            return self.subs[0], Rejection("unreadable_line", detail[:200])
        return name, parse_post(found, key=self.key, collected_at=int(time.time()), escaped=True)


class _Gathered:
    """What was read of one community since its last page."""

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
