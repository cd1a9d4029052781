"""CSV: SPLIT.csv, with the images as files beside it, which the column `image` names.

A program for spreadsheets takes a cell that begins with = for a formula, and the posts are written by
strangers. Such texts get an apostrophe in front, and so do texts that begin with one, so that a reader who
removes one leading apostrophe has every text as it was.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from affectory.core.numbers import count
from affectory.core.progress import Steps
from curation.exports.exporter import Exported, Exporter, Source, write_image

#: What a formula may begin with, also after a line end or in full width, and the apostrophe itself.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")

_USE = """\
```python
import pandas

train = pandas.read_csv("FOLDER/train.csv", keep_default_na=False, na_values=[""])
texts = train["text"].str.replace(r"^'", "", regex=True)  # see below
```

`image` is the path of the image's file in this folder, and empty without one. Texts that begin with `=`, `+`,
`-`, `@`, a tab or a line end have an apostrophe in front, because programs for spreadsheets take such cells
for formulas, and so have texts that begin with an apostrophe: remove one leading apostrophe from a cell to
have the text as it was. An empty cell is null or an empty text. `labels` is a list in JSON."""


def _write(source: Source, out: Path, steps: Steps) -> Exported:
    written = Exported()
    columns = ["image", *source.schema.names]
    guarded = removed = 0
    for split in source.splits:
        with (out / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\r\n")
            table.writerow(columns)
            for row in source.rows(split, steps):
                values = {"image": write_image(row, out, split), **row.values}
                cells = [_cell(values[name]) for name in columns]
                table.writerow(cells)
                written.count(split, row)
                guarded += any(isinstance(cell, str) and cell.startswith("'") for cell in cells)
                removed += any(isinstance(value, str) and "\0" in value for value in values.values())
        written.files[split] = f"{split}.csv"
    if guarded:
        written.notes.append(
            f"{count(guarded, 'row has', 'rows have')} a text with an apostrophe in front: README.md says why"
        )
    if removed:
        written.notes.append(
            f"{count(removed, 'row', 'rows')} had NUL characters, which CSV can't hold: removed"
        )
    return written


def _cell(value: Any) -> str | int | float:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            text = value.replace("\0", "")
            return f"'{text}" if text.startswith(_FORMULA) else text
        case list():
            return json.dumps(value, ensure_ascii=False)
    assert isinstance(value, int | float)
    return value


EXPORTER = Exporter(_write, _USE)
