"""The posts that a page shows, and the function that it asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: A row of a release: the id of the post, and the index of one of its images.
Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Shown:
    """A post on the page. The image of a post marked 18+ is blurred until it is clicked."""

    text: str
    image: bytes | None  # encoded, as in the release
    over_18: bool = False
    permalink: str = ""
    credit: str = ""  # "Photo by …, CC BY 2.0"


#: Returns those of the posts that it has.
Posts = Callable[[Sequence[Key]], Mapping[Key, Shown]]
