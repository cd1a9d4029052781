"""The columns of a release, and the metadata by which Hugging Face `datasets` knows their types.

The metadata is what `datasets.Features.arrow_schema` writes. It is written without importing that library,
which takes seconds in every worker; a test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

#: Column, Arrow type, and whether it is in the `ids` config (no text, no images).
_COLUMNS: tuple[tuple[str, pa.DataType, bool], ...] = (
    ("post_id", pa.string(), True),
    ("image", IMAGE, False),
    ("text", pa.string(), False),
    ("title", pa.string(), False),
    ("body", pa.string(), False),
    ("ocr_text", pa.string(), False),  # if the recipe asks for it, as the next one
    ("ocr_confidence", pa.float32(), False),
    ("label", pa.int64(), True),
    ("source_label", pa.string(), True),  # if the recipe asks for it
    ("labels", pa.list_(pa.int64()), True),  # of a multi-label dataset
    ("labelled", pa.bool_(), True),  # one column per ratio, such as labelled_30
    ("score", pa.int64(), True),
    ("agreement", pa.float32(), True),
    ("votes", pa.string(), True),
    ("language", pa.string(), True),
    ("language_score", pa.float32(), True),
    ("n_words", pa.int32(), True),
    ("has_image", pa.bool_(), True),
    ("has_text", pa.bool_(), True),
    ("image_index", pa.int16(), True),
    ("image_url", pa.string(), True),
    ("image_sha256", pa.string(), True),
    ("image_hash", pa.string(), True),
    ("duplicate_group", pa.string(), True),
    ("source", pa.string(), True),
    ("community", pa.string(), True),
    ("permalink", pa.string(), True),
    ("licence", pa.string(), True),
    ("attribution", pa.string(), True),
    ("over_18", pa.bool_(), True),
    ("created_at", pa.int64(), True),  # in seconds since 1970
)

#: The first format with these columns. Before it, `created_at` is a timestamp.
SECONDS, _BEFORE = 3, {"created_at": pa.timestamp("ms", tz="UTC")}


def names(*, ids: bool = False) -> list[str]:
    """Return the columns that every release has, or with `ids` those of the `ids` config."""
    return list(schema((), ids=ids).names)


def schema(
    classes: Sequence[str],
    multilabel: Sequence[str] = (),
    labelled: Sequence[str] = (),
    *,
    source_label: bool = False,
    ocr: bool = False,
    ids: bool = False,
    format: int = SECONDS,
) -> pa.Schema:
    """Return the schema of a release of this format (`curation.manifest.manifest.FORMATS`).

    `classes` are the label's names, by number, `multilabel` those of `labels`, `labelled` the columns
    that say which training posts count as labelled; without them a release has no such columns.
    """
    absent = {"labels"} if not multilabel else set()
    absent |= {"source_label"} if not source_label else set()
    absent |= {"ocr_text", "ocr_confidence"} if not ocr else set()
    fields = []
    for name, kind, in_ids in _COLUMNS:
        if (ids and not in_ids) or name in absent:
            continue
        kind = _BEFORE.get(name, kind) if format < SECONDS else kind
        fields += [pa.field(one, kind) for one in (labelled if name == "labelled" else [name])]
    features = {field.name: _feature(field, classes, multilabel) for field in fields}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(fields, metadata)


def _feature(field: pa.Field, classes: Sequence[str], multilabel: Sequence[str]) -> dict[str, object]:
    if field.name == "image":
        return {"_type": "Image"}
    if field.name == "label":
        return {"names": list(classes), "_type": "ClassLabel"}
    if field.name == "labels":  # "Sequence" until version 4 of the library, which reads it as a List
        return {"feature": {"names": list(multilabel), "_type": "ClassLabel"}, "_type": "Sequence"}
    kind = {"float": "float32"}.get(str(field.type), str(field.type))
    return {"dtype": kind, "_type": "Value"}
