"""The report's page: its sections in order, written to a temporary file and renamed."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from affectory.core import files
from affectory.core.html import shell
from affectory.core.html.markup import Html, h
from affectory.core.html.parts import IMAGES_NOTE, table, terms
from affectory.core.numbers import number
from curation.manifest.manifest import Manifest
from curation.report import (
    attrition_tables,
    browse,
    distributions,
    dropped_rows,
    flow,
    galleries,
    look_first,
    overview,
    own_words,
    shown,
    sizes,
    twins,
)
from curation.report.contents import Release, open_release
from curation.report.scan import scan

#: The links of the navigation.
_PLACES = {
    "look-first": "Look here first",
    "classes": "Classes",
    "waterfall": "Ledger",
    "attrition": "Lost",
    "distributions": "Distributions",
    "words": "Words",
    "duplicates": "Duplicates",
    "random": "Random",
    "borderline": "Borderline",
    "dropped": "Dropped",
    "browse": "Browse",
    "colophon": "Recipe",
}


def write(folder: Path, manifest: str | None = None) -> Path:
    """Write `report.html` into a release's folder; return its path. Raises `ReleaseError`."""
    return files.write(folder / "report.html", render(open_release(folder, manifest)))


def render(release: Release) -> str:
    """Return the page of a release."""
    manifest, figures = release.manifest, scan(release)
    pairs = twins.find(figures.members)
    lost = dropped_rows.look(release, figures.sample.size)
    places = {place for group in pairs.shown for place in group.places} | set(lost.kept.values())
    for picked in [*figures.random, *figures.borderline.values()]:
        places.update(picked.places)
    posts = shown.fetch(release, places, pairs.flagged)
    entries = browse.gather(release, figures, pairs.flagged, lost)
    sections = [
        look_first.section(release, figures, pairs, entries),
        flow.checked(flow.checks(manifest, figures, pairs, lost)),
        overview.classes(manifest, figures),
        flow.waterfall(manifest.ledger),
        attrition_tables.section(manifest),
        distributions.section(manifest, figures, sizes.measure(release)),
        own_words.section(manifest, figures),
        galleries.duplicates(manifest, figures, pairs, posts),
        galleries.random(manifest, figures, posts),
        galleries.borderline(manifest, figures, posts),
        galleries.dropped(manifest, lost, posts),
        browse.section(manifest, entries, figures.rows + lost.told),
        _colophon(manifest),
    ]
    own = resources.files(__package__)
    return shell.page(
        [overview.header(manifest, figures, pairs), *sections],
        title=f"{manifest.title} {manifest.version}",
        home=manifest.name,
        places=_PLACES,
        style=own.joinpath("report.css").read_text(encoding="utf-8"),
        script=own.joinpath("browse.js").read_text(encoding="utf-8"),
        description=f"{manifest.summary} {figures.posts:,} posts.",
    )


def _colophon(manifest: Manifest) -> Html:
    """Return the section with the recipe, the digests, the tools and the files."""
    made = ", ".join(f"{tool} {version}" for tool, version in sorted(manifest.tools.items()))
    known = (("Recipe", manifest.recipe_digest), ("Input", manifest.input_digest), ("Made with", made))
    files = [(one.path, number(one.rows), _size(one.bytes)) for one in manifest.files]
    recipe = json.dumps(manifest.recipe, indent=2, ensure_ascii=False)
    return h(
        "section",
        h("h2", "Recipe and files"),
        terms(known),
        table(("File", "Rows", "Size"), files, cls="figures files"),
        h("details", h("summary", "The recipe"), h("pre", recipe)),
        h(
            "p",
            f"{IMAGES_NOTE} Each card links to its source.",
            cls="quiet",
        ),
        id="colophon",
    )


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
