"""Source `index`: a published list of posts.

A list is either a CSV table with columns `id`, `title`, `url` and `subreddit` (and optionally `ups`,
`created_utc`, `permalink`, `num_comments`, `author`), as Duong et al. 2017 published theirs:

    id,name,url,ups,downs,created_utc,title,permalink,subreddit,num_comments,author,…
    36klm2,t3_36klm2,http://i.imgur.com/dtcm0.jpg,259,0,1432086938.0,r/gore. Not r/shatter.,…,gore,19,…

or any other file with one id or URL per line (`3svmej`, `t3_3svmej`,
`https://www.reddit.com/r/creepy/comments/3svmej/…`), whose posts come from Reddit's API.
"""

from __future__ import annotations

import csv
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affectory.core.errors import InputError
from collectors.crawl.source import Failure, Page
from collectors.reddit.answers import RedditError
from collectors.reddit.api import INFO_IDS, RedditApi
from collectors.reddit.post import parse_post
from collectors.reddit.refresh import refresh
from collectors.reddit.sources import Asked
from collectors.store.record import Post, Rejection

#: Columns that a table must have; the others are optional.
NEEDED = ("id", "title", "url", "subreddit")

_ID = re.compile(
    r"(?:https?://\S*?/comments/|https?://redd\.it/|t3_)?([0-9a-z]{4,13})(?:[/?#]\S*)?", re.IGNORECASE
)

#: A row of a list: the fields of the submission that it has, at least {"id": …}.
Row = Mapping[str, Any]


def make(asked: Asked) -> Index:
    """Return the source, which reads `asked.files`."""
    return Index(asked.files, asked.plan.communities, asked.key, asked.scope, asked.api)


@dataclass(slots=True)
class Index:
    """Read the posts of `subs` from published lists; lists of ids need `api`."""

    paths: Sequence[Path]
    subs: Sequence[str]
    key: bytes
    scope: str
    api: RedditApi | None = None

    async def pages(self) -> AsyncIterator[Page | Failure]:
        """Yield the posts list by list, a hundred rows at a time."""
        for path in self.paths:
            batch: list[Row | Rejection] = []
            is_empty = True
            for row in rows(path, ids_alone=self.api is not None):
                batch.append(row)
                is_empty = False
                if len(batch) == INFO_IDS:
                    for page in await self._pages(batch):
                        yield page
                    batch = []
            for page in await self._pages(batch):
                yield page
            if is_empty:
                yield Page(self.subs[0], None, notes=[f"{str(path)!r} holds no row"])
        for sub in self.subs:
            yield Page(sub, self._walk(sub), last=True, ranked=True)

    def _walk(self, sub: str) -> str:
        return f"index:{sub}:{self.scope}"

    async def _pages(self, batch: Sequence[Row | Rejection]) -> list[Page | Failure]:
        """Parse a batch of rows and refresh it if there is an API; return a page for each community."""
        rejected = [row for row in batch if isinstance(row, Rejection)]
        listed = [row for row in batch if not isinstance(row, Rejection)]
        posts: list[Post] = []
        try:
            if self.api is not None:
                children = await self.api.info([row["id"] for row in listed if len(row) == 1])
                listed = [children.get(row["id"], row) if len(row) == 1 else row for row in listed]
            for row in listed:
                post = parse_post(row, key=self.key, collected_at=int(time.time()))
                if isinstance(post, Post):
                    posts.append(post)
                elif len(row) == 1:
                    rejected.append(Rejection("not_listed", str(row["id"])))
                else:
                    rejected.append(post)
            if self.api is not None:
                posts = await refresh(self.api, posts, self.key)
        except RedditError as error:
            return [Failure(sub, error) for sub in self.subs]
        return self._by_community(posts, rejected)

    def _by_community(self, posts: Sequence[Post], rejected: Sequence[Rejection]) -> list[Page | Failure]:
        pages: list[Page | Failure] = []
        for number, sub in enumerate(self.subs):
            own = [post for post in posts if post.community == sub]
            first = number == 0
            others = sum(post.community not in self.subs for post in posts) if first else 0
            skipped = Counter({"other_subreddit": others} if others else {})
            pages.append(Page(sub, self._walk(sub), own, rejected if first else (), skipped, ranked=True))
        return pages


def rows(path: Path, *, ids_alone: bool) -> Iterator[Row | Rejection]:
    """Yield a list's rows.

    Raises `InputError` for a table without the needed columns and, unless `ids_alone` is true, for a list of
    ids.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                yield from _table(path, csv.DictReader(file))
                return
            if not ids_alone:
                raise InputError(
                    f"{str(path)!r} is a list of ids, and the posts themselves come from Reddit's API: "
                    "put credentials in praw.ini, or give a CSV table with columns " + ", ".join(NEEDED)
                )
            for number, line in enumerate(file, 1):
                found = _ID.fullmatch(line.strip())
                if found is not None:
                    yield {"id": found[1].lower()}
                elif line.strip() and not line.startswith("#"):
                    yield Rejection("no_id", f"{path.name}, line {number}: {line.strip()[:60]!r}")
    except UnicodeDecodeError as error:
        raise InputError(f"{str(path)!r} is not UTF-8 text (byte {error.start:,}): convert it") from None


def _table(path: Path, table: csv.DictReader[str]) -> Iterator[Row | Rejection]:
    columns = table.fieldnames or []
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise InputError(
            f"{str(path)!r} has no column {missing[0]!r}; it has {', '.join(map(repr, columns)) or 'none'}, "
            f"and needs {', '.join(NEEDED)}"
        )
    for row in table:
        if None in row.values() or None in row:
            yield Rejection("wrong_number_of_columns", f"{path.name}, line {table.line_num}")
        else:
            yield _mended(row)


def _mended(row: dict[str, str]) -> dict[str, str | None]:
    """Repair a row of the published index.

    {"id": "1.16E+03", "name": "t3_1163e0", …}: a spreadsheet read the id as a number.
    {"author": "N/A", …}: the account no longer existed.
    """
    name = row.get("name") or ""
    own_id = name.removeprefix("t3_") if name.startswith("t3_") else row["id"]
    return {**row, "id": own_id, "author": None if row.get("author") == "N/A" else row.get("author")}
