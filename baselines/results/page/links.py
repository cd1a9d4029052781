"""Links between pages: from a run's page to the index of all results, and to the release's report.

All are relative, so that they work from file:// and in a copy of the folders.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from affectory.core.addresses import Place
from affectory.core.html.markup import Html, h

#: The index of all results, in the folder that holds those of each dataset.
INDEX = "index.html"

#: The same as a run's page sees it: results/NAME/VERSION/results.html.
FROM_RUN = f"../../{INDEX}"


def report(folder: Path, datasets: Place, name: str, version: str) -> str:
    """Return a release's report as seen from a run's folder; "" where there is none on this machine."""
    if not isinstance(datasets, Path):
        return ""
    page = datasets / name / version / "report.html"
    return relative(page, folder) if page.is_file() else ""


def relative(target: Path, folder: Path) -> str:
    """Return a path as seen from a folder, with slashes. As in a browser, symbolic links aren't resolved."""
    return Path(os.path.relpath(target, folder)).as_posix()


def href(path: str) -> str:
    """Return a relative path as a link has it."""
    return quote(path)


def above(what: str, index: str = FROM_RUN, report_: str = "") -> Html:
    """Return the line above a page's title: what it is, the index, the release's report; "" for no link."""
    named = ((index, "all results"), (report_, "the release’s report"))
    links = [h("a", text, href=href(path)) for path, text in named if path]
    return h("p", what, *(part for link in links for part in (" · ", link)), cls="eyebrow")
