"""What lists say about a photo: its URL, the votes for each emotion, the pairs it was found for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from collectors.store.record import Post

#: `removed` of a photo that was found for pairs of both sentiments.
CONFLICT = "conflicting_pairs"

#: The community of a photo of which a list has only the id.
PHOTOS = "photos"


@dataclass(frozen=True, slots=True)
class Listed:
    """A photo of a list.

    `votes` maps an emotion to the number of annotators who agreed that the photo evokes it; `votes_total` is
    the number of annotators asked about the leading emotion. `pairs` are adjective-noun pairs, and
    `sentiment` is their common sentiment, `positive` or `negative`, or `CONFLICT`. `listed_as` is the
    community that a list of ids names.
    """

    photo_id: str
    url: str | None = None
    votes: Mapping[str, int] = field(default_factory=dict)
    votes_total: int | None = None
    pairs: tuple[str, ...] = ()
    sentiment: str | None = None
    listed_as: str | None = None

    @property
    def post_id(self) -> str:
        """The photo's id in the store."""
        return f"flickr:{self.photo_id}"

    @property
    def community(self) -> str:
        """The photo's sentiment, leading emotion (in a tie the first by name) or listed community."""
        if self.sentiment is not None:
            return self.sentiment
        return leading(self.votes) if self.votes else self.listed_as or PHOTOS

    def and_then(self, later: Listed) -> Listed:
        """Return both entries merged; `later` overrides the votes for the same emotion."""
        votes = {**self.votes, **later.votes}
        total = later.votes_total if votes and leading(votes) in later.votes else self.votes_total
        sentiment = later.sentiment if self.sentiment in (None, later.sentiment) else CONFLICT
        return replace(
            self,
            url=self.url or later.url,
            votes=votes,
            votes_total=total,
            pairs=tuple(sorted({*self.pairs, *later.pairs})),
            sentiment=sentiment,
            listed_as=later.listed_as or self.listed_as,
        )


def leading(votes: Mapping[str, int]) -> str:
    """Return the emotion with the most agreeing votes, in a tie the first by name."""
    return min(votes, key=lambda emotion: (-votes[emotion], emotion))


def listed_of(post: Post) -> Listed:
    """Return what the lists said about a post of the store."""
    return Listed(
        photo_id=post.post_id.removeprefix("flickr:"),
        url=post.media[0].url if post.media else None,
        votes=post.votes,
        votes_total=post.votes_total,
        pairs=post.labels or (),
        sentiment=CONFLICT if post.removed == CONFLICT else post.label,
        listed_as=post.community,
    )
