"""The page of `baselines.missing`: `missing.html`, one file that opens offline, made from `missing.json`."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from affectory.core import files
from affectory.core.html import shell
from affectory.core.html.markup import Html, h
from affectory.core.html.parts import colour, table, terms
from baselines.data.batch import Modality
from baselines.results import headline
from baselines.results import missing_tables as told
from baselines.results.formatting import in_sentence, number
from baselines.results.missing_schema import PROTOCOLS, Line, Missing, read
from baselines.results.page import links
from baselines.results.page.axes import scale
from baselines.results.page.blocks import stacked
from baselines.results.page.plots import RateLine, by_rate
from baselines.results.tables import Rows

#: Lines that a colour of their own tells apart; those after them are dashed.
_COLOURS = 8

#: The posts that lose a modality, by protocol.
_POSTS = {"train": "Training posts", "test": "Test posts", "both": "Training and test posts"}


def write(folder: Path) -> Path:
    """Write `missing.html` into a run's folder; return its path. Raises `BaselineError`."""
    return files.write(folder / "missing.html", render(read(folder)))


def render(found: Missing) -> str:
    """Return the page of a run."""
    name, version = found.dataset.name, found.dataset.version
    return shell.page(
        [_header(found), _curves(found), _areas(found), _gone(found), _runs(found)],
        title=f"{name} {version}: posts without an image or a text",
        home=name,
        places={"curves": "Curves", "areas": "Areas", "gone": "Image gone", "runs": "Run"},
        sorts=True,
        style=resources.files(__package__).joinpath("results.css").read_text(encoding="utf-8"),
    )


def _header(found: Missing) -> Html:
    dataset = found.dataset
    by_chance = headline.on_chance(dataset, found.trivial, found.metrics, found.headline)
    return h(
        "header",
        h("p", h("b", dataset.generated), cls="verdict bad") if dataset.generated else None,
        links.above("Posts without an image or a text", report_=found.report),
        h("h1", dataset.name, " ", h("span", dataset.version, cls="version")),
        h("p", " ".join([*(_best(found, one) for one in found.modalities), by_chance]), cls="summary"),
        h("p", f"{told.caption(found)} · {found.device} · {found.date}", cls="quiet"),
        id="top",
    )


def _best(found: Missing, modality: Modality) -> str:
    """Return a sentence on the model with the largest area if training and test posts lose a modality."""
    readers = [model for model in found.models if modality in model.reads]
    areas = [(found.line(model.model, modality, "both").area, model) for model in readers]
    known = [(area.mean, model.title) for area, model in areas if area]
    if not known:
        return f"No model reads {modality}s."
    mean, title = max(known)
    figure = number(mean, percent=found.percent) + "%" * found.percent
    metric = in_sentence(found.metrics[found.headline].removesuffix(" %"))
    return (
        f"Of the models that read {modality}s, {title} has the highest mean {metric} over the shares of "
        f"posts that lack them: {figure}."
    )


