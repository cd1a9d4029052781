"""JSON lines: SPLIT.jsonl, an object a row, with the images as files beside it, which `image` names."""

from __future__ import annotations

from pathlib import Path

from affectory.core.progress import Steps
from curation.exports.exporter import Exported, Exporter, Source, features, json_line, write_image

_USE = """\
```python
from datasets import load_dataset

release = load_dataset("FOLDER")
```

`image` is the path of the image's file in this folder, null without one."""


def _write(source: Source, out: Path, steps: Steps) -> Exported:
    written = Exported(features=[{"name": "image", "dtype": "string"}, *features(source)])
    for split in source.splits:
        with (out / f"{split}.jsonl").open("wb") as file:
            for row in source.rows(split, steps):
                file.write(json_line({"image": write_image(row, out, split), **row.values}) + b"\n")
                written.count(split, row)
        written.files[split] = f"{split}.jsonl"
    return written


EXPORTER = Exporter(_write, _USE)
