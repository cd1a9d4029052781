"""The top of the page: title, key figures, and the counts by class and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from affectory.core.html.markup import Html, h
from affectory.core.html.parts import column
from affectory.core.numbers import count, number, percent
from curation.manifest.manifest import UNLABELLED, Manifest
from curation.report.bins import quantile
from curation.report.contents import shades
from curation.report.histograms import bar
from curation.report.picks import Array
from curation.report.scan import KINDS, Figures
from curation.report.twins import Twins
from curation.splits import SPLITS

SPLIT_NAMES = {"train": "training", "validation": "validation", "test": "test"}

#: Heads of a table's columns.
_SHORT = {"train": "Train", "validation": "Valid.", "test": "Test"}
_PAPER = ("Publ.", "Diff.")


def header(manifest: Manifest, figures: Figures, twins: Twins) -> Html:
    """Return the title, the summary, the key figures and the notes."""
    totals = figures.counts.sum(axis=1)
    parts = [(float(n), shade) for n, shade in zip(totals, shades(manifest.classes), strict=True)]
    strip = bar(parts, figures.rows, "Shares of the classes")
    return h(
        "header",
        h("p", h("b", note), cls="verdict bad") if (note := manifest.generated_note) else None,
        h("p", "Dataset report", cls="eyebrow"),
        h("h1", manifest.title, " ", h("span", manifest.version, cls="version")),
        h("p", manifest.summary, cls="summary"),
        h(
            "p",
            h("code", manifest.name),
            f" · after {manifest.paper}" if manifest.paper else None,
            cls="quiet",
        ),
        h("div", strip, cls="strip"),
        h("div", *_tiles(manifest, figures, twins), cls="tiles"),
        h("ul", *(h("li", note) for note in notes), cls="notes") if (notes := manifest.all_notes) else None,
        id="top",
    )


def _tiles(manifest: Manifest, figures: Figures, twins: Twins) -> list[Html]:
    rows, ledger, labelled = figures.rows, manifest.ledger, _labelled(manifest, figures)
    found = [
        (number(figures.posts), "posts", f"{count(rows, 'row')}" if rows != figures.posts else ""),
        (number(len(labelled)), "classes", _imbalance(labelled)),
        (percent(figures.images, rows), "with an image", number(figures.images)),
        (percent(ledger.kept, ledger.collected), "of collected kept", f"{ledger.dropped:,} dropped"),
    ]
    words = sum(figures.words, start=type(figures.words[0])())
    if (median := quantile(words, 0.5)) is not None:
        found.append((number(median), "words, median", f"{count(figures.texts, 'text')}"))
    leaks = twins.leaks.get("test", 0)
    found.append((number(leaks), "test posts duplicated in training", f"of {figures.test_posts:,}"))
    if figures.flagged:
        found.append((percent(figures.flagged, rows), "marked 18+", number(figures.flagged)))
    return [
        h("div", h("b", value), h("span", what), h("small", more) if more else None, cls="tile")
        for value, what, more in found
    ]


def _imbalance(counts: Array) -> str:
    totals = counts.sum(axis=1)
    return f"largest {totals.max() / totals.min():.1f} × smallest" if totals.min() else "one class is empty"


def _labelled(manifest: Manifest, figures: Figures) -> Array:
    """Return the counts by class, without the posts that have no label."""
    return figures.counts[:-1] if manifest.unlabelled else figures.counts


def classes(manifest: Manifest, figures: Figures) -> Html:
    """Return the counts by class and split beside the published ones; for a multi-label set, by label too."""
    legend = h(
        "p",
        *(h("span", h("i", cls=f"dot ink {s}"), SPLIT_NAMES[s]) for s in SPLITS),
        h("span", h("i", cls="dot tick"), _source(manifest)) if manifest.expected else None,
        cls="legend",
    )
    table = _counts("Class", manifest.classes, figures.counts, figures.rows, manifest.expected, foot=True)
    parts = [h("h2", "Classes and splits"), legend, h("div", table, cls="scroll"), *_kinds(manifest, figures)]
    if names := manifest.multilabel.names:
        several = _counts("Label", names, figures.holding, figures.rows, manifest.multilabel.expected)
        parts += [h("h3", "Labels (a post can have several)"), h("div", several, cls="scroll")]
    return h("section", *parts, id="classes")


def _source(manifest: Manifest) -> str:
    return f"the published count ({manifest.paper})" if manifest.paper else "the published count"


def _kinds(manifest: Manifest, figures: Figures) -> list[Html]:
    """Return one table for each of `KINDS`, if the release or the paper has more than one kind."""
    alone, rows = manifest.expected_image_only, figures.rows
    of_kind: list[dict[str, int]] = [{}, alone, {}]
    if alone:
        of_kind[0] = {name: n - alone.get(name, 0) for name, n in manifest.expected.items()}
    if not alone and (figures.kinds.sum(axis=(1, 2)) > 0).sum() < 2:
        return []
    parts = []
    for kind, counts, expected in zip(KINDS, figures.kinds, of_kind, strict=True):
        if counts.any() or expected:
            table = _counts("Class", manifest.classes, counts, rows, expected, foot=True)
            parts += [h("h3", kind), h("div", table, cls="scroll")]
    return parts


def _counts(
    what: str, names: Sequence[str], counts: Array, rows: int, expected: Mapping[str, int], foot: bool = False
) -> Html:
    """Return a table of counts (int64[name, split]) and, where there are any, of the published counts.

    Posts without a label are in the foot, below the total of the classes.
    """
    totals, known = counts.sum(axis=1), bool(expected)
    widest = max([*totals.tolist(), *expected.values(), 1])
    lines = {
        name: h(
            "tr",
            h("th", h("i", cls=f"dot {shade}"), name, scope="row"),
            h("td", _class_bar(shade, name, counts[i], widest, expected.get(name)), cls="wide"),
            *(cell(n) for n in counts[i]),
            cell(totals[i], "strong"),
            h("td", percent(totals[i], rows), cls="n share"),
            *(_beside(int(totals[i]), expected.get(name)) if known else ()),
        )
        for i, (name, shade) in enumerate(zip(names, shades(names), strict=True))
    }
    without = lines.pop(UNLABELLED, None)
    labelled = counts[: len(lines)]
    # The published total is compared with the total of the classes that the paper counts.
    ours = sum(int(n) for name, n in zip(names, totals, strict=True) if name in expected)
    last = h(
        "tr",
        h("th", "All", scope="row"),
        h("td", cls="wide"),
        *(cell(n) for n in labelled.sum(axis=0)),
        cell(labelled.sum(), "strong"),
        h("td", percent(labelled.sum(), rows), cls="n share"),
        *(_beside(ours, sum(expected.values())) if known else ()),
    )
    heads = [what, "", *(_SHORT[s] for s in SPLITS), "All", "Share", *_PAPER * known]
    tail = h("tfoot", last, without) if foot else None
    return h("table", head(heads), h("tbody", *lines.values()), tail, cls="figures")


def _class_bar(shade: str, name: str, counts: Array, widest: int, expected: int | None) -> Html:
    parts = [(float(n), f"{shade} {s}") for n, s in zip(counts, SPLITS, strict=True)]
    tip = ", ".join(f"{SPLIT_NAMES[s]} {n:,}" for s, n in zip(SPLITS, counts, strict=True))
    return bar(parts, widest, f"{name}: {tip}", expected)


def _beside(ours: int, paper: int | None) -> list[Html]:
    if paper is None:
        return [h("td", "–", cls="n"), h("td", "–", cls="n")]
    difference = ours - paper
    sign = "+" if difference > 0 else "\u2212"
    text = f"{sign}{number(abs(difference))}" if difference else "±0"
    share = f" ({sign}{percent(abs(difference), paper)})" if difference and paper else ""
    return [cell(paper), h("td", text, h("small", share), cls="n")]


def cell(value: int, extra: str = "") -> Html:
    """Return a table cell with a number."""
    return h("td", number(value), cls=f"n {extra}".strip())


def head(names: Sequence[str]) -> Html:
    """Return the head of a table whose columns hold numbers from the third on."""
    kinds = [None, "wide", *("n share" if name == "Share" else "n" for name in names[2:])]
    cells = [column(name, kind) for name, kind in zip(names, kinds, strict=True)]
    return h("thead", h("tr", *cells))
