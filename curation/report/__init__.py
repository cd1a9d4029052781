"""The report of a release: one HTML page that opens offline, made from the release's folder alone.

    from curation.report import write
    write(Path("datasets/reddit-emotion/1.0.0"))     # -> …/1.0.0/report.html

`release` opens the folder, `scan` reads its columns once, `shown` reads the rows that the galleries
show, the other modules turn figures into markup, and `page` puts them together. The same release gives
the same bytes: what is shown is drawn by hashes of the posts' ids, and the page knows no clock.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["write"]


def write(folder: Path, manifest: str | None = None) -> Path:
    """Write `report.html` into a release's folder; return its path. Raises `ReleaseError`.

    `manifest` is the text of a manifest that isn't written yet (default: the folder's manifest.json).
    """
    from curation.report.page import write as write_page  # pyarrow and Pillow: not for --help

    return write_page(folder, manifest)
