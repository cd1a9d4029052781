"""The section on the words that are typical of each class."""

from __future__ import annotations

from affectory.core.html.markup import Html, h
from affectory.core.html.parts import column
from curation.manifest.manifest import UNLABELLED, Manifest
from curation.report.contents import shades
from curation.report.distributions import CLASSES
from curation.report.histograms import bar
from curation.report.scan import Figures
from curation.report.vocabulary import PRIOR

#: The most words listed for a class.
WORDS = 12


def section(manifest: Manifest, figures: Figures) -> Html | None:
    """Return each class's most distinctive words."""
    cards = []
    names = [name for name in manifest.classes if name != UNLABELLED]
    found = figures.vocabulary.distinctive(WORDS, len(names))[:CLASSES]
    widest = max((words[0].z for words in found if words), default=1)
    for name, shade, words in zip(names, shades(names), found, strict=False):
        rows = [
            h(
                "tr",
                h("th", h("bdi", one.word, title=one.word), scope="row"),
                h("td", bar([(one.z, shade)], widest, f"z = {one.z:.1f}"), cls="wide"),
                *(h("td", text, cls="n") for text in (f"{one.z:.1f}", f"{one.here:,}", f"{one.elsewhere:,}")),
            )
            for one in words
        ]
        head = ("Word", "", "z", "Here", "Else")
        cells = (column(text, "n" if i > 1 else None) for i, text in enumerate(head))
        table = h("table", h("thead", h("tr", *cells)), h("tbody", *rows), cls="figures slim")
        body = table if rows else h("p", "No distinctive words.", cls="quiet")
        cards.append(h("figure", h("figcaption", h("i", cls=f"dot {shade}"), name), body, cls="panel"))
    if not any(found):
        return None
    explained = (
        "Log-odds of a word in the class against all other classes, with an informative Dirichlet prior "
        f"({PRIOR} words, spread as in the whole release), over its standard deviation: z. “Here” and “Else” "
        "count the word in the class and elsewhere. Words with z ≥ 1.96 are shown, the highest first. "
        "Method: Monroe, Colaresi & Quinn (2008), “Fightin’ Words”, Political Analysis 16(4), 372–403."
    )
    grid = h("div", *cards, cls="charts narrow")
    return h("section", h("h2", "Distinctive words of each class"), h("p", explained), grid, id="words")
