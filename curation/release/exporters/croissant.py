"""`croissant.json`: the release described in MLCommons' Croissant 1.1 (http://mlcommons.org/croissant/1.1).

All Parquet files of published rows are one record set, with the split as a field; the `ids` files another.
Addresses are relative, so that the folder can be moved; for the same reason the dataset has no `url`. How it
was made is said by the fields of Croissant's vocabulary for responsible AI, and by PROV-O.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.manifest.datasheet import NOT_SCREENED, Datasheet, datasheet
from curation.manifest.manifest import Manifest, Written
from curation.release.exporters.exporter import Release

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "annotation": "cr:annotation",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
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


#: The split in the name of a file. Applied to a split's own name, as mlcroissant does too, it finds the same.
_SPLIT_OF_FILE = r"^(?:ids-)?(train|validation|test)(?:-.*\.parquet)?$"

#: What Croissant calls a split.
_SPLITS = {"train": "cr:TrainingSplit", "validation": "cr:ValidationSplit", "test": "cr:TestSplit"}


def write(release: Release) -> Sequence[Written]:
    """Write the description of the Parquet files. It is made from the manifest, which doesn't list it."""
    manifest, told = release.manifest, datasheet(release.manifest)
    files = manifest.tables()
    note = manifest.generated_note
    schemas = {part.ids: part.schema for part in release.parts}
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": manifest.name,
        "description": manifest.summary + f" ({note})" * bool(note),
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "version": manifest.version,
        "license": {"@type": "sc:CreativeWork", "name": "each post's own: see the column `licence`"},
        "usageInfo": {"@type": "sc:CreativeWork", "name": _usage(manifest)},
        "citeAs": manifest.paper or manifest.title,
        "prov:wasDerivedFrom": _origins(manifest, told),
        "prov:wasGeneratedBy": _activity(manifest),
        **_responsible(told, _timeframe(release)),
        "distribution": [
            *map(_file, files),
            *(_file_set(files, ids=ids) for ids in sorted(schemas)),
        ],
        "recordSet": [
            _splits(manifest),
            *(_record_set(files, schema, told, ids=ids) for ids, schema in sorted(schemas.items())),
        ],
    }
    text = json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False)
    (release.out / "croissant.json").write_text(text + "\n", encoding="utf-8")
    return ()


def _usage(manifest: Manifest) -> str:
    text = "Each post belongs to its author; `licence` and `attribution` say what its source states."
    publish = manifest.recipe.get("publish") or {}
    if publish.get("images") is False or publish.get("text") is False:
        return f"{text} Images or texts that may not be passed on are left out."
    return f"{text} Where a post may not be passed on, publish the ids alone."


def _origins(manifest: Manifest, told: Datasheet) -> list[dict[str, Any]]:
    """Return what the release was derived from: the collection, and dump files with their digests."""
    collection = {"@type": "prov:Collection", "prov:label": told.collection}
    return [
        collection | {"sha256": manifest.input_digest},
        *(
            {"@type": "prov:Entity", "prov:label": dump.name, "sha256": dump.sha256}
            for dump in manifest.dumps
        ),
    ]


def _activity(manifest: Manifest) -> dict[str, Any]:
    """Return how the release was made: by which recipe and tools."""
    made_with = ", ".join(f"{tool} {version}" for tool, version in sorted(manifest.tools.items()))
    return {
        "@type": "prov:Activity",
        "prov:label": f"affectory build {manifest.name}, recipe {manifest.recipe_digest}",
        "prov:wasAssociatedWith": {"@type": "prov:SoftwareAgent", "prov:label": made_with},
    }


def _responsible(told: Datasheet, timeframe: Sequence[str]) -> dict[str, Any]:
    """Return the fields of Croissant's vocabulary for responsible AI."""
    return {
        "rai:dataCollection": told.collection,
        "rai:dataCollectionType": list(told.collection_types),
        **({"rai:dataCollectionTimeframe": list(timeframe)} if timeframe else {}),
        "rai:dataAnnotationProtocol": told.annotation,
        "rai:annotationsPerItem": told.annotations_per_item,
        "rai:dataPreprocessingProtocol": list(told.preprocessing),
        "rai:dataLimitations": [*told.limitations, NOT_SCREENED],
        "rai:dataBiases": list(told.biases),
        "rai:personalSensitiveInformation": told.personal,
        "rai:dataUseCases": told.uses,
        "rai:dataReleaseMaintenancePlan": told.maintenance,
    }


def _timeframe(release: Release) -> list[str]:
    """Return when the first and the last of the posts were created; [] if no post says so.

    It is read from the statistics of the files, which all hold `created_at`.
    """
    found: list[Any] = []
    for file in release.manifest.tables(ids=True):
        described = pq.read_metadata(release.out / file.path)
        leaf = next(
            n for n in range(described.num_columns) if described.schema.column(n).path == "created_at"
        )
        for number in range(described.num_row_groups):
            statistics = described.row_group(number).column(leaf).statistics
            if statistics is not None and statistics.has_min_max:
                found += [statistics.min, statistics.max]
    # Releases of formats 1 and 2, which a purge writes anew, have timestamps.
    times = [datetime.fromtimestamp(one, UTC) if isinstance(one, int) else one for one in found]
    return [f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in (min(times), max(times))] if times else []


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


def _file_set(files: Sequence[Written], *, ids: bool) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{_name(ids)}-files",
        "name": f"{_name(ids)}-files",
        "encodingFormat": "application/x-parquet",
        "includes": [file.path for file in files if file.ids is ids],
    }


def _name(ids: bool) -> str:
    """Return the name of a record set."""
    return "ids" if ids else "posts"


def _splits(manifest: Manifest) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            {"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"},
            {"@type": "cr:Field", "@id": "splits/url", "name": "url", "dataType": "sc:URL"},
        ],
        "data": [{"splits/name": name, "splits/url": _SPLITS[name]} for name in manifest.counts],
    }


def _record_set(files: Sequence[Written], schema: pa.Schema, told: Datasheet, *, ids: bool) -> dict[str, Any]:
    name = _name(ids)
    rows = sum(file.rows for file in files if file.ids is ids)
    without = ", without images and texts" if ids else ""
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"{rows:,} rows, one per image of a post or per post without images{without}",
        "field": [_split(name), *(_field(name, field, told) for field in schema)],
    }


def _split(name: str) -> dict[str, Any]:
    """Return the field of the split, which is the beginning of a file's name."""
    return {
        "@type": "cr:Field",
        "@id": f"{name}/split",
        "name": "split",
        "dataType": "sc:Text",
        "references": {"field": {"@id": "splits/name"}},
        "source": {
            "fileSet": {"@id": f"{name}-files"},
            "extract": {"fileProperty": "filename"},
            "transform": {"regex": _SPLIT_OF_FILE},
        },
    }


def _field(record_set: str, field: pa.Field, told: Datasheet) -> dict[str, Any]:
    name, several = field.name, pa.types.is_list(field.type)
    kind = str(field.type.value_type if several else field.type)
    source: dict[str, Any] = {"fileSet": {"@id": f"{record_set}-files"}, "extract": {"column": name}}
    if name == "image":
        source["transform"] = {"jsonPath": "bytes"}
    described: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": name,
        "dataType": "sc:ImageObject" if name == "image" else _TYPES[kind],
        "source": source,
    }
    if several:
        described |= {"isArray": True, "arrayShape": "-1"}
    if name in ("label", "labels"):
        described["prov:wasAttributedTo"] = {"@type": "prov:Agent", "prov:label": told.annotators}
        described["dataType"] = [described["dataType"], "cr:Label"]
    return described
