"""What a source of posts gives a crawl: pages of posts, and failures that leave the rest standing."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from affectory.core.errors import SourceError
from collectors.store.record import Post, Rejection


@dataclass(frozen=True, slots=True)
class Page:
    """Posts that a source gave at once, as a part of one walk over a community.

    `walk` names the walk and `cursor` is where it goes on, so that a killed crawl can; `last` says
    that the walk ends here. `ranked` says that the walk isn't in the order of scores: its best
    posts are known only at its end. `skipped` counts what the source gave but nobody asked for. `doing` is
    what the live view says meanwhile (default: the community).
    """

    community: str
    walk: str
    posts: Sequence[Post] = ()
    rejected: Sequence[Rejection] = ()
    skipped: Counter[str] = field(default_factory=Counter)
    cursor: str | None = None
    last: bool = False
    ranked: bool = False
    doing: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A community that could not be read, or not to its end."""

    community: str
    error: SourceError


class Source(Protocol):
    """A source of posts."""

    def pages(self) -> AsyncIterator[Page | Failure]:
        """Give the posts page by page; raise an `AffectoryError` only where nothing can go on."""
        ...
