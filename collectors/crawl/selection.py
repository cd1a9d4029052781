"""Which of a source's posts a crawl keeps.

They go into the store at once or, if the best of a walk are known only at its end, among its candidates.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from affectory.core.errors import StoreError
from collectors.crawl.progress import Progress
from collectors.crawl.shard import ELSEWHERE, Shard
from collectors.crawl.source import Page
from collectors.store import Store
from collectors.store.record import Post

#: How the summary of an interrupted crawl counts the candidates of a walk that hasn't ended.
WAITING = "waiting_for_the_walk_to_end"

#: The posts of a page that the store couldn't write.
NOT_WRITTEN = "not_written"


@dataclass(slots=True)
class Selection:
    """Keeps posts of `shard` with at least `min_ups` upvotes, made since `since` (Unix seconds), `limit` per
    community.

    Each post of a page is counted once in `progress.posts`: as `new`, `updated`, `known` or, if it came
    before in the same walk, `duplicate_id`, or under the reason why it isn't kept; all of a page that can't
    be written as `not_written`.
    """

    store: Store
    progress: Progress
    limit: int | None = None
    min_ups: int | None = None
    since: int | None = None
    shard: Shard = field(default_factory=Shard)
    _considered: dict[str, int] = field(default_factory=dict)

    def take(self, page: Page) -> None:
        """Write a page's posts to the store, with the position of its walk."""
        counts = Counter(rejection.reason for rejection in page.rejected) + page.skipped
        kept: list[Post] = []
        removed: list[Post] = []
        for post in page.posts:
            refusal = self._refusal(post)
            if refusal is None:
                kept.append(post)
            else:
                counts[refusal] += 1
                removed += [post] if post.removed is not None else []
        asked = len(page.posts) + len(page.rejected) + page.skipped.total()
        self.progress.asked += asked
        try:
            if removed:  # not kept, but an earlier crawl may have stored them
                self.store.bury(removed)
            if page.ranked and page.walk is not None and self.limit is not None:
                counts += self._rank(page, page.walk, kept, self.limit)
            else:
                counts += self.store.add(kept, walk=page.walk, cursor=page.cursor)
                if page.last and page.walk is not None:
                    self.store.finish_walk(page.walk, page.cursor)
        except StoreError:  # a full disk
            self.progress.posts[NOT_WRITTEN] += asked
            raise
        self.progress.posts += counts

    def _refusal(self, post: Post) -> str | None:
        if not self.shard.has(post.post_id):
            return ELSEWHERE
        if self.min_ups is not None and (post.score is None or post.score < self.min_ups):
            return "below_min_ups"
        if self.since is not None and (post.created_at is None or post.created_at < self.since):
            return "before_time_window"
        return None

    def _rank(self, page: Page, walk: str, kept: list[Post], limit: int) -> Counter[str]:
        if walk not in self._considered:  # candidates of an earlier run that was stopped
            self._considered[walk] = self.store.candidates(walk)
            self.progress.asked += self._considered[walk]
            self.progress.posts[WAITING] += self._considered[walk]
        repeats = self.store.add_candidates(walk, kept, cursor=page.cursor, limit=limit)
        self._considered[walk] += len(kept) - repeats
        self.progress.posts[WAITING] += len(kept) - repeats
        counts = Counter({"duplicate_id": repeats} if repeats else {})
        if not page.last:
            return counts
        promoted = self.store.promote(walk, limit, page.cursor)
        considered = self._considered.pop(walk)
        self.progress.posts[WAITING] -= considered
        return counts + promoted + Counter({f"outside_the_top_{limit}": considered - promoted.total()})
