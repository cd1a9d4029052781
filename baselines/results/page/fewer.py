"""The section on fewer pairs: a chart and a table of each curve, as Figure 3 of Pagé Fortin 2019."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from affectory.core.html.markup import Html, h
from affectory.core.html.parts import table
from baselines.results import tables
from baselines.results.curve import Curve, curves
from baselines.results.formatting import in_sentence
from baselines.results.page.axes import scale
from baselines.results.page.plots import curve as draw
from baselines.results.schema import Figure, Results


def section(results: Results) -> Html | None:
    """Return the curves; None where no row was trained with fewer pairs."""
    found = curves(results)
    if not found:
        return None
    metric = found[0].metric
    chance = results.trivial.metrics.get(metric)
    percent = results.metrics[metric].endswith("%")
    ends = scale(value for one in found for value in _values(one))
    panels = [
        h(
            "figure",
            h("figcaption", one.title),
            draw(
                one,
                ends,
                f"{in_sentence(results.metrics[metric])} of {one.title} by share of pairs",
                metric=in_sentence(results.metrics[metric]),
                percent=percent,
                chance=chance,
            ),
            cls="panel",
        )
        for one in found
    ]
    return h(
        "section",
        h("h2", "Fewer pairs"),
        h("p", tables.on_curves(results)),
        h("p", *_legend(results, found, shows_chance=chance is not None and chance >= ends[0]), cls="legend"),
        h("div", *panels, cls="charts"),
        *(_figures(results, one) for one in found),
        id="fewer",
    )


def _figures(results: Results, one: Curve) -> Html:
    """Return the table of a curve; that of a single modality is folded."""
    heading, shown = (
        tables.curve_heading(results, one),
        table(*tables.points(results, one), "figures stacked sortable"),
    )
    if one.mode == "both":
        return h("div", h("h3", heading), shown)
    return h("details", h("summary", heading), shown)


def _legend(results: Results, found: Sequence[Curve], *, shows_chance: bool) -> list[Html]:
    named = [("dot ours", "with unpaired posts"), ("dot alone", "pairs alone")]
    for level in {level.title: level for one in found for level in one.levels}.values():
        named.append((f"dot dash {level.mode}", f"{level.title} ({level.mode} only)"))
    if any(one.compares for one in found):
        named.append(("dot hollow", "the paper"))
    if shows_chance:
        named.append(("dot dash chance", results.trivial.title))
    metric = in_sentence(results.metrics[found[0].metric])
    spread = h("span", f"{metric}, bars are 95% intervals over seeds; the share of pairs is on a log scale")
    return [*(h("span", h("i", cls=cls), text) for cls, text in named), spread]


def _values(one: Curve) -> Iterator[float]:
    """Yield every value that a chart has to hold."""
    figures: list[Figure | None] = [level.figure for level in one.levels]
    theirs = [level.theirs for level in one.levels]
    for point in one.points:
        figures += [point.unpaired, point.alone]
        theirs += [point.their_unpaired, point.their_alone]
    yield from (float(value.value) for value in theirs if value)
    for figure in figures:
        if figure:
            yield figure.mean
            yield from (figure.interval.low, figure.interval.high) if figure.interval else ()
