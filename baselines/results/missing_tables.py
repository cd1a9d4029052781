"""What a run of `baselines.missing` found, as text: `missing.md`, and the same in a terminal.

write(Path("results/met-meme/1.0.0-missing"))    # -> …/missing.md
show(found)                                       # the table and its notes
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from affectory.core import files
from affectory.core.numbers import count
from baselines.data.batch import Modality
from baselines.results.formatting import in_sentence, number
from baselines.results.missing_schema import PROTOCOLS, Line, Missing, Model, read
from baselines.results.schema import Figure
from baselines.results.statistics import LEAST_GROUPS, LEAST_SEEDS
from baselines.results.tables import Rows, pipes, print_rows, safe

#: A protocol as the head of a column.
IN_WORDS = {"train": "training", "test": "test", "both": "both"}


def write(folder: Path) -> Path:
    """Write `missing.md` from a run's `missing.json`; return its path."""
    return files.write(folder / "missing.md", markdown(read(folder)))


def markdown(found: Missing) -> str:
    """Return the table of areas with everything that a reader has to know about it."""
    parts = [
        f"# {found.dataset.name} {found.dataset.version}: posts without an image or a text",
        *([f"**{found.dataset.generated}**"] if found.dataset.generated else []),
        caption(found),
        pipes(*areas(found)),
    ]
    if found.gone.scored:
        parts += [f"## {on_gone(found)}", pipes(*gone(found))]
    parts += ["## Notes", "\n".join(f"- {safe(note)}" for note in notes(found))]
    parts.append(f"{found.date}, {found.device}: `{found.command}`")
    return "\n\n".join(parts) + "\n"


def show(found: Missing, console: Console | None = None) -> None:
    """Print the tables and the notes."""
    console = console or Console()
    console.print(Text(f"{found.dataset.name} {found.dataset.version}", "bold"), end="  ")
    console.print(Text(caption(found), "dim"))
    if found.dataset.generated:
        console.print(Text(found.dataset.generated, "bold red"))
    for modality in found.modalities:
        head, rows = areas(found, [modality])
        short = [*head[:2], *(IN_WORDS[protocol].capitalize() for protocol in PROTOCOLS)]
        print_rows(console, f"{heading(found)}, posts without {modality}s", short, rows)
    if found.gone.scored:
        print_rows(console, on_gone(found), *gone(found))
    console.print()
    for note in notes(found):
        console.print(Text(note, "dim"))


def caption(found: Missing) -> str:
    """Return the run in a line: 325 test posts, 5 seeds, rates 0, 25, 50%."""
    seeds = len(found.seeds)
    rates = ", ".join(f"{100 * rate:g}" for rate in found.rates)
    return f"{count(found.dataset.posts['test'], 'test post')}, {count(seeds, 'seed')}, rates {rates}%"


def heading(found: Missing) -> str:
    """Return what the table holds."""
    return f"Mean {in_sentence(found.metrics[found.headline])} over the rates"


def on_gone(found: Missing) -> str:
    """Return what the table of posts whose image is gone holds."""
    return f"Posts whose image is gone, {in_sentence(found.metrics[found.headline])}"


def areas(found: Missing, modalities: Sequence[Modality] = ()) -> tuple[list[str], Rows]:
    """Return the head and the rows of the table: the area of each model by modality (all) and protocol."""
    columns = [(modality, protocol) for modality in modalities or found.modalities for protocol in PROTOCOLS]
    head = ["Model", "No losses", *(f"no {one}: {IN_WORDS[protocol]}" for one, protocol in columns)]
    rows = [
        [
            model.title,
            with_interval(model.complete.get(found.headline), percent=found.percent),
            *(area(found, found.line(model.model, *column)) for column in columns),
        ]
        for model in found.models
    ]
    trivial = number(found.trivial.metrics[found.headline], percent=found.percent)
    return head, [*rows, [found.trivial.title, *[trivial] * (1 + len(columns))]]


def area(found: Missing, line: Line) -> str:
    """Return the area under a line; a star marks one with a gap."""
    return with_interval(line.area, percent=found.percent) + "*" * bool(line.gaps and line.area)


