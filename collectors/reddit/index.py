"""Source `index`: a published list of posts.

A list is either a CSV table with columns `id`, `title`, `url` and `subreddit` (and optionally `ups`,
`created_utc`, `permalink`, `num_comments`, `author`), as Duong et al. 2017 published theirs:

    id,name,url,ups,downs,created_utc,title,permalink,subreddit,num_comments,author,…
    36klm2,t3_36klm2,http://i.imgur.com/dtcm0.jpg,259,0,1432086938.0,r/gore. Not r/shatter.,…,gore,19,…

or any other file with one id or URL per line (`3svmej`, `t3_3svmej`, `reddit:3svmej`,
`https://www.reddit.com/r/creepy/comments/3svmej/…`), whose posts come from Reddit's API or, without
credentials, from the Arctic Shift archive.
"""

from __future__ import annotations

import codecs
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from affectory.core.errors import InputError, SourceError
from affectory.core.numbers import count
from collectors.bounded_lines import TOO_LONG, bounded_lines
from collectors.crawl.shard import ELSEWHERE, Shard
from collectors.crawl.source import Failure, Page, Unusable
from collectors.delimited import cells
from collectors.reddit.api import INFO_IDS, RedditApi
from collectors.reddit.archive import ARCHIVE
from collectors.reddit.arctic_shift import IDS, ArcticShift
from collectors.reddit.post import OAUTH, id_of, parse_post
from collectors.reddit.refresh import not_listed, refresh
from collectors.reddit.sources import Asked
from collectors.store.record import Post, Rejection

#: Columns that a table must have; the others are optional.
NEEDED = ("id", "title", "url", "subreddit")

_ID = re.compile(
    r"(?:https?://\S*?/comments/|https?://redd\.it/|t3_|reddit:)?([0-9a-z]{1,13})(?:[/?#]\S*)?", re.IGNORECASE
)

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
#: What a byte that is not UTF-8 is decoded to.
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")

#: Columns with numbers, and the field of the post that each gives.
NUMBERS = {"ups": "score", "num_comments": "num_comments", "created_utc": "created_at"}

