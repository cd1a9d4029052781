"""Posts in other languages. How languages are identified, and the thresholds: `curation.measure.language`."""

from __future__ import annotations

from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field, ValidationInfo, field_validator

from curation.filters.filter import Filter, Options
from curation.filters.stage import separate
from curation.measure.language import Engine, codes
from curation.measure.language import keep as is_kept


class Language(Options):
    """Keep posts in the languages `keep`, as `engine` identifies them, from a score of `min_score` on."""

    use: Literal["language"]
    engine: Engine = "fasttext"
    keep: Annotated[tuple[str, ...], Field(min_length=1)] = ("en",)
    min_score: Annotated[float, Field(ge=0, le=1)] | None = None

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


def apply(table: pa.Table, options: Language) -> tuple[pa.Table, pa.Table]:
    """Drop `other_language` and `no_language` (no letters); the detail is the language and its score."""
    found = table["language"].to_pylist()
    scores, n_words = table["language_score"].to_numpy(), table["n_words"].to_numpy()
    kept = is_kept(found, scores, n_words, language=options.keep, min_score=options.min_score)
    reasons = ["no_language" if code == "und" else "other_language" for code in found]
    details = [f"{code} {score:.2f}" for code, score in zip(found, scores, strict=True)]
    return separate(table, kept, options.use, reasons, details)


FILTER = Filter(Language, apply)
