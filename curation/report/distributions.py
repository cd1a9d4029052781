"""The section on distributions: words, scores, agreement, years, image sizes, languages."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from affectory.core.html.markup import Html, h
from affectory.core.numbers import count, number, percent
from curation.manifest.manifest import Manifest
from curation.report.bins import Bin, compact, fill, linear, logarithmic, quantile
from curation.report.contents import shades
from curation.report.histograms import Tick, bar, heat, histogram, ridges
from curation.report.scan import Figures
from curation.report.sizes import Sizes

#: The most classes with a chart of their own, and the most languages listed.
CLASSES, LANGUAGES = 24, 8


def section(manifest: Manifest, figures: Figures, sizes: Sizes) -> Html:
    """Return the section with its charts."""
    cards = [
        _words(manifest, figures),
        _scores(manifest, figures),
        _agreements(manifest, figures),
        _years(manifest, figures),
        *_images(figures, sizes),
        _languages(figures),
    ]
    grid = h("div", *(card for card in cards if card is not None), cls="charts")
    return h("section", h("h2", "Distributions"), _legend(manifest), grid, id="distributions")


def _legend(manifest: Manifest) -> Html:
    names = manifest.classes[:CLASSES]
    dots = zip(shades(names), names, strict=True)
    return h("p", *(h("span", h("i", cls=f"dot {shade}"), name) for shade, name in dots), cls="legend")


def _card(title: str, chart: Html, note: str) -> Html:
    return h("figure", h("figcaption", title), chart, h("p", note, cls="quiet"), cls="panel")


def _words(manifest: Manifest, figures: Figures) -> Html | None:
    every = _sum(figures.words)
    bins = linear(every)
    if not bins:
        return None
    last = f"{bins[-1][0]:,} or more" if bins[-1][1] - bins[-1][0] > bins[0][1] - bins[0][0] else None
    names = [_range(one) for one in bins[:-1]] + [last or _range(bins[-1])]
    step = max(1, math.ceil(len(bins) / 6))
    shown = figures.words[:CLASSES]
    medians = [quantile(words, 0.5) for words in shown]
    chart = ridges(
        manifest.classes[:CLASSES],
        shades(manifest.classes[:CLASSES]),
        [fill(words, bins) for words in shown],
        [None if m is None else (_among(m, bins), number(m)) for m in medians],
        [f"{name} words" for name in names],
        [(i + 0.5, compact(bins[i][0])) for i in range(0, len(bins), step)],
        "Posts by number of words, for each class",
        "words",
    )
    low, middle, high = (quantile(every, share) for share in (0.05, 0.5, 0.95))
    note = (
        f"Each class is scaled to its own maximum. Median of all {middle}; 90% have {low} to {high}. "
        f"{_without(figures.rows - figures.texts, 'text')}"
    )
    return _card("Words per post", chart, note)


def _among(value: int, bins: Sequence[Bin]) -> float:
    """Return the position of a value among bins of equal width."""
    return min((value - bins[0][0] + 0.5) / (bins[0][1] - bins[0][0] + 1), len(bins) - 0.5)


def _years(manifest: Manifest, figures: Figures) -> Html | None:
    every = _sum(figures.years)
    if not every:
        return None
    bins = linear(every, 24)
    names = [str(a) if a == b else f"{a} to {b}" for a, b in bins]
    tips = [f"{name}: {total:,}" for name, total in zip(names, fill(every, bins), strict=True)]
    marks = [(i + 0.5, str(bins[i][0])) for i in range(0, len(bins), math.ceil(len(bins) / 7))]
    series = [fill(one, bins) for one in figures.years]
    chart = histogram(series, shades(manifest.classes), tips, marks, "Posts by year", ("year", "posts"))
    middle = quantile(every, 0.5)
    note = f"Year of posting; median {middle}. {_without(figures.rows - every.total(), 'date')}"
    return _card("Year", chart, note)


def _agreements(manifest: Manifest, figures: Figures) -> Html | None:
    every = _sum(figures.agreements)
    if not every:
        return None
    bins = [(start, start + 4) for start in range(min(every) // 5 * 5, 100, 5)] + [(100, 100)]
    names = [f"{a}%" if a == b else f"{a} to {b}%" for a, b in bins]
    tips = [f"{name}: {total:,}" for name, total in zip(names, fill(every, bins), strict=True)]
    marks = [(i + 0.5, f"{a}%") for i, (a, _) in enumerate(bins) if a % 10 == 0]
    series = [fill(one, bins) for one in figures.agreements]
    chart = histogram(
        series,
        shades(manifest.classes),
        tips,
        marks,
        "Posts by the annotators' agreement",
        ("annotators who chose the label, %", "posts"),
    )
    whole = percent(every[100], every.total())
    note = f"Share of the annotators who chose the label. All agree on {whole} of the posts."
    return _card("Agreement of the annotators", chart, note)


def _scores(manifest: Manifest, figures: Figures) -> Html | None:
    every = _sum(figures.scores)
    if not every:
        return None
    positive = [value for value in every if value > 0]
    bins = logarithmic(min(positive), max(positive)) if positive else []
    low = sum(n for value, n in every.items() if value <= 0)
    if low or not bins:
        bins = [(0, 0), *bins]  # `fill` counts the values below it here too
    names = ["0 or less" if one == (0, 0) else _range(one) for one in bins]
    shown = figures.scores[:CLASSES]
    medians = [quantile(scores, 0.5) for scores in shown]
    chart = ridges(
        manifest.classes[:CLASSES],
        shades(manifest.classes[:CLASSES]),
        [fill(scores, bins) for scores in shown],
        [None if m is None else (_place(m, bins), number(m)) for m in medians],
        names,
        [(_place(v, bins), compact(v)) for v in _round(bins)],
        "Posts by score, on a log scale, for each class",
        "points, log scale",
    )
    missing = figures.rows - every.total()
    note = f"Each class is scaled to its own maximum. {_without(missing, 'score')}"
    return _card("Score by class", chart, note)


def _place(value: int, bins: Sequence[Bin]) -> float:
    """Return the position of a value among bins of equal width on a log scale."""
    for number_, (start, stop) in enumerate(bins):
        if value <= stop:
            if start <= 0 or value <= start:
                return number_ + (0.5 if start <= 0 else 0)
            return number_ + math.log(value / start) / math.log((stop + 1) / start)
    return len(bins)


def _round(bins: Sequence[Bin]) -> list[int]:
    """Return the powers of ten inside the bins, with multiples of them if there are fewer than four."""
    low, high = (
        max(1, bins[0][0], bins[min(1, len(bins) - 1)][0] if bins[0] == (0, 0) else 1),
        bins[-1][1] + 1,
    )
    for factors in ((1,), (1, 3), (1, 2, 5), range(1, 10)):
        powers = range(math.floor(math.log10(low)), math.floor(math.log10(max(high, 1))) + 1)
        found = [f * 10**p for p in powers for f in factors if low <= f * 10**p <= high]
        if len(found) >= 4:
            break
    return found


def _images(figures: Figures, sizes: Sizes) -> list[Html]:
    if not sizes.sides:
        return []
    longer = Counter(max(side) for side in sizes.sides)
    bins = logarithmic(max(1, min(longer)), max(longer), 36)
    filled = fill(longer, bins)
    tips = [f"{_range(one)} pixels: {n:,}" for one, n in zip(bins, filled, strict=True)]
    marks: list[Tick] = [(_place(v, bins), compact(v)) for v in _round(bins)]
    named = ("pixels, log scale", "images")
    chart = histogram([filled], ["ink"], tips, marks, "Images by their longer side, on a log scale", named)
    measured = len(sizes.sides)
    of_all = "All" if measured >= figures.images else f"A sample of {measured:,} of {figures.images:,}"
    kinds = ", ".join(f"{name} {percent(n, measured)}" for name, n in sizes.formats.most_common(4))
    broken = f" {count(sizes.unreadable, 'header')} can't be read." if sizes.unreadable else ""
    note = f"Median {number(quantile(longer, 0.5) or 0)}. {of_all} measured: {kinds}.{broken}"
    return [_card("Longer side of the images", chart, note), _shapes(sizes)]


def _shapes(sizes: Sizes) -> Html:
    """Return the chart of width against height."""
    lowest = math.floor(2 * math.log2(max(1, min(min(side) for side in sizes.sides))))
    highest = math.floor(2 * math.log2(max(max(side) for side in sizes.sides))) + 1
    columns = max(highest - lowest, 4)
    cells = Counter(
        tuple(math.floor(2 * math.log2(max(1, pixels))) - lowest for pixels in side) for side in sizes.sides
    )
    powers = range(math.ceil(lowest / 2), (lowest + columns) // 2 + 1)
    marks = [(2.0 * p - lowest, str(2**p)) for p in powers[:: max(1, math.ceil(len(powers) / 6))]]
    named = ("width, pixels", "height, pixels")
    chart = heat(
        {(a, b): n for (a, b), n in cells.items()}, columns, marks, "Images by width and height", named
    )
    wide = sum(w > h_ for w, h_ in sizes.sides)
    tall = sum(w < h_ for w, h_ in sizes.sides)
    total = len(sizes.sides)
    note = (
        f"{percent(wide, total)} landscape, "
        f"{percent(tall, total)} portrait, {percent(total - wide - tall, total)} square (on the diagonal)."
    )
    return _card("Shape of the images", chart, note)


def _languages(figures: Figures) -> Html | None:
    if not figures.texts:
        return None
    ranked = sorted(figures.languages.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(n for _, n in ranked[LANGUAGES:])
    listed = [(code or "not identified", n) for code, n in ranked[:LANGUAGES]]
    if rest:
        listed.append((f"{len(ranked) - LANGUAGES} others", rest))
    rows = [
        h(
            "tr",
            h("th", name, scope="row"),
            h("td", bar([(n, "ink")], ranked[0][1], f"{name}: {n:,}"), cls="wide"),
            h("td", number(n), cls="n"),
            h("td", percent(n, figures.texts), cls="n"),
        )
        for name, n in listed
    ]
    note = "Identified from the text alone; often wrong for short titles, see the borderline posts."
    return _card("Languages", h("table", h("tbody", *rows), cls="figures slim"), note)


def _sum(counters: Sequence[Counter[int]]) -> Counter[int]:
    total: Counter[int] = Counter()
    for counter in counters:
        for value, times in counter.items():
            total[value] += times
    return total


def _range(one: Bin) -> str:
    return number(one[0]) if one[0] == one[1] else f"{number(one[0])} to {number(one[1])}"


def _without(rows: int, what: str) -> str:
    return f"{count(rows, 'row')} without {what}." if rows else ""