#: What stands in a cell without a value.
_NO_VALUE = ("", "N/A")
#: `observed_from` of a table's rows.
INDEX = "index"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a list: where it stands, and the fields of the submission, at least {"id": …}."""

    where: str
    fields: Mapping[str, Any]

    @property
    def has_only_id(self) -> bool:
        """Whether the list says nothing else of the post."""
        return len(self.fields) == 1


def make(asked: Asked) -> Index:
    """Return the source, which reads `asked.files`."""
    archive = ArcticShift(asked.client)
    plan = asked.plan
    return Index(
        asked.files, plan.communities, asked.key, asked.scope, archive, asked.held, asked.api, plan.shard
    )


@dataclass(slots=True)
class Index:
    """Read the posts of `subs` from published lists.

    With `api`, Reddit is asked for each post; without it, `archive` for those of which a list has only the
    id. `held` returns those of some posts that the store has. Rows of another shard than `shard` are counted.
    """

    paths: Sequence[Path]
    subs: Sequence[str]
    key: bytes
    scope: str
    archive: ArcticShift
    held: Callable[[Sequence[str]], Mapping[str, Post]]
    api: RedditApi | None = None
    shard: Shard = field(default_factory=Shard)
    _unreadable: dict[str, list[str]] = field(default_factory=dict)  # values, by column
    _from_archive: int = 0

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Yield the posts list by list, as many rows at a time as can be asked for at once."""
        self._check_usable()
        size = IDS if self.api is None else INFO_IDS
        elsewhere = 0
        try:
            for path in self.paths:
                batch: list[Row | Rejection] = []
                is_empty = True
                for row in rows(path):
                    is_empty = False
                    if isinstance(row, Row) and not self._is_own(row):
                        elsewhere += 1
                        continue
                    batch.append(row)
                    if len(batch) == size:
                        for page in await self._pages(batch):
                            yield page
                        batch = []
                for page in await self._pages(batch):
                    yield page
                if is_empty:
                    yield Page(self.subs[0], None, notes=[f"{str(path)!r} holds no row"])
        except SourceError as error:  # Reddit's, or the archive's: the next batch would fail, too
            yield Failure(self.subs[0], error)
            return
        for sub in self.subs:
            skipped, notes = Counter[str](), list[str]()
            if sub == self.subs[0]:
                skipped, notes = Counter({ELSEWHERE: elsewhere} if elsewhere else {}), self._notes()
            yield Page(sub, self._walk(sub), skipped=skipped, last=True, ranked=True, notes=notes)
        if self._from_archive:
            asked = count(self._from_archive, "post")
            note = f"{asked} by id from the archive, which may not know of every deletion (no credentials)"
            yield Page(self.subs[0], None, notes=[note])

    def _check_usable(self) -> None:
        """Read each list up to a row that can be used.

        Raises `InputError` for a list of which no row can be, and if all lists are empty.
        """
        are_empty = True
        for path in self.paths:
            unusable = Unusable()
            for row in rows(path):
                made = self._told(row) if isinstance(row, Row) and not row.has_only_id else row
                are_empty = False
                if not isinstance(made, Rejection):
                    break
                unusable.add(made)
            else:
                if unusable.count:
                    raise InputError(f"no row of {str(path)!r} can be used: {unusable}")
        if are_empty:
            names = ", ".join(repr(str(path)) for path in self.paths)
            raise InputError(f"there are no rows in {names}: is it the right file?")

    def _is_own(self, row: Row) -> bool:
        """Return whether a row's post is of the shard; one without a valid id is, and is counted as bad."""
        own_id = id_of(row.fields)
        return isinstance(own_id, Rejection) or self.shard.has(f"reddit:{own_id}")

    def _walk(self, sub: str) -> str:
        return f"index:{sub}:{self.scope}"

    async def _pages(self, batch: Sequence[Row | Rejection]) -> list[Page]:
        """Parse a batch of rows and refresh it if there is an API; return a page for each community."""
        rejected = [row for row in batch if isinstance(row, Rejection)]
        listed = [row for row in batch if isinstance(row, Row)]
        posts, lost = await self._by_ids([row.fields["id"] for row in listed if row.has_only_id])
        rejected += lost
        told: list[Post] = []
        for row in listed:
            if not row.has_only_id:
                post = self._told(row)
                if isinstance(post, Post):
                    self._check_numbers(row.fields, post)
                    told.append(post)
                else:
                    rejected.append(post)
        posts += told if self.api is None else await refresh(self.api, told, self.key)
        return self._by_community(posts, rejected)

    def _told(self, row: Row) -> Post | Rejection:
        """Return the post as a table has it."""
        made = parse_post(row.fields, key=self.key, collected_at=int(time.time()), observed_from=INDEX)
        if isinstance(made, Rejection):
            return Rejection(made.reason, f"{row.where}: {made.detail}".removesuffix(": "))
        return made

    def _check_numbers(self, row: Mapping[str, Any], post: Post) -> None:
        """Note the numbers of a table's row that the post lacks because they can't be read."""
        for column, name in NUMBERS.items():
            value = row.get(column)
            if getattr(post, name) is None and isinstance(value, str) and value.strip() not in _NO_VALUE:
                self._unreadable.setdefault(column, []).append(f"{value[:40]!r} of {post.post_id}")

    def _notes(self) -> list[str]:
        """Return a line for each column with values that can't be read."""
        return [
            f"unreadable {column}: {len(values):,}, the first is {values[0]}; without it the post is kept"
            for column, values in self._unreadable.items()
        ]

    async def _by_ids(self, ids: Sequence[str]) -> tuple[list[Post], list[Rejection]]:
        """Return the posts with these ids, and why others are missing."""
        if self.api is not None:
            answers, seen_by = await self.api.info(ids) if ids else {}, OAUTH
        else:
            answers, seen_by = await self.archive.by_ids(ids), ARCHIVE
        now, escaped = int(time.time()), seen_by == ARCHIVE
        posts: list[Post] = []
        rejected: list[Rejection] = []
        missing: list[str] = []
        for own_id in ids:
            if own_id not in answers:
                missing.append(own_id)
                continue
            post = parse_post(
                answers[own_id], key=self.key, collected_at=now, escaped=escaped, observed_from=seen_by
            )
            if isinstance(post, Post):
                posts.append(post)
            else:
                rejected.append(post)
        self._from_archive += len(posts) if seen_by == ARCHIVE else 0
        # An archive never had some posts; Reddit had all, and no longer returns some that are deleted.
        held = self.held([f"reddit:{own_id}" for own_id in missing]) if self.api is not None else {}
        for own_id in missing:
            if (known := held.get(f"reddit:{own_id}")) is not None:
                posts.append(known if known.removed else not_listed(known, now))
            else:
                rejected.append(Rejection("not_in_archive" if self.api is None else "not_listed", own_id))
        return posts, rejected

    def _by_community(self, posts: Sequence[Post], rejected: Sequence[Rejection]) -> list[Page]:
        pages: list[Page] = []
        for number, sub in enumerate(self.subs):
            own = [post for post in posts if post.community == sub]
            first = number == 0
            others = sum(post.community not in self.subs for post in posts) if first else 0
            skipped = Counter({"other_subreddit": others} if others else {})
            pages.append(Page(sub, self._walk(sub), own, rejected if first else (), skipped, ranked=True))
        return pages


