"""The formats that a finished release can be exported to, one a file.

To add a format, write a file with an `EXPORTER`, and add a line to `FORMATS`. It is imported only when asked
for. The exporters of `curation.release.exporters` are others: they write each release at its build.
"""

from __future__ import annotations

import json
from pathlib import Path

FORMATS: dict[str, str] = {
    "webdataset": "curation.exports.webdataset",
    "imagefolder": "curation.exports.imagefolder",
    "csv": "curation.exports.csv_files",
    "jsonl": "curation.exports.jsonl_files",
}

#: Where exports are written by default, and their file that names the release.
EXPORTS, NAMED = Path("data/exports"), "export.json"


def of(dataset: str) -> list[tuple[Path, str]]:
    """Return the exports of a dataset in `EXPORTS`, each with the version that it was made of."""
    found = []
    for path in sorted(EXPORTS.glob(f"*/{NAMED}")):
        said = json.loads(path.read_bytes())
        if said["dataset"] == dataset:
            found.append((path.parent, str(said["version"])))
    return found
