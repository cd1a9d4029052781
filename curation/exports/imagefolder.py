"""Folders of images: SPLIT/CLASS/KEY.jpg, and SPLIT/metadata.parquet with all other columns.

The `datasets` library reads images and columns together. Libraries that take a folder's name for the class,
such as torchvision, read SPLIT alone. The metadata are Parquet because its columns have types: of JSON lines
the library takes a column that is empty in one split for another type than in the next.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from affectory.core.errors import ReleaseError
from affectory.core.numbers import count
from affectory.core.progress import Steps
from curation.exports.exporter import Exported, Exporter, Row, Source
from curation.manifest.manifest import UNLABELLED

_USE = """\
```python
from datasets import load_dataset

release = load_dataset("FOLDER")  # images with all columns, labels by name

from torchvision.datasets import ImageFolder

train = ImageFolder("FOLDER/train")  # images and classes alone
```"""

#: Rows of metadata that are written at a time.
_GROUP = 1000


def _write(source: Source, out: Path, steps: Steps) -> Exported:
    written = Exported()
    folders = {
        name: _folder(number, source.manifest.classes) for number, name in enumerate(source.manifest.classes)
    }
    schema = _schema(source)
    without: dict[str, int] = {}
    unlabelled = 0
    for split in source.splits:
        waiting: list[dict[str, object]] = []
        made: set[str] = set()
        writer = None
        try:
            for row in source.rows(split, steps):
                if row.image is None:
                    without[split] = without.get(split, 0) + 1
                    continue
                label = row.values["label"]
                folder = UNLABELLED if label is None else folders[label]
                unlabelled += label is None
                if folder not in made:
                    made.add(folder)
                    (out / split / folder).mkdir(parents=True)
                if writer is None:
                    writer = pq.ParquetWriter(out / split / "metadata.parquet", schema, compression="zstd")
                waiting.append(_put(row, out / split, folder))
                written.count(split, row)
                if len(waiting) == _GROUP:
                    writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
                    waiting.clear()
            if writer is not None and waiting:
                writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
        finally:
            if writer is not None:
                writer.close()
        if split in written.rows:
            written.files[split] = f"{split}/**"
    if not written.rows:
        raise ReleaseError(
            f"{source.manifest.name!r} {source.manifest.version} has no images to put in folders: export it "
            "with --to csv, jsonl or webdataset"
        )
    if without:
        parts = ", ".join(f"{split} {rows:,}" for split, rows in without.items())
        total = sum(without.values())
        written.notes.append(
            f"{count(total, 'row')} without an image left out ({parts}): csv, jsonl and webdataset keep them"
        )
    if unlabelled:
        written.notes.append(f"{count(unlabelled, 'image')} without a label in the folders {UNLABELLED!r}")
    if source.manifest.multilabel.names:
        written.notes.append("a folder's name is the label alone: `labels` are in metadata.parquet only")
    return written


def _put(row: Row, split: Path, folder: str) -> dict[str, object]:
    """Write a row's image; return its line of the metadata."""
    name = f"{folder}/{row.key}{row.suffix}"
    assert row.image is not None
    (split / name).write_bytes(row.image)
    return {"file_name": name, **row.values}


def _schema(source: Source) -> pa.Schema:
    """Return the columns of the metadata, in which labels are names."""
    kinds = {"label": pa.string(), "labels": pa.list_(pa.string())}
    columns = [pa.field(one.name, kinds.get(one.name, one.type)) for one in source.schema]
    return pa.schema([pa.field("file_name", pa.string()), *columns])


def _folder(number: int, classes: Sequence[str]) -> str:
    """Return the name of a class's folder: its own where that is safe and unlike all others."""
    name = classes[number]
    is_one = [one.casefold() for one in [*classes, UNLABELLED]].count(name.casefold()) == 1
    if is_one and re.fullmatch(r"\w[\w -]{0,80}", name) and not name.endswith(" "):
        return name
    return f"{number}-{re.sub(r'[^A-Za-z0-9]+', '-', name)[:40]}"


EXPORTER = Exporter(_write, _USE)
