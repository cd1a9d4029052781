"""Which training posts each step reads, and which texts of other classes it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor

from affectory.core.errors import BaselineError
from baselines.data.batch import IMAGE, TEXT, Batch
from baselines.data.task import Task

#: The unlabelled posts that a model can't be trained without.
Unknown = Literal["post", "post with image and text"]


class Sampler(Protocol):
    """Draws the steps of an epoch. One with an attribute `unlabelled` needs such unlabelled posts."""

    def epoch(self, posts: Batch, drawer: torch.Generator) -> list[Tensor]:
        """Return the rows of each step, int64[B], on the CPU. Their number must not depend on the draw."""
        ...


@dataclass(frozen=True, slots=True)
class Shuffled:
    """Each labelled post once, in a random order, `batch` a step."""

    batch: int

    def epoch(self, posts: Batch, drawer: torch.Generator) -> list[Tensor]:
        """Return the rows of each step."""
        return list(_shuffled(posts.labelled, drawer).split(self.batch))


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Each unlabelled post that has image and text once, in a random order, `batch` a step.

    Raises `BaselineError` where there is none.
    """

    batch: int
    unlabelled: ClassVar[Unknown] = "post with image and text"

    def epoch(self, posts: Batch, drawer: torch.Generator) -> list[Tensor]:
        """Return the rows of each step."""
        pairs = ~posts.labelled & posts.present.all(-1)
        if not bool(pairs.any()):
            raise BaselineError(no_unlabelled(self.unlabelled))
        return list(_shuffled(pairs, drawer).split(self.batch))


@dataclass(frozen=True, slots=True)
class LabelledAndUnlabelled:
    """`labelled` labelled posts and `batch - labelled` unlabelled ones a step, until either runs out.

    `labelled` None is the share of the labelled posts times `batch`, rounded: as many of each as an epoch
    over all posts needs. Raises `BaselineError` where there are no unlabelled posts, or for a `batch` of 1.
    """

    batch: int
    labelled: int | None = None
    unlabelled: ClassVar[Unknown] = "post"

    def epoch(self, posts: Batch, drawer: torch.Generator) -> list[Tensor]:
        """Return the rows of each step, the labelled ones first."""
        if bool(posts.labelled.all()):
            raise BaselineError(no_unlabelled(self.unlabelled))
        if self.batch < 2:
            raise BaselineError(
                "a mini-batch of 1 post can't hold a labelled and an unlabelled one: set batch to 2 or more"
            )
        share = float(posts.labelled.double().mean())
        labelled = self.labelled or min(max(1, round(share * self.batch)), self.batch - 1)
        known = _shuffled(posts.labelled, drawer).split(labelled)
        others = _shuffled(~posts.labelled, drawer).split(self.batch - labelled)
        return [torch.cat(both) for both in zip(known, others, strict=False)]


def no_unlabelled(what: Unknown) -> str:
    """Return why a model can't be trained on a release without such unlabelled posts."""
    return (
        f"the training part has no unlabelled {what}, which this model learns from: "
        "choose another model, a release with unlabelled posts, or --ratios 0.3"
    )


@dataclass(frozen=True, slots=True)
class MixedModalities:
    """Each labelled post with an image or a text once, pairs, image-only and text-only posts evenly mixed.

    Every step has `batch` posts, but for the last, and the kinds in nearly the same proportion.
    """

    batch: int

    def epoch(self, posts: Batch, drawer: torch.Generator) -> list[Tensor]:
        """Return the rows of each step."""
        image, text = posts.present[:, IMAGE], posts.present[:, TEXT]
        masks = (image & text, image & ~text, text & ~image)
        kinds = [_shuffled(posts.labelled & mask, drawer) for mask in masks]
        rows = torch.cat(kinds)
        # A kind's posts stand at equal distances on the line from 0 to 1, which is then cut into steps.
        places = torch.cat([(torch.arange(len(one)) + 0.5) / max(1, len(one)) for one in kinds])
        mixed = rows[torch.argsort(places, stable=True)]
        return list(mixed.split(self.batch)) if len(mixed) else []


def _shuffled(held: Tensor, drawer: torch.Generator) -> Tensor:
    rows = held.nonzero().flatten().cpu()
    return rows[torch.randperm(len(rows), generator=drawer)]


class OtherTexts:
    """Texts of other classes, drawn anew each step from all labelled training posts that have a text.

    Of several labels a text of "another class" shares no label with the post. All posts of a step with the
    same labels share their draw, so that a step of 64 posts and 4 classes encodes 4 · g more texts instead of
    64 · g; each post's g texts are still drawn at random from all posts of other classes.

    Raises `BaselineError` where no post has a text of another class.
    """

    def __init__(self, posts: Batch, task: Task, number: int) -> None:
        patterns, self.pattern = task.patterns(posts.target)
        fits = task.disjoint(patterns, posts.target) & posts.present[:, TEXT] & posts.labelled
        self.count = fits.sum(1)  # [P]
        self.number = number
        widest = max(1, int(self.count.max()))  # a column to draw from even where nothing fits
        self._rows = torch.argsort(fits.int(), dim=1, descending=True, stable=True)[:, :widest]
        read = torch.unique(self.pattern[posts.labelled & posts.present.all(1)])
        if len(read) and not (self.count[read] > 0).any():
            raise BaselineError(
                "no training post has a text of another class, which common space fusion draws from: "
                "leave that model out"
            )

    def draw(self, drawer: torch.Generator) -> Tensor:
        """Return training rows, int64[P, number]; those of a pattern without a fitting text mean nothing."""
        share = torch.rand((len(self.count), self.number), generator=drawer).to(self.count.device)
        place = (share * self.count.unsqueeze(-1)).long()
        return self._rows.gather(1, place)

    def missing(self, posts: Batch) -> int:
        """Return how many labelled posts with image and text no other text fits."""
        read = posts.labelled & posts.present.all(1)
        return int((self.count[self.pattern[read]] == 0).sum())
