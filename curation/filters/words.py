"""Texts that are too short or too long. How words are counted: `curation.measure.words`."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from curation.filters.filter import Filter, Options
from curation.filters.stage import separate, without_text


class Words(Options):
    """Keep posts of `min` to `max` words; `otherwise` drop them, or keep them as image-only posts."""

    use: Literal["words"]
    min: Annotated[int, Field(ge=0)] = 0
    max: Annotated[int, Field(ge=1)] | None = None
    otherwise: Literal["drop", "image-only"] = "drop"

    @model_validator(mode="after")
    def _lets_some_through(self) -> Words:
        if self.max is not None and self.min > self.max:
            raise ValueError(f"min = {self.min} is above max = {self.max}: give a max of {self.min} or more")
        return self


def apply(table: pa.Table, options: Words) -> tuple[pa.Table, pa.Table]:
    """Drop `too_few_words` and `too_many_words`; the detail is their number.

    With `otherwise = "image-only"` a post whose image is stored is kept without its text, which is lost for
    that reason.
    """
    n_words = table["n_words"].to_numpy()
    most = options.max if options.max is not None else np.iinfo(np.int32).max
    keep = (n_words >= options.min) & (n_words <= most)
    reasons = ["too_few_words" if n < options.min else "too_many_words" for n in n_words]
    if options.otherwise == "image-only":
        has_image = np.asarray([status == "stored" for status in table["media_status"].to_pylist()], bool)
        table = without_text(table, ~keep & has_image, reasons)
        keep = keep | has_image
    return separate(table, keep, options.use, reasons, n_words)


FILTER = Filter(Words, apply)
