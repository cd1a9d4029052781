"""What the lists say of a photo: its file's address, the votes for each emotion, its adjective-noun pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from collectors.store.record import Post

#: `removed` of a photo that is listed under pairs of both signs.
CONFLICT = "conflicting_pairs"

#: The community of a photo of which a list gives the id alone.
PHOTOS = "photos"


@dataclass(frozen=True, slots=True)
class Listed:
    """A photo of a list.

    `votes` maps an emotion to the number of annotators who agreed that the photo evokes it;
    `votes_total` is how many were asked about the leading one. `pairs` are adjective-noun pairs, and
    `sentiment` is theirs: `positive` or `negative`, or `CONFLICT`. `listed_as` is the community that a list
    of ids gives.
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
        """Its sentiment, or its leading emotion (of equals the first by name), or what a list of ids says."""
        if self.sentiment is not None:
            return self.sentiment
        return leading(self.votes) if self.votes else self.listed_as or PHOTOS

    def and_then(self, later: Listed) -> Listed:
        """Return both in one. Where they contradict each other, the later counts."""
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
    """Return the emotion with the most agreeing votes; of equals the first by name."""
    return min(votes, key=lambda emotion: (-votes[emotion], emotion))


def listed_of(post: Post) -> Listed:
    """Return what the lists said of a post of the store."""
    return Listed(
        photo_id=post.post_id.removeprefix("flickr:"),
        url=post.media[0].url if post.media else None,
        votes=post.votes,
        votes_total=post.votes_total,
        pairs=post.labels or (),
        sentiment=CONFLICT if post.removed == CONFLICT else post.label,
        listed_as=post.community,
    )
