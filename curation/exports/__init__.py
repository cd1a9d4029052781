"""The formats that a finished release can be exported to, one a file.

To add a format, write a file with an `EXPORTER`, and add a line to `FORMATS`. It is imported only when asked
for. The exporters of `curation.release.exporters` are others: they write each release at its build.
"""

from __future__ import annotations

FORMATS: dict[str, str] = {
    "webdataset": "curation.exports.webdataset",
    "imagefolder": "curation.exports.imagefolder",
    "csv": "curation.exports.csv_files",
    "jsonl": "curation.exports.jsonl_files",
}
