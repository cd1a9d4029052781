"""The text in the images of rows, as `[text.ocr]` of a recipe asks for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from affectory.core.errors import AffectoryError
from collectors.store import media_path
from curation.filters.stage import ROWS, with_column
from curation.measure.cleaning import CLEANING
from curation.measure.masks import masked
from curation.measure.ocr import Line, Ocr, TextCache, read_lines
from curation.measure.words import count_words
from curation.recipe.recipe import Text
from curation.rows.pixels import RefusedImage, decoded


def with_image_text(table: pa.Table, store: Path, text: Text) -> pa.Table:
    """Return the rows with the text in their images, and its mean confidence. `store` is the store's folder.

    Both are null for a row without an image, and for one whose image can't be read. The text is masked as
    titles and bodies are. Rows that have theirs already keep it.
    """
    if text.ocr is None:
        return table
    cache = TextCache(Path(text.ocr.cache))
    names = ("ocr_text", "ocr_confidence", "media_status", "removed", "image_sha256", "image_mime")
    texts: list[str | None] = []
    confidences: list[float | None] = []
    for found, mean, status, removed, digest, mime in zip(
        *(table[n].to_pylist() for n in names), strict=True
    ):
        if found is None and status == "stored" and removed is None:
            found, mean = _text(media_path(store, digest, mime), digest, cache, text.ocr)
            found = found and masked(found, text.mask)
        texts.append(found)
        confidences.append(mean)
    return with_column(with_column(table, "ocr_text", texts), "ocr_confidence", confidences)


def filled(table: pa.Table, store: Path, text: Text) -> pa.Table:
    """Return the rows whose text has no word with the text in their images, if the recipe asks for it."""
    if text.ocr is None or text.ocr.use != "fill":
        return table
    empty = count_words(table["text"]) == 0
    places = np.flatnonzero(empty)
    read = with_image_text(table.take(pa.array(places)), store, text)
    for name in ("ocr_text", "ocr_confidence"):
        values = pc.replace_with_mask(
            table[name].combine_chunks(), pa.array(empty), read[name].combine_chunks()
        )
        table = table.set_column(ROWS.get_field_index(name), ROWS.field(name), values)
    own = table["text"].to_pylist()
    for place, found in zip(places, read["ocr_text"].to_pylist(), strict=True):
        if found:
            own[place] = masked(CLEANING[text.clean](found), text.mask)
    return with_column(table, "text", own)


def _text(path: Path, digest: str, cache: TextCache, options: Ocr) -> tuple[str | None, float | None]:
    lines = cache.get(digest)
    if lines is None:
        lines = _lines(path, digest)
        if lines is None:
            return None, None
        cache.put(digest, lines)
    return options.text(lines)


def _lines(path: Path, digest: str) -> list[Line] | None:
    """Return the lines of a stored image; None if it can't be decoded, or the engine fails on it."""
    try:
        picture = decoded(path, digest).rgb
    except RefusedImage:
        return None
    try:
        return read_lines(picture)
    except AffectoryError:
        raise
    except Exception:  # the engine's are of many kinds
        return None
