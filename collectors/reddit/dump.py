"""Source `dump`: files of raw submissions, one JSON object per line, as archives publish them."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from affectory.core.errors import InputError
from collectors.crawl.source import Failure, Page, Unusable
from collectors.reddit.decoder import REFUSALS, UnreadableJson, decode
from collectors.reddit.json_lines import LONGEST, WHITE, blocks
from collectors.reddit.post import parse_post
from collectors.reddit.sources import Asked
from collectors.store.record import Post, Rejection

#: `observed_from` of a dump's posts.
DUMP = "dump"

#: Bytes that are read at once for a checksum.
CHUNK = 1 << 20

#: Why a line is no submission at all.
_NONE = ("unreadable_line", "no_community")

#: Posts per page, and lines after which a page is yielded in any case.
PAGE_POSTS, PAGE_LINES = 500, 200_000

#: Seconds after which Ctrl-C and the image stage have their turn.
TURN = 0.05


class _Glance(msgspec.Struct, gc=False):
    """The field by which most lines are skipped: the rest of the line is checked, but not kept."""

    subreddit: str | None = None


_glance = msgspec.json.Decoder(_Glance).decode


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
    return Dump(asked.files, asked.plan.communities, asked.key, asked.scope, asked.note_dumps)


@dataclass(slots=True)
class Dump:
    """Read the posts of `subs` from dump files, in one pass for all subreddits.

    Lines of more than `longest` bytes are rejected. `note_dumps` gets the name and the sha256 of each file,
    with each community that it has posts of.
    """

    paths: Sequence[Path]
    subs: Sequence[str]
    key: bytes
    scope: str
    note_dumps: Callable[[Iterable[tuple[str, str, str]]], None]
    longest: int = LONGEST

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Yield the posts in the files' order; each community's last page comes after the last file.

        Raises `InputError` for a file of which no line is a submission.
        """
        gathered = {sub: _Gathered() for sub in self.subs}
        others = Counter[str]()
        read: dict[Path, set[str]] = {path: set() for path in self.paths}
        unusable = Unusable()
        count, turn = 0, time.monotonic()
        for path in self.paths:
            is_dump, odd = False, ""
            for first, lines in blocks(path, longest=self.longest):
                skipped, rest = self._without_others(first, lines)
                if skipped:
                    others["other_subreddit"] += skipped
                    is_dump = True
                for number, line in rest:
                    sub, found = self._read(line, f"{path.name}, line {number}")
                    if isinstance(found, Rejection) and found.reason in _NONE:
                        odd = odd or found.detail.removeprefix(f"{path.name}, ")
                    else:
                        is_dump = True
                    if sub is None:
                        assert isinstance(found, Rejection)
                        others[found.reason] += 1
                    else:
                        gathered[sub].add(found)
                        if isinstance(found, Post):
                            read[path].add(sub)
                        else:
                            unusable.add(found)
                count += len(lines)
                if count >= PAGE_LINES or any(len(one.posts) >= PAGE_POSTS for one in gathered.values()):
                    count = 0
                    for name in gathered:
                        yield gathered[name].page(name, self._walk(name))
                if time.monotonic() - turn > TURN:
                    await asyncio.sleep(0)
                    turn = time.monotonic()
            if not is_dump:
                raise InputError(
                    f"{str(path)!r} holds no submission ({odd}): a dump has one JSON object a line, with its "
                    "subreddit; `jq -c '.[]'` makes it of an array"
                )
        if not others and not any(read.values()):
            raise InputError(f"no line can be used: {unusable}")
        for position, sub in enumerate(self.subs):
            if position == 0:
                gathered[sub].skipped += others
            yield gathered[sub].page(sub, self._walk(sub), last=True)
        for path, subs in read.items():
            sha256 = await checksum(path)
            self.note_dumps((path.name, sha256, sub) for sub in sorted(subs))
            yield Page(self.subs[0], None, notes=[f"{path.name} has sha256 {sha256}"])

    def _walk(self, sub: str) -> str:
        return f"dump:{sub}:{self.scope}"

    def _without_others(
        self, first: int, lines: Sequence[bytes | None]
    ) -> tuple[int, list[tuple[int, bytes | None]]]:
        """Return how many lines are submissions of other subreddits, and the rest with their numbers."""
        wanted, skipped = frozenset(self.subs), 0
        rest: list[tuple[int, bytes | None]] = []
        for number, line in enumerate(lines, first):
            try:
                name = _glance(line or b"").subreddit
            except REFUSALS:
                name = None  # `_read` says why
            if name and name.lower() not in wanted:
                skipped += 1
            elif line is None or (line := line.strip(WHITE)):
                rest.append((number, line))
        return skipped, rest

    def _read(self, line: bytes | None, where: str) -> tuple[str | None, Post | Rejection]:
        """Return the line's community, None for one that has none or wasn't asked for, and its post."""
        if line is None:
            return self.subs[0], Rejection("unreadable_line", f"{where}: longer than {self.longest:,} bytes")
        try:
            name = (decode(line, _Glance).subreddit or "").lower()
            if not name:
                return None, Rejection("no_community", f"{where}: no subreddit")
            if name not in self.subs:
                return None, Rejection("other_subreddit")
            found = decode(line)
        except UnreadableJson as error:
            return self.subs[0], Rejection("unreadable_line", f"{where}: {error}"[:200])
        post = parse_post(
            found, key=self.key, collected_at=int(time.time()), escaped=True, observed_from=DUMP
        )
        if isinstance(post, Rejection):
            post = Rejection(post.reason, f"{where}: {post.detail}".removesuffix(": "))
        return name, post


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
