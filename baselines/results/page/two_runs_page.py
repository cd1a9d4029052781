"""The page of a comparison of two runs: `compare.html`, one file that opens offline."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from affectory.core import files
from affectory.core.html import shell
from affectory.core.html.markup import Html, h
from affectory.core.html.parts import table
from baselines.results import two_runs_tables as told
from baselines.results.page.blocks import stacked
from baselines.results.page.links import INDEX, above, href, relative
from baselines.results.two_runs import Side, TwoRuns


def write(folder: Path, found: TwoRuns, results: Path | None = None) -> Path:
    """Write `compare.html` into a folder; return its path. `results`: the folder of all results around it."""
    return files.write(folder / "compare.html", render(folder, found, results))


def render(folder: Path, found: TwoRuns, results: Path | None = None) -> str:
    """Return the page, with links to the pages of the two runs and to the index of all results."""
    return shell.page(
        [_header(folder, found, results), _rows(found), _metrics(found), _lone(found), _settings(found)],
        title=told.title(found),
        home="Comparison",
        places={"rows": "Rows", "metrics": "Other metrics", "lone": "In one run", "settings": "Settings"},
        style=resources.files(__package__).joinpath("results.css").read_text(encoding="utf-8"),
        sorts=True,
    )


def _header(folder: Path, found: TwoRuns, results: Path | None) -> Html:
    sides = (found.first, found.second)
    generated = dict.fromkeys(side.generated for side in sides if side.generated)
    return h(
        "header",
        *(h("p", h("b", note), cls="verdict bad") for note in generated),
        above("Two runs compared", relative(results / INDEX, folder) if results else ""),
        h("h1", told.title(found)),
        h("p", told.finding(found), cls="summary"),
        h("ol", *(h("li", _side(folder, side)) for side in sides)),
        id="top",
    )


def _side(folder: Path, side: Side) -> Html | str:
    """Return a run in a line, as a link where it has a page."""
    page = Path(side.folder) / "results.html"
    line = told.described(side)
    return h("a", line, href=href(relative(page, folder))) if page.is_file() else line


def _rows(found: TwoRuns) -> Html | None:
    """Return a table a mode."""
    if not found.rows:
        return None
    blocks: list[Html] = []
    for mode in told.modes(found):
        head, rows = told.rows(found, mode)
        blocks += [h("h3", told.heading(found, mode)), stacked(head, rows)]
    return h("section", h("h2", "Rows"), *blocks, h("p", told.on_rows(found), cls="quiet"), id="rows")


def _metrics(found: TwoRuns) -> Html | None:
    head, rows = told.metrics(found)
    if not rows:
        return None
    note = "Both runs’ means over seeds, with all inputs."
    return h("section", h("h2", "Other metrics"), h("p", note), stacked(head, rows), id="metrics")


def _lone(found: TwoRuns) -> Html | None:
    lines = told.lone(found)
    if not lines:
        return None
    return h("section", h("h2", "In one run"), *(h("p", line) for line in lines), id="lone")


def _settings(found: TwoRuns) -> Html:
    """Return the settings that differ."""
    head, rows = told.settings(found)
    shown = table(head, rows, "figures settings") if rows else h("p", "None.")
    return h("section", h("h2", "Settings that differ"), shown, id="settings")
