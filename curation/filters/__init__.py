"""The filters of a recipe, one a file: each keeps a row, or drops it for a named reason.

To add a filter, write a file with its options, its function and its `FILTER`, and add a line to `FILTERS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SerializeAsAny, TypeAdapter

from affectory.core.tables import refuse
from curation.filters import agreement, animated, image, language, removed, score, size, text, words
from curation.filters.filter import Filter, Options

#: The filters by the name that `use` gives in a recipe.
FILTERS: dict[str, Filter] = {
    "removed": removed.FILTER,
    "image": image.FILTER,
    "text": text.FILTER,
    "size": size.FILTER,
    "animated": animated.FILTER,
    "language": language.FILTER,
    "words": words.FILTER,
    "score": score.FILTER,
    "agreement": agreement.FILTER,
}


def _parse(raw: Any) -> Options:
    """Validate one of a recipe's `[[filters]]` as the options of the filter that it names."""
    if isinstance(raw, dict):
        names = ", ".join(map(repr, FILTERS))
        if "use" not in raw:
            raise ValueError(f"it lacks `use`, the filter's name: {names}")
        if raw["use"] not in list(FILTERS):
            refuse({"use": raw["use"]}, f"the filters are {names}")
    options: Options = _union(tuple(one.options for one in FILTERS.values())).validate_python(raw)
    return options


@cache
def _union(options: Sequence[type[Options]]) -> TypeAdapter[Any]:
    union: Any = Annotated[reduce(or_, options), Field(discriminator="use")]
    return TypeAdapter(union)


#: The options of any filter of the table: the type of an item of a recipe's `filters`.
FilterOptions = Annotated[SerializeAsAny[Options], BeforeValidator(_parse)]
