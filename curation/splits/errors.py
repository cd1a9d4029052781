"""Errors in the input of a split."""

from __future__ import annotations

from collections.abc import Mapping

from affectory.core.errors import AffectoryError, some


class SplitError(AffectoryError):
    """A split that can't be made of these posts."""


class SmallClass(SplitError):
    """A class has too few posts to be split."""

    def __init__(self, counts: Mapping[str, int], least: int, hint: str = "") -> None:
        small = [name for name, count in counts.items() if count < least]
        counted = some([f"{name} {count}" for name, count in counts.items()], str)
        super().__init__(
            f"too few posts of {some(small)} to split, {least} are needed (posts: {counted}): "
            f"collect more, relax the filters, or take the label out of the recipe{hint}"
        )
        self.counts = dict(counts)


class UnknownSplit(SplitError):
    """A name that isn't the name of a split."""


class Straddling(SplitError):
    """A post or a duplicate group is given two splits."""


class EmptySplit(SplitError):
    """A split that the recipe asks for gets no post."""
