"""The filters of a recipe and what each may be told: the `[[filters]]` of `recipe.toml`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from affectory.core.errors import known_keys


class Part(BaseModel):
    """A table of a recipe: what isn't known is refused."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _has_only_known_keys(cls, said: Any) -> Any:
        return known_keys(cls, said)


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
    engine: Literal["fasttext", "langdetect"] = "fasttext"
    keep: Annotated[tuple[str, ...], Field(min_length=1)] = ("en",)
    min_score: Annotated[float, Field(ge=0, le=1)] | None = None

    @field_validator("keep")
    @classmethod
    def _are_codes_of_the_engine(cls, keep: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        from curation.measure.language import codes  # NumPy

        engine = info.data.get("engine")
        known = codes(engine) if engine else keep  # a wrong engine is a fault of its own
        for code in keep:
            if code not in known:
                raise ValueError(
                    f"{code!r} is no code of {engine}'s {len(known)}; they are of two or three letters "
                    "(ISO 639), as 'en', 'de', 'ru'"
                )
        return keep


class Words(Part):
    """Keep posts of `min` to `max` words; `otherwise` drop them, or keep their images alone."""

    use: Literal["words"]
    min: Annotated[int, Field(ge=0)] = 0
    max: Annotated[int, Field(ge=1)] | None = None
    otherwise: Literal["drop", "image-only"] = "drop"

    @model_validator(mode="after")
    def _lets_some_through(self) -> Words:
        if self.max is not None and self.min > self.max:
            raise ValueError(f"min = {self.min} is above max = {self.max}: give a max of {self.min} or more")
        return self


class Score(Part):
    """Keep posts with at least this score."""

    use: Literal["score"]
    min: int


class Agreement(Part):
    """Keep posts whose annotators agree: on a majority, or all of them, of at least `min_votes`."""

    use: Literal["agreement"]
    rule: Literal["majority", "unanimous"] = "majority"
    min_votes: Annotated[int, Field(ge=1)] = 1


_Filters = Removed | HasImage | HasText | Size | Animated | Language | Words | Score | Agreement


def _says_its_use(said: Any) -> Any:
    if isinstance(said, dict) and "use" not in said:
        uses = (get_args(one.model_fields["use"].annotation)[0] for one in get_args(_Filters))
        raise ValueError(f"it lacks `use`, the filter's name: {', '.join(map(repr, uses))}")
    return said


Filter = Annotated[_Filters, Field(discriminator="use"), BeforeValidator(_says_its_use)]