def rows(path: Path) -> Iterator[Row | Rejection]:
    """Yield a list's rows, or why one can't be read.

    Raises `InputError` for a table without the needed columns, and for UTF-16.
    """
    with path.open("rb") as start:
        if start.read(2) in _UTF_16:
            raise InputError(f"{str(path)!r} is UTF-16 text, not UTF-8: convert it")
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        if path.suffix.lower() == ".csv":
            yield from _table(path, file)
            return
        for number, line in enumerate(bounded_lines(file), 1):
            where = f"{path.name}, line {number}"
            if line is None:
                yield Rejection("unreadable_line", f"{where}: {TOO_LONG}")
            elif (found := _ID.fullmatch(line.strip())) is not None:
                yield Row(where, {"id": found[1].lower()})
            elif line.strip() and not line.startswith("#"):
                yield _undecoded(line, where) or Rejection("no_id", f"{where}: {line.strip()[:60]!r}")


def _undecoded(text: str, where: str) -> Rejection | None:
    """Return the rejection of a text with bytes that are not UTF-8, or None."""
    if text.isascii() or (found := _NOT_UTF_8.search(text)) is None:
        return None
    return Rejection("unreadable_line", f"{where}: byte 0x{ord(found[0]) & 0xFF:02x} is not UTF-8")


def _table(path: Path, file: TextIO) -> Iterator[Row | Rejection]:
    found = cells(file, path)
    _, columns = next(found, (1, []))
    if isinstance(columns, Rejection):
        raise InputError(f"{str(path)!r}, line 1: {columns.detail}; mend it")
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise InputError(
            f"{str(path)!r} has no column {missing[0]!r}; it has {', '.join(map(repr, columns)) or 'none'}, "
            f"and needs {', '.join(NEEDED)}"
        )
    for first, values in found:
        where = f"{path.name}, line {first}"
        if isinstance(values, Rejection):
            yield Rejection(values.reason, f"{where}: {values.detail}")
        elif (bad := _undecoded("".join(values), where)) is not None:
            yield bad
        elif len(values) == len(columns):
            yield Row(where, _mended(dict(zip(columns, values, strict=True))))
        elif values:  # not an empty line
            yield Rejection("wrong_number_of_columns", where)


def _mended(row: dict[str, str]) -> dict[str, str | None]:
    """Repair a row of the published index.

    {"id": "1.16E+03", "name": "t3_1163e0", …}: a spreadsheet read the id as a number.
    {"author": "N/A", …}: the account no longer existed.
    """
    name = row.get("name") or ""
    own_id = name.removeprefix("t3_") if name.startswith("t3_") else row["id"]
    return {**row, "id": own_id, "author": None if row.get("author") == "N/A" else row.get("author")}
