"""The section on validation: the headline metric after each epoch, a chart a condition.

As Figures 22 and 23 of the slides of Pham Thai Hoang Tung et al. 2023.
"""

from __future__ import annotations

from itertools import zip_longest

from affectory.core.html.markup import Html, h
from affectory.core.html.parts import colour
from baselines.results import comparison as c
from baselines.results.formatting import in_sentence
from baselines.results.page.plots import Run, epochs, scale
from baselines.results.schema import Results, Row

#: Charts that are open; the others are folded.
_OPEN = 4
#: Scores that are less than this apart have a line at every twentieth, not only at every tenth.
_NARROW = 0.3
#: Lines that a colour of their own tells apart; those after them are dashed.
_COLOURS = 8


def section(results: Results) -> Html | None:
    """Return the charts; None where no row has scores of two epochs or more."""
    rows = [row for row in results.rows if _seeds(row)]
    if not rows:
        return None
    models = list(dict.fromkeys(row.model for row in rows))
    titles = {row.model: row.title for row in reversed(rows)}
    groups: dict[str, list[Run]] = {}
    several = len({row.family for row in rows}) > 1
    for row in rows:
        groups.setdefault(_caption(results, row, several=several), []).append(
            _run(row, titles[row.model], _class(models.index(row.model)))
        )
    seen = [value for runs in groups.values() for run in runs for value in (*run.low, *run.high)]
    lines = 20 if max(seen) - min(seen) < _NARROW else 10
    ends = scale(seen, lines)
    metric = results.metrics[c.headline(results)]
    panels = [
        h(
            "figure",
            h("figcaption", name),
            epochs(
                runs,
                ends,
                f"{in_sentence(metric)} on validation by epoch, {name}",
                percent=metric.endswith("%"),
                lines=lines,
            ),
            cls="panel",
        )
        for name, runs in groups.items()
    ]
    shown, rest = (h("div", *some, cls="charts") for some in (panels[:_OPEN], panels[_OPEN:]))
    more = h("summary", "More conditions", h("small", f"{len(panels) - _OPEN}"))
    legend = [
        h("span", h("i", cls=f"dot line {_class(place)}"), titles[model])
        for place, model in enumerate(models)
    ]
    return h(
        "section",
        h("h2", "Validation"),
        h("p", _note(metric, rows)),
        h("p", *legend, cls="legend"),
        shown,
        h("details", more, rest) if len(panels) > _OPEN else None,
        id="validation",
    )


def _note(metric: str, rows: list[Row]) -> str:
    told = (
        f"{metric} on validation after each epoch of the last stage: the mean over seeds, and a band from "
        "the smallest to the largest."
    )
    if any(len({len(one) for one in _seeds(row)}) > 1 for row in rows):
        told += " A line is dotted where some seeds had stopped; its mean is then that of the others."
    return told


def _caption(results: Results, row: Row, *, several: bool) -> str:
    """Return the condition, with the family where there are several."""
    told = row.condition.text or "all training posts"
    told = told[0].upper() + told[1:]
    if not several:
        return told
    paper = c.reporting(results, row.family)
    return f"{told}, {paper.citation if paper else row.family}"


def _seeds(row: Row) -> list[tuple[float, ...]]:
    """Return the scores of the seeds that have any; nothing of a row with less than two epochs."""
    found = [one for one in row.history if one]
    return found if max(map(len, found), default=0) > 1 else []


def _run(row: Row, title: str, cls: str) -> Run:
    seeds = _seeds(row)
    by_epoch = [[one for one in scores if one is not None] for scores in zip_longest(*seeds)]
    return Run(
        title,
        cls,
        tuple(sum(scores) / len(scores) for scores in by_epoch),
        tuple(map(min, by_epoch)),
        tuple(map(max, by_epoch)),
        min(map(len, seeds)),
    )


def _class(place: int) -> str:
    """Return the CSS classes of a line."""
    return colour(place) + " second" * (place // _COLOURS % 2)
