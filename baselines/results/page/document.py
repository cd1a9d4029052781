"""The whole page: its sections put together, written to a temporary file and renamed."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

from affectory.core import files
from affectory.core.html import shell
from affectory.core.html.markup import Html, h
from affectory.core.html.parts import IMAGES_NOTE, table, terms
from baselines.results import comparison, notes, tables
from baselines.results.page import answers, classes, fewer, gallery, scores, validation
from baselines.results.page.posts import Posts
from baselines.results.schema import Results, read

#: The links of the navigation after those of the tables.
_PLACES = {
    "fewer": "Fewer pairs",
    "validation": "Learning curves",
    "pairs": "Neighbours",
    "classes": "Classes",
    "spaces": "Vectors",
    "classifiers": "Classifiers",
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
    kinds = answers.kinds(answers.read(folder, results), results.rows)
    first = comparison.classifiers(results)
    by_mode = answers.by_mode(folder, results, first) if first else {}
    keys = [one.key for found in kinds.values() for one in found[: answers.MOST]]
    keys += [one.key for found in by_mode.values() for one in found[: answers.MOST_BY_MODE]]
    shown = posts(list(dict.fromkeys(keys)))
    return shell.page(
        [
            scores.header(results),
            *scores.sections(results),
            fewer.section(results),
            validation.section(results),
            scores.pairs(results),
            classes.section(results),
            classes.spaces(results),
            gallery.classifiers(by_mode, shown, results, first) if first else None,
            gallery.section(kinds, shown, results),
            _runs(results),
        ],
        title=f"{name} {version}: baselines",
        home=name,
        places=_places(results),
        sorts=True,
        style=resources.files(__package__).joinpath("results.css").read_text(encoding="utf-8"),
    )


def _places(results: Results) -> dict[str, str]:
    """Return the links of the navigation: the tables by number or title, then the other sections.

    Of tables with one title, such as one for each metric, the first has a link.
    """
    places: dict[str, str] = {}
    for place, table_ in enumerate(comparison.tables(results), 1):
        title = re.split(r":|,| \(", table_.heading)[0]
        if title not in places.values():
            places[f"table-{place}"] = title
    word = "Labels" if results.dataset.task == "several" else "Classes"
    return places | _PLACES | {"classes": word}


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
        (
            comparison.title(results, row),
            ", ".join(f"{key} = {json.dumps(value)}" for key, value in row.settings.items()),
        )
        for row in results.rows
    ]
    given_up = notes.given_up(results)
    return h(
        "section",
        h("h2", "Runs"),
        terms(known),
        table(*tables.provenance(results), cls="figures slim stacked sortable"),
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
