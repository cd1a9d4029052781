"""The filters of a recipe and what each may be told: the `[[filters]]` of `recipe.toml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A table of a recipe: what isn't known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Removed(Part):
    """Drop posts that their source marks as removed or deleted, or that their own lists contradict."""

    use: Literal["removed"]


class HasImage(Part):
    """Drop posts without an image: none linked, or none of the linked ones stored.

    With `linked_is_enough` a post stays that linked an image, fetched or not.
    """

    use: Literal["image"]
    linked_is_enough: bool = False


class HasText(Part):
    """Drop posts without a word."""

    use: Literal["text"]


class Size(Part):
    """Drop images with a side below `min_side` pixels."""

    use: Literal["size"]
    min_side: Annotated[int, Field(ge=1)] = 32


class Animated(Part):
    """What to do with animated images: drop them (`first-frame` keeps all and is the default without it)."""

    use: Literal["animated"]


class Language(Part):
    """Keep posts in these languages, as `engine` sees them, from a score on."""

    use: Literal["language"]
    keep: tuple[str, ...] = ("en",)
    engine: Literal["fasttext", "langdetect"] = "fasttext"
    min_score: Annotated[float, Field(ge=0, le=1)] | None = None


class Words(Part):
    """Keep posts of `min` to `max` words; `otherwise` drop them, or keep their images alone."""

    use: Literal["words"]
    min: Annotated[int, Field(ge=0)] = 0
    max: Annotated[int, Field(ge=1)] | None = None
    otherwise: Literal["drop", "image-only"] = "drop"


class Score(Part):
    """Keep posts with at least this score."""

    use: Literal["score"]
    min: int


class Agreement(Part):
    """Keep posts whose annotators agree: on a majority, or all of them, of at least `min_votes`."""

    use: Literal["agreement"]
    rule: Literal["majority", "unanimous"] = "majority"
    min_votes: Annotated[int, Field(ge=1)] = 1


Filter = Annotated[
    Removed | HasImage | HasText | Size | Animated | Language | Words | Score | Agreement,
    Field(discriminator="use"),
]
