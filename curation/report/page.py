"""The page: everything put together, and written under a temporary name first.

Its policy (Content-Security-Policy) allows inline pictures, this one style and this one script, by their
digests, and nothing else: the page can't ask the network for anything, and no title can run.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from pathlib import Path

from curation.manifest.manifest import Manifest
from curation.report import (
    distributions,
    dropped_rows,
    flow,
    galleries,
    overview,
    own_words,
    shown,
    sizes,
    twins,
)
from curation.report.contents import Release, open_release
from curation.report.markup import Html, h, join, number
from curation.report.scan import Figures, scan


def write(folder: Path, manifest: str | None = None) -> Path:
    """Write `report.html` into a release's folder; return its path. Raises `ReportError`."""
    page = render(open_release(folder, manifest))
    path, temporary = folder / "report.html", folder / "report.html.tmp"
    try:
        temporary.write_text(page, encoding="utf-8", newline="\n")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def render(release: Release) -> str:
    """Return the page of a release."""
    manifest, figures = release.manifest, scan(release)
    pairs = twins.find(figures.members)
    lost = dropped_rows.look(release)
    places = {place for group in pairs.shown for place in group.places} | set(lost.kept.values())
    for picked in [*figures.random, *figures.borderline.values()]:
        places.update(picked.places)
    posts = shown.fetch(release, places, pairs.flagged)
    sections = [
        flow.checked(flow.checks(manifest, figures, pairs, lost)),
        overview.classes(manifest, figures),
        flow.waterfall(manifest.ledger),
        distributions.section(manifest, figures, sizes.measure(release)),
        own_words.section(manifest, figures),
        galleries.duplicates(manifest, figures, pairs, posts),
        galleries.random(manifest, figures, posts),
        galleries.borderline(manifest, figures, posts),
        galleries.dropped(manifest, lost, posts),
        _colophon(manifest),
    ]
    return _document(manifest, [overview.header(manifest, figures, pairs), *sections], figures)


_PLACES = {
    "classes": "Classes",
    "waterfall": "Ledger",
    "distributions": "Distributions",
    "words": "Words",
    "duplicates": "Duplicates",
    "random": "Random",
    "borderline": "Borderline",
    "dropped": "Dropped",
    "colophon": "Recipe",
}


def _document(manifest: Manifest, sections: list[Html | None], figures: Figures) -> str:
    style = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    script = resources.files(__package__).joinpath("page.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    body = join((section for section in sections if section is not None), "\n")
    links = [h("a", text, href=f"#{key}") for key, text in _PLACES.items() if f'id="{key}"' in body]
    title = f"{manifest.title} {manifest.version}"
    page = h(
        "html",
        h(
            "head",
            h("meta", charset="utf-8"),
            h("meta", http_equiv="Content-Security-Policy", content=policy),
            h("meta", name="viewport", content="width=device-width, initial-scale=1"),
            h("meta", name="color-scheme", content="light dark"),
            h("meta", name="referrer", content="no-referrer"),
            h("meta", name="description", content=f"{manifest.summary} {figures.posts:,} posts."),
            h("title", title),
            h("style", Html(style)),
        ),
        "\n",
        h(
            "body",
            h("nav", h("a", manifest.name, href="#top", cls="home"), *links, aria_label="Sections"),
            "\n",
            h("main", body),
            h("script", Html(script)),
        ),
        lang="en",
    )
    return f"<!doctype html>\n{page}\n"


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _colophon(manifest: Manifest) -> Html:
    """Return what the release was made from, and by what."""
    rows = [
        h(
            "tr",
            h("th", one.path, scope="row"),
            h("td", number(one.rows), cls="n"),
            h("td", _size(one.bytes), cls="n"),
        )
        for one in manifest.files
    ]
    heads = h(
        "tr", h("th", "File", scope="col"), *(h("th", x, scope="col", cls="n") for x in ("Rows", "Size"))
    )
    made = ", ".join(f"{tool} {version}" for tool, version in sorted(manifest.tools.items()))
    known = (("Recipe", manifest.recipe_digest), ("Input", manifest.input_digest), ("Made with", made))
    recipe = json.dumps(manifest.recipe, indent=2, ensure_ascii=False)
    return h(
        "section",
        h("h2", "Recipe and files"),
        h("dl", *(join([h("dt", key), h("dd", h("code", value))]) for key, value in known if value)),
        h("div", h("table", h("thead", heads), h("tbody", *rows), cls="figures files"), cls="scroll"),
        h("details", h("summary", "The recipe"), h("pre", recipe)),
        h(
            "p",
            "The pictures on this page are thumbnails of the release’s images and remain their authors’; "
            "each card links to its source. The page needs no network and keeps nothing.",
            cls="quiet",
        ),
        id="colophon",
    )


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
