"""The whole page: its sections put together, written to a temporary file and renamed."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from affectory.core import files
from affectory.core.html import shell
from affectory.core.html.markup import Html, h
from affectory.core.html.parts import IMAGES_NOTE, table, terms
from baselines.results import comparison, tables
from baselines.results.page import answers, classes, gallery, scores
from baselines.results.page.posts import Posts
from baselines.results.papers import figures
from baselines.results.schema import Results, read

#: The links of the navigation.
_PLACES = {
    "table4": "Table 4",
    "table5": "Table 5",
    "pairs": "Neighbours",
    "classes": "Classes",
    "spaces": "Vectors",
    "disagree": "Disagreements",
    "runs": "Runs",
}


def write(folder: Path, posts: Posts) -> Path:
    """Write `results.html` into a run's folder; return its path. Raises `BaselineError`."""
    return files.write(folder / "results.html", render(folder, posts))


def render(folder: Path, posts: Posts) -> str:
    """Return the page of a run."""
    results = read(folder)
    name, version = results.dataset.name, results.dataset.version
    paper = figures(name)
    kinds = answers.kinds(answers.read(folder, results))
    shown = posts([one.key for found in kinds.values() for one in found[: answers.MOST]])
    tests = sum(comparison.tested(results.dataset).values())
    return shell.page(
        [
            scores.header(results, paper),
            scores.table4(results, paper),
            scores.table5(results, paper),
            scores.pairs(results),
            classes.section(results),
            classes.spaces(results),
            gallery.section(kinds, shown, results.dataset.classes, tests),
            _runs(results),
        ],
        title=f"{name} {version}: baselines",
        home=name,
        places=_PLACES,
        style=resources.files(__package__).joinpath("results.css").read_text(encoding="utf-8"),
    )


def _runs(results: Results) -> Html:
    """Return the section with the command, the device, the tools, and each model's settings."""
    made = ", ".join(f"{tool} {version}" for tool, version in sorted(results.tools.items()))
    known = (
        ("Command", results.command),
        ("Device", results.device),
        ("Date", results.date),
        ("Made with", made),
    )
    settings = [
        (row.title, ", ".join(f"{key} = {json.dumps(value)}" for key, value in row.settings.items()))
        for row in results.rows
    ]
    given_up = [*comparison.stopped(results), *comparison.left_out(results)]
    return h(
        "section",
        h("h2", "Runs"),
        terms(known),
        table(*tables.provenance(results), cls="figures slim"),
        h("ul", *(h("li", text) for text in given_up), cls="notes") if given_up else None,
        h("details", h("summary", "Settings of each model"), terms(settings)),
        h(
            "p",
            f"{IMAGES_NOTE} All numbers are also in results.json and all predictions in predictions.parquet, "
            "in the same folder.",
            cls="quiet",
        ),
        id="runs",
    )