def _class(found: Missing, model: str) -> str:
    """Return the CSS classes of a model's line."""
    place = [one.model for one in found.models].index(model)
    return colour(place) + " second" * (place // _COLOURS % 2)


def _curves(found: Missing) -> Html:
    """Return the picture: a chart for each modality and protocol, a line a model."""
    metric = in_sentence(found.metrics[found.headline])
    chance = found.trivial.metrics[found.headline]
    lines = [(line, _values(found, line)) for line in found.lines]
    ends = scale([chance, *(value for _, values in lines for value in values if value is not None)])
    titles = {model.model: model.title for model in found.models}
    blocks = []
    for modality in found.modalities:
        panels = []
        for protocol in PROTOCOLS:
            name = f"{_POSTS[protocol]} without {modality}s"
            own = [
                RateLine(titles[line.model], _class(found, line.model), values)
                for line, values in lines
                if (line.modality, line.protocol) == (modality, protocol)
            ]
            drawn = by_rate(
                own,
                found.rates,
                ends,
                f"{metric} by share of {name[0].lower()}{name[1:]}",
                (f"share without {modality}s", metric),
                percent=found.percent,
                chance=chance,
            )
            panels.append(h("figure", h("figcaption", _POSTS[protocol]), drawn, cls="panel"))
        blocks += [h("h3", f"Posts without {modality}s"), h("div", *panels, cls="charts")]
    legend = [
        h("span", h("i", cls=f"dot line {_class(found, model.model)}"), model.title) for model in found.models
    ]
    legend.append(h("span", h("i", cls="dot dash chance"), found.trivial.title))
    legend.append(h("span", f"{metric}; a line ends where the model can't be trained"))
    return h("section", h("h2", "By share of the posts"), h("p", *legend, cls="legend"), *blocks, id="curves")


def _values(found: Missing, line: Line) -> tuple[float | None, ...]:
    figures = [point.metrics.get(found.headline) for point in line.points]
    return tuple(figure.mean if figure else None for figure in figures)


def _areas(found: Missing) -> Html:
    """Return the table of areas, the scores at each rate, and the notes."""
    blocks: list[Html] = []
    for modality in found.modalities:
        head, rows = told.areas(found, [modality])
        short = [*head[:2], *(told.IN_WORDS[protocol].capitalize() for protocol in PROTOCOLS)]
        blocks += [
            h("h3", f"Posts without {modality}s"),
            stacked(short, rows, "areas", trivial=True),
        ]
    details = [
        h(
            "details",
            h("summary", f"{_POSTS[protocol]} without {modality}s, by share"),
            table(*_scores(found, modality, protocol), cls="figures stacked sortable"),
        )
        for modality in found.modalities
        for protocol in PROTOCOLS
    ]
    return h(
        "section",
        h("h2", told.heading(found)),
        *blocks,
        *details,
        h("ul", *(h("li", note) for note in told.notes(found)), cls="notes"),
        id="areas",
        cls="scores",
    )


def _scores(found: Missing, modality: Modality, protocol: str) -> tuple[list[str], Rows]:
    """Return the head and the rows of the scores at each rate."""
    head = ["Model", *(f"{100 * rate:g}%" for rate in found.rates)]
    rows = []
    for model in found.models:
        points = found.line(model.model, modality, protocol).points
        figures = [point.metrics.get(found.headline) for point in points]
        rows.append([model.title, *(told.with_interval(one, percent=found.percent) for one in figures)])
    return head, rows


def _gone(found: Missing) -> Html | None:
    """Return the table of posts whose image is gone; None where none is scored."""
    if not found.gone.scored:
        return None
    note = (
        f"Texts of {found.gone.posts:,} posts whose image their host has removed, beside the texts of "
        f"{found.gone.tests:,} test posts whose image is ignored."
    )
    return h(
        "section",
        h("h2", told.on_gone(found)),
        h("p", note),
        stacked(*told.gone(found), trivial=True),
        id="gone",
        cls="scores",
    )


def _runs(found: Missing) -> Html:
    """Return the section with the command, the device, the tools, and each model's settings."""
    made = ", ".join(f"{tool} {version}" for tool, version in sorted(found.tools.items()))
    known = (
        ("Command", found.command),
        ("Device", found.device),
        ("Date", found.date),
        ("Made with", made),
        ("masks.json", f"sha256 {found.masks}"),
    )
    head = ["Model", "Training, seconds"]
    seconds = [[model.title, f"{model.seconds:,.1f}"] for model in found.models]
    settings = [
        (model.title, ", ".join(f"{key} = {json.dumps(value)}" for key, value in model.settings.items()))
        for model in found.models
    ]
    return h(
        "section",
        h("h2", "Run"),
        terms(known),
        table(head, seconds, cls="figures slim"),
        h("details", h("summary", "Settings of each model"), terms(settings)),
        h("p", "All numbers are also in missing.json, in the same folder.", cls="quiet"),
        id="runs",
    )
