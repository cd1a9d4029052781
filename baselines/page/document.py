"""The whole page, written under a temporary name first.

Its policy (Content-Security-Policy) allows inline pictures, this one style and this one script, by their
digests, and nothing else: the page can't ask the network for anything, and no post's text can run.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from affectory.core import files
from baselines import comparison, tables
from baselines.page import Posts, answers, classes, gallery, scores
from baselines.page.markup import Html, h, join, table
from baselines.paper import figures
from baselines.results import Results, read

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
    paper = figures(results.dataset.name)
    kinds = answers.kinds(answers.read(folder, results))
    shown = posts([one.key for found in kinds.values() for one in found[: answers.MOST]])
    tests = sum(comparison.tested(results.dataset).values())
    sections = [
        scores.header(results, paper),
        scores.table4(results, paper),
        scores.table5(results, paper),
        scores.pairs(results),
        classes.section(results),
        classes.spaces(results),
        gallery.section(kinds, shown, results.dataset.classes, tests),
        _runs(results),
    ]
    return _document(results, join((section for section in sections if section is not None), "\n"))


def _document(results: Results, body: Html) -> str:
    style = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    script = resources.files(__package__).joinpath("page.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    links = [h("a", text, href=f"#{key}") for key, text in _PLACES.items() if f'id="{key}"' in body]
    name = results.dataset.name
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", http_equiv="Content-Security-Policy", content=policy),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("meta", name="color-scheme", content="light dark"),
        h("meta", name="referrer", content="no-referrer"),
        h("title", f"{name} {results.dataset.version}: baselines"),
        h("style", Html(style)),
    )
    navigation = h("nav", h("a", name, href="#top", cls="home"), *links, aria_label="Sections")
    page = h(
        "html", head, "\n", h("body", navigation, "\n", h("main", body), h("script", Html(script))), lang="en"
    )
    return f"<!doctype html>\n{page}\n"


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _runs(results: Results) -> Html:
    """Return what stands behind every row, and how to run it again."""
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
        _terms(known),
        table(*tables.provenance(results), cls="figures slim"),
        h("ul", *(h("li", text) for text in given_up), cls="notes") if given_up else None,
        h("details", h("summary", "Settings of each model"), _terms(settings)),
        h(
            "p",
            "The pictures on this page are thumbnails of the release's images and remain their authors'. "
            "The page needs no network and keeps nothing. Every number stands in results.json beside it, "
            "every answer in predictions.parquet.",
            cls="quiet",
        ),
        id="runs",
    )


def _terms(known: Iterable[tuple[str, str]]) -> Html:
    return h("dl", *(join([h("dt", key), h("dd", h("code", value))]) for key, value in known if value))
