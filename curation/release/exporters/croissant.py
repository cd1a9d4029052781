"""`croissant.json`: the release described in MLCommons' Croissant format (http://mlcommons.org/croissant/1.0).

Each Parquet file has one record set. Addresses are relative, so that the folder can be moved; for the same
reason the dataset has no `url`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from curation.manifest.manifest import Written
from curation.release.exporters.exporter import Release

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}

_TYPES = {
    "string": "sc:Text",
    "int64": "sc:Integer",
    "int32": "sc:Integer",
    "int16": "sc:Integer",
    "float": "sc:Float",
    "bool": "sc:Boolean",
    "timestamp[ms, tz=UTC]": "sc:DateTime",
}


def write(release: Release) -> Sequence[Written]:
    """Write the description of the Parquet files. It is made from the manifest, which doesn't list it."""
    manifest = release.manifest
    files = manifest.tables()
    note = manifest.generated_note
    schemas = {part.stem: part.schema for part in release.parts}
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": manifest.name,
        "description": manifest.summary + f" ({note})" * bool(note),
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "version": manifest.version,
        "license": {"@type": "sc:CreativeWork", "name": "each post's own: see the column `licence`"},
        "citeAs": manifest.paper or manifest.title,
        "distribution": [_file(file) for file in files],
        "recordSet": [_record_set(file, schemas) for file in files],
    }
    text = json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False)
    (release.out / "croissant.json").write_text(text + "\n", encoding="utf-8")
    return ()


def _file(file: Written) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file.sha256,
    }


def _record_set(file: Written, schemas: Mapping[str, pa.Schema]) -> dict[str, Any]:
    stem = file.path.rsplit("-", 1)[0]  # without the digest
    return {
        "@type": "cr:RecordSet",
        "@id": stem,
        "name": stem,
        "description": f"{file.rows:,} rows of the split {file.split!r}",
        "field": [_field(stem, file.path, field) for field in schemas[stem]],
    }


def _field(stem: str, path: str, field: pa.Field) -> dict[str, Any]:
    name, several = field.name, pa.types.is_list(field.type)
    kind = str(field.type.value_type if several else field.type)
    source: dict[str, Any] = {"fileObject": {"@id": path}, "extract": {"column": name}}
    if name == "image":
        source["transform"] = {"jsonPath": "bytes"}
    return {
        "@type": "cr:Field",
        "@id": f"{stem}/{name}",
        "name": name,
        "dataType": "sc:ImageObject" if name == "image" else _TYPES[kind],
        "source": source,
        **({"repeated": True} if several else {}),
    }