def with_interval(figure: Figure | None, *, percent: bool) -> str:
    """Return a figure with half of its interval over seeds and test posts: 86.3 ± 2.1."""
    if figure is None:
        return "–"
    mean = number(figure.mean, percent=percent)
    if figure.sampled is None:
        return mean
    return f"{mean} ± {number((figure.sampled.high - figure.sampled.low) / 2, percent=percent)}"


def gone(found: Missing) -> tuple[list[str], Rows]:
    """Return the head and the rows of the table of posts whose image is gone, of the headline metric."""
    titles = {model.model: model.title for model in found.models} | {"": found.trivial.title}
    head = ["Texts alone", "Image gone", "Test posts"]
    return head, [
        [
            titles[one.model],
            *(with_interval(figure, percent=found.percent) for figure in (one.gone, one.at_random)),
        ]
        for one in found.gone.scored
    ]


def notes(found: Missing) -> list[str]:
    """Return what has to be said under the tables, a sentence or two each."""
    return [*_on_areas(found), *_on_gone(found), *_on_models(found)]


def _on_areas(found: Missing) -> Iterator[str]:
    rates = f"{found.rates[0]:g} to {found.rates[-1]:g}"
    yield (
        "A share of the posts loses its image or its text, at random and evenly over the classes: the "
        "training and validation posts, the test posts, or both. A figure is the area under the score by "
        f"rate, divided by the range of the rates ({rates}): a mean score."
    )
    if len(found.seeds) < LEAST_SEEDS:
        yield "Fewer than three seeds, so means without an interval."
    else:
        yield "± is half the 95% interval over seeds, which draw their own losses, and test posts."
    yield (
        f"{found.trivial.title}: a prediction that reads no post. A model that can read nothing of a post "
        "gives it."
    )
    for modality in found.modalities:
        if unread := [model.title for model in found.models if modality not in model.reads]:
            yield f"These models read no {modality}s, so their lines are level: {'; '.join(unread)}."
    if gaps := gaps_of(found):
        yield "* with a rate at which the model can't be trained; there the trivial prediction counts:"
        yield from gaps


def gaps_of(found: Missing) -> list[str]:
    """Return the gaps, a line a reason: with modality, rates, and models."""
    titles = {model.model: model.title for model in found.models}
    rates: dict[tuple[str, str, str], dict[float, None]] = {}
    for line in found.lines:
        for point in line.gaps:
            rates.setdefault((line.modality, point.gap, titles[line.model]), {})[point.rate] = None
    told: dict[tuple[str, str, str], list[str]] = {}
    for (modality, gap, title), at in rates.items():
        shares = ", ".join(f"{100 * rate:g}%" for rate in at)
        told.setdefault((modality, gap, shares), []).append(title)
    return [
        f"{'; '.join(models)}, {shares} without {modality}s: {gap}"
        for (modality, gap, shares), models in told.items()
    ]


def _on_gone(found: Missing) -> Iterator[str]:
    gone = found.gone
    if gone.note:
        yield f"Posts whose image is gone: none are scored ({gone.note})."
    else:
        yield (
            f"Posts whose image is gone: {gone.posts:,} with a title and a label, from the release's dropped "
            f"posts, beside the texts of {gone.tests:,} test posts, by the networks trained without losses. "
            "Their text is the title alone."
        )
        if gone.posts < LEAST_GROUPS:
            yield f"Fewer than {LEAST_GROUPS} posts whose image is gone are too few for an interval."
    if gone.left_out:
        told = ", ".join(f"{reason} {number:,}" for reason, number in gone.left_out.items())
        yield f"Dropped posts that aren't scored: {told}."


def _on_models(found: Missing) -> Iterator[str]:
    titles: dict[str, list[Model]] = {}
    for model in found.models:
        for note in model.notes:
            titles.setdefault(note, []).append(model)
    yield from (f"{'; '.join(one.title for one in models)}: {note}" for note, models in titles.items())
    for model in found.models:
        yield from (f"Stopped: seed {one.seed} of {model.title}, {one.reason}" for one in model.stopped)
    yield from (f"Left out: {one.model}: {one.reason}" for one in found.left_out)
    inputs: dict[str, list[str]] = {}
    for name, network in found.networks.items():
        inputs.setdefault(network, []).append(name)
    yield from (f"Network of {', '.join(names)}: {network}." for network, names in inputs.items())
    yield f"Preset {found.preset}. masks.json says which posts lost what; --masks uses it again."
