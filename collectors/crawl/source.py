"""What a site gives to a crawl: a source of posts and, where images aren't downloaded, a stage for images."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from affectory.core.errors import SourceError
from collectors.crawl.progress import Progress
from collectors.store import Store
from collectors.store.record import Post, Rejection
from collectors.store.runs import Run


@dataclass(frozen=True, slots=True)
class Page:
    """Posts that a source yields at once, as part of one walk over a community.

    `walk` names the walk and `cursor` is its position, which the store keeps so that a killed crawl can
    resume; without a `walk` nothing is kept, and a rerun reads the source from its beginning. `last` marks
    the end of the walk. `ranked` marks a walk that isn't sorted by score: its best posts are known only at
    its end. `skipped` counts rows of the source that were not asked for. `notes` are lines for the closing
    summary. `doing` is shown by the live view (default: the community).
    """

    community: str
    walk: str | None
    posts: Sequence[Post] = ()
    rejected: Sequence[Rejection] = ()
    skipped: Counter[str] = field(default_factory=Counter)
    cursor: str | None = None
    last: bool = False
    ranked: bool = False
    notes: Sequence[str] = ()
    doing: str = ""


#: Rows that can't be used which an error names.
NAMED = 5


@dataclass(slots=True)
class Unusable:
    """Rows that can't be used: how many, and as text the first of them with their reasons."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, row: Rejection) -> None:
        """Add a row."""
        self.count += 1
        if len(self.first) < NAMED:
            self.first.append(f"{row.reason.replace('_', ' ')}: {row.detail}")

    def __str__(self) -> str:
        return "; ".join(self.first) + "; …" * (self.count > len(self.first))


@dataclass(frozen=True, slots=True)
class Failure:
    """A community that could not be read, or not to its end."""

    community: str
    error: SourceError


class Source(Protocol):
    """A source of posts."""

    def pages(self) -> AsyncIterator[Page | Failure]:
        """Yield the posts page by page. Raises an `AffectoryError` only if no community can be read.

        When the next page is asked for, the posts of the one before are in the store.
        """
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """What the image stage of a running crawl works with; `collected` is set once all posts are stored.

    Images are fetched of the posts of `communities`, to which a listing such as r/all adds as it is read.
    """

    store: Store
    run: Run
    progress: Progress
    collected: asyncio.Event
    communities: list[str]


#: Settles the images that are pending in the store, until all posts are collected and none is pending.
ImageStage = Callable[[Work], Coroutine[Any, Any, None]]
