"""Source `dump`: files of raw submissions, one JSON object per line, as archives publish them."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from affectory.core.engine.engine import Engine
from affectory.core.errors import InputError
from affectory.core.files import writable
from collectors.crawl.source import Failure, Page, Unusable
from collectors.reddit.decoder import UnreadableJson, decode
from collectors.reddit.json_lines import LONGEST
from collectors.reddit.post import parse_post
from collectors.reddit.sift import Batch, Glance, batches, checksum, sift
from collectors.reddit.sources import Asked
from collectors.store.record import Post, Rejection

#: `observed_from` of a dump's posts.
DUMP = "dump"

#: Why a line is no submission at all.
_NONE = ("unreadable_line", "no_community")

#: Posts per page, and lines after which a page is yielded in any case.
PAGE_POSTS, PAGE_LINES = 500, 200_000

#: Bytes of files above which several processes read several of them.
WORTHWHILE = 1 << 24

#: The beginning of the name of a folder in the store, for what other processes find in dumps.
SCRATCH = ".sifted-"

#: Seconds after which Ctrl-C and the image stage have their turn.
TURN = 0.05


def make(asked: Asked) -> Dump:
    """Return the source, which reads `asked.files`."""
    plan = asked.plan
    apart = asked.engine.name == "ray" or (plan.processes > 1 and _is_long(asked.files))
    engine = partial(_engine, asked) if apart else None
    return Dump(asked.files, plan.communities, asked.key, asked.scope, asked.note_dumps, plan.folder, engine)


def _is_long(paths: Sequence[Path]) -> bool:
    """Return whether there are several files, and reading them takes longer than starting processes."""
    return len(paths) > 1 and sum(path.stat().st_size for path in paths) > WORTHWHILE


def _engine(asked: Asked, scratch: Path) -> Engine:
    """Return an engine that reads the files and writes to a folder."""
    packages = {name: version(name) for name in ("affectory", "msgspec", "zstandard")}
    folders = [scratch, *{path.parent for path in asked.files}]
    workers = min(asked.plan.processes, len(asked.files))
    return asked.engine.start(workers, preload=["collectors.reddit.sift"], folders=folders, packages=packages)


@dataclass(slots=True)
class Dump:
    """Read the posts of `subs` from dump files, in one pass for all subreddits.

    `note_dumps` gets the name and the sha256 of each file, with each community that it has posts of. Without
    an `engine`, the files are read in this process; one gets a folder in `store` for what it finds. Lines of
    more than `longest` bytes are rejected.
    """

    paths: Sequence[Path]
    subs: Sequence[str]
    key: bytes
    scope: str
    note_dumps: Callable[[Iterable[tuple[str, str, str]]], None]
    store: Path = Path()
    engine: Callable[[Path], Engine] | None = None
    longest: int = LONGEST

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Yield the posts in the files' order; each community's last page comes after the last file.

        Raises `InputError` for a file of which no line is a submission.
        """
        gathered = {sub: _Gathered() for sub in self.subs}
        others = Counter[str]()
        read: dict[Path, set[str]] = {path: set() for path in self.paths}
        sums: dict[Path, str] = {}
        unusable = Unusable()
        count, turn = 0, time.monotonic()
        async with aclosing(self._files(sums)) as files:
            async for path, found in files:
                is_dump, odd = False, ""
                for batch in found:
                    if batch.skipped:
                        others["other_subreddit"] += batch.skipped
                        is_dump = True
                    for number, line in batch.rest:
                        sub, one = self._read(line, f"{path.name}, line {number}")
                        if isinstance(one, Rejection) and one.reason in _NONE:
                            odd = odd or one.detail.removeprefix(f"{path.name}, ")
                        else:
                            is_dump = True
                        if sub is None:
                            assert isinstance(one, Rejection)
                            others[one.reason] += 1
                        else:
                            gathered[sub].add(one)
                            if isinstance(one, Post):
                                read[path].add(sub)
                            else:
                                unusable.add(one)
                    count += batch.lines
                    if count >= PAGE_LINES or any(len(one.posts) >= PAGE_POSTS for one in gathered.values()):
                        count = 0
                        for name in gathered:
                            yield gathered[name].page(name, self._walk(name))
                    if time.monotonic() - turn > TURN:
                        await asyncio.sleep(0)
                        turn = time.monotonic()
                if not is_dump:
                    raise InputError(
                        f"{str(path)!r} holds no submission ({odd}): a dump has one JSON object a line, with "
                        "its subreddit; `jq -c '.[]'` makes it of an array"
                    )
        if not others and not any(read.values()):
            raise InputError(f"no line can be used: {unusable}")
        for position, sub in enumerate(self.subs):
            if position == 0:
                gathered[sub].skipped += others
            yield gathered[sub].page(sub, self._walk(sub), last=True)
        for path, subs in read.items():
            if path not in sums:
                sums[path] = await asyncio.to_thread(checksum, path)
            sha256 = sums[path]
            self.note_dumps([(path.name, sha256, sub) for sub in sorted(subs)])
            yield Page(self.subs[0], None, notes=[f"{path.name} has sha256 {sha256}"])

    async def _files(self, sums: dict[Path, str]) -> AsyncGenerator[tuple[Path, Iterator[Batch]], None]:
        """Yield each file with its lines. Fills `sums` with the checksums that the engine has computed."""
        if self.engine is None:
            for path in self.paths:
                yield path, batches(path, self.subs, self.longest)
            return
        found_in = writable(self.store, "what the dumps hold")
        with found_in, _scratch(self.store) as scratch, self.engine(scratch) as engine:
            results = engine.map(sift, self.paths, self.subs, self.longest, scratch)
            for path in self.paths:
                found = await asyncio.to_thread(next, results)
                sums[path] = found.sha256
                yield path, found.batches()

    def _walk(self, sub: str) -> str:
        return f"dump:{sub}:{self.scope}"

    def _read(self, line: bytes | None, where: str) -> tuple[str | None, Post | Rejection]:
        """Return the line's community, None for one that has none or wasn't asked for, and its post."""
        if line is None:
            return self.subs[0], Rejection("unreadable_line", f"{where}: longer than {self.longest:,} bytes")
        try:
            name = (decode(line, Glance).subreddit or "").lower()
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


@contextmanager
def _scratch(store: Path) -> Iterator[Path]:
    """Yield a folder in the store for what `sift` finds, and delete those that killed runs have left."""
    for left in store.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=store) as scratch:
        yield Path(scratch)


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
