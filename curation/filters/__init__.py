"""The filters of a recipe, one a file: each keeps a row, or drops it under a named reason."""

from __future__ import annotations

from curation.filters import agreement, animated, image, language, removed, score, size, text, words
from curation.filters.stage import Stage

#: What `use` names in a recipe.
FILTERS: dict[str, Stage] = {
    "removed": removed.apply,
    "image": image.apply,
    "text": text.apply,
    "size": size.apply,
    "animated": animated.apply,
    "language": language.apply,
    "words": words.apply,
    "score": score.apply,
    "agreement": agreement.apply,
}
