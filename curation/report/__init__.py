"""The report of a release: one HTML page that opens offline, made only from the release's folder.

    from curation.report import write
    write(Path("datasets/reddit-emotion/1.0.0"))     # -> …/1.0.0/report.html

`contents` opens the folder, `scan` reads its columns once, `shown` reads the rows of the galleries, the
other modules turn figures into markup, and `page` puts the sections together. The same release gives the
same bytes: posts are chosen by hashes of their ids, and the page doesn't have the date of its making.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["write"]


def write(folder: Path, manifest: str | None = None) -> Path:
    """Write `report.html` into the folder of a release; return its path. Raises `ReleaseError`.

    `manifest` is the text of a manifest that isn't written yet; the default is the folder's manifest.json.
    """
    from curation.report.page import write as write_page  # pyarrow and Pillow: not for --help

    return write_page(folder, manifest)
