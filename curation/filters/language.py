"""Posts in other languages. How languages are identified, and the thresholds: `curation.measure.language`."""

from __future__ import annotations

from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field, ValidationInfo, field_validator, model_validator

from curation.filters.filter import Filter, Options
from curation.filters.stage import separate
from curation.measure.language import MIN_SCORE, SHORT_WORDS, Engine, Wanted, codes
from curation.measure.language import keep as is_kept


class Language(Options):
    """Keep posts in the languages `keep`, as `engine` identifies them, from a score of `min_score` on.

    Where English is kept, texts of up to `short_words` words with that score for English count as English,
    even if another language is likelier; with `langdetect` those of two words and more.
    """

    use: Literal["language"]
    engine: Engine = "fasttext"
    keep: Annotated[tuple[str, ...], Field(min_length=1)] = ("en",)
    min_score: Annotated[float, Field(ge=0, le=1)] = MIN_SCORE
    short_words: Annotated[int, Field(ge=0)] = SHORT_WORDS

    @field_validator("min_score", mode="before")
    @classmethod
    def _of_an_earlier_manifest(cls, min_score: object) -> object:
        return MIN_SCORE if min_score is None else min_score

    @field_validator("keep")
    @classmethod
    def _are_codes_of_the_engine(cls, keep: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        engine = info.data.get("engine")
        known = codes(engine) if engine else keep  # an unknown engine is reported on its own
        for code in keep:
            if code not in known:
                raise ValueError(
                    f"{code!r} is not one of {engine}'s {len(known)} codes; they have two or three letters "
                    "(ISO 639), as 'en', 'de', 'ru'"
                )
        return keep

    @model_validator(mode="after")
    def _leaves_short_texts_a_minimum(self) -> Language:
        alone = 1 if self.engine == "langdetect" else 0  # which makes no single word English
        if not self.min_score and self.short_words > alone and "en" in self.keep:
            raise ValueError(
                f"min_score = 0 would make English of every text of up to {self.short_words} words: give a "
                "min_score above 0, or short_words = 0"
            )
        return self

    @property
    def wanted(self) -> Wanted:
        """The languages to keep, and the thresholds."""
        return Wanted(languages=self.keep, min_score=self.min_score, short_words=self.short_words)


def apply(table: pa.Table, options: Language) -> tuple[pa.Table, pa.Table]:
    """Drop `other_language` and `no_language` (no letters but in links and names, or in a
    script that no known language is written in); the detail is the language and its score.
    """
    found, scores = table["language"].to_pylist(), table["language_score"].to_numpy()
    kept = is_kept(found, scores, options.wanted)
    reasons = ["no_language" if code == "und" else "other_language" for code in found]
    details = [f"{code} {score:.2f}" for code, score in zip(found, scores, strict=True)]
    return separate(table, kept, options.use, reasons, details)


FILTER = Filter(Language, apply)
