"""The section with learning curves: validation scores by epoch, a chart a condition; losses, a chart a row.

The scores are those of Figures 22 and 23 of the slides of Pham Thai Hoang Tung et al. 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from statistics import median
from typing import TypeVar

from affectory.core.html.markup import Html, h
from affectory.core.html.parts import colour
from baselines.results import comparison as c
from baselines.results.formatting import in_sentence
from baselines.results.page.axes import rounded, scale, tenths
from baselines.results.page.plots import Run, epochs
from baselines.results.schema import Results, Row

#: Charts that are open; the others are folded.
_OPEN, _OPEN_LOSSES = 4, 12
#: Scores that are less than this apart have a line at every twentieth, not only at every tenth.
_NARROW = 0.3
#: Lines that a colour of their own tells apart; those after them are dashed.
_COLOURS = 8

_T = TypeVar("_T")


def section(results: Results) -> Html | None:
    """Return the charts; None where no row has scores of two epochs or more."""
    rows = [row for row in results.rows if _networks(row.history)]
    if not rows:
        return None
    models = list(dict.fromkeys(row.model for row in rows))
    titles = {row.model: row.title for row in reversed(rows)}
    groups: dict[str, list[Run]] = {}
    several = len({row.family for row in rows}) > 1
    for row in rows:
        groups.setdefault(_caption(results, row, several=several), []).append(
            _run(_networks(row.history), titles[row.model], _class(models.index(row.model)))
        )
    seen = [value for runs in groups.values() for run in runs for value in (*run.low, *run.high)]
    lines = 20 if max(seen) - min(seen) < _NARROW else 10
    metric = results.metrics[c.headline(results)]
    axis = tenths(scale(seen, lines), percent=metric.endswith("%"), lines=lines)
    panels = [
        _panel(
            name,
            epochs(
                runs,
                axis,
                f"{in_sentence(metric)} on validation by epoch, {name}",
                in_sentence(metric),
            ),
        )
        for name, runs in groups.items()
    ]
    legend = [
        h("span", h("i", cls=f"dot line {_class(place)}"), titles[model])
        for place, model in enumerate(models)
    ]
    return h(
        "section",
        h("h2", "Learning curves"),
        h("p", _note(metric, rows, "seeds and folds" if results.dataset.folds else "seeds")),
        h("p", *legend, cls="legend"),
        *_folded(panels, _OPEN, "More conditions"),
        *_losses(results, rows),
        id="validation",
    )


def _panel(name: str, drawn: Html) -> Html:
    return h("figure", h("figcaption", name), drawn, cls="panel")


def _folded(panels: Sequence[Html], shown: int, more: str, cls: str = "charts") -> list[Html]:
    """Return panels, those after the first few folded."""
    found = [h("div", *panels[:shown], cls=cls)]
    if rest := panels[shown:]:
        summary = h("summary", more, h("small", f"{len(rest)}"))
        found.append(h("details", summary, h("div", *rest, cls=cls)))
    return found


def _losses(results: Results, rows: Sequence[Row]) -> list[Html]:
    """Return a chart a row with its losses of training and of validation; each has its own scale."""
    panels = []
    for row in rows:
        networks = _networks([one for one in row.losses if not any(None in epoch for epoch in one)])
        if not networks:
            continue
        name = c.title(results, row)
        runs = [
            _run([[epoch[side] or 0.0 for epoch in one] for one in networks], told, cls)
            for side, (told, cls) in enumerate((("training", "trained second"), ("validation", "ours")))
        ]
        seen = [value for run in runs for value in (*run.low, *run.high)]
        axis = rounded(min(seen), max(seen))
        panels.append(_panel(name, epochs(runs, axis, f"losses by epoch, {name}", "loss")))
    if not panels:
        return []
    legend = [
        h("span", h("i", cls=f"dot line {cls}"), told)
        for told, cls in (("training", "trained second"), ("validation", "ours"))
    ]
    note = (
        "The loss of training is that of the whole objective with dropout on, averaged over an epoch's "
        "steps, and that of validation the cross-entropy: their levels may differ. Each chart has its own "
        "scale."
    )
    return [
        h("h3", "Losses"),
        h("p", note),
        h("p", *legend, cls="legend"),
        *_folded(panels, _OPEN_LOSSES, "Losses of the other rows", "charts small"),
    ]


def _note(metric: str, rows: list[Row], over: str) -> str:
    told = (
        f"{metric} on validation after each epoch of the last stage: the median over {over}, and a band from "
        "the smallest to the largest."
    )
    if any(len({len(one) for one in _networks(row.history)}) > 1 for row in rows):
        told += f" A line is dotted where some {over} had stopped; its median is then that of the others."
    return told


def _caption(results: Results, row: Row, *, several: bool) -> str:
    """Return the condition, with the family where there are several."""
    told = row.condition.text or "all training posts"
    told = told[0].upper() + told[1:]
    if not several:
        return told
    paper = c.reporting(results, row.family)
    return f"{told}, {paper.citation if paper else row.family}"


def _networks(history: Sequence[Sequence[_T]]) -> list[Sequence[_T]]:
    """Return what was noted by epoch, network by network; nothing of a row with less than two epochs."""
    found = [one for one in history if one]
    return found if max(map(len, found), default=0) > 1 else []


def _run(networks: Sequence[Sequence[float]], title: str, cls: str) -> Run:
    by_epoch = [[one for one in values if one is not None] for values in zip_longest(*networks)]
    return Run(
        title,
        cls,
        tuple(map(median, by_epoch)),
        tuple(map(min, by_epoch)),
        tuple(map(max, by_epoch)),
        min(map(len, networks)),
    )


def _class(place: int) -> str:
    """Return the CSS classes of a line."""
    return colour(place) + " second" * (place // _COLOURS % 2)
