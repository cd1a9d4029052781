"""The tables of a run: `table.md` beside `results.json`, and the same in a terminal.

write(Path("results/reddit-emotion/1.0.0"))     # -> …/table.md
show(results)                                    # Tables 4 and 5, their notes and the pairs
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from affectory.core import files
from baselines.results import comparison as c
from baselines.results.papers import Paper, figures
from baselines.results.schema import Pair, Results, read

Rows = list[list[str]]

#: The terminal from which intervals of F1 fit too.
_WIDE = 100


def write(folder: Path) -> Path:
    """Write `table.md` from a run's `results.json`; return its path."""
    return files.write(folder / "table.md", markdown(read(folder)))


def markdown(results: Results) -> str:
    """Return the tables with everything that a reader has to know about them."""
    paper = figures(results.dataset.name)
    parts = [
        f"# {results.dataset.name} {results.dataset.version}",
        *([f"**{results.dataset.generated}**"] if results.dataset.generated else []),
        caption(results),
        "## Table 4: accuracy and F1",
        _pipes(*scores(results, paper)),
    ]
    if singles := single(results, paper):
        parts += ["## Table 5: one modality at test, accuracy in %", _pipes(*singles)]
    if results.pairs:
        parts += ["## Neighbours compared", _pipes(*compared(results)), _PAIRS]
    parts += ["## Notes", "\n".join(f"- {_safe(note)}" for note in c.notes(results, paper))]
    parts += [
        "## Runs",
        _pipes(*provenance(results)),
        f"{results.date}, {results.device}: `{results.command}`",
    ]
    return "\n\n".join(parts) + "\n"


def show(results: Results, console: Console | None = None) -> None:
    """Print Tables 4 and 5, the notes and the pairs."""
    console = console or Console()
    paper = figures(results.dataset.name)
    wide = console.width >= _WIDE
    console.print(Text(f"{results.dataset.name} {results.dataset.version}", "bold"), end="  ")
    console.print(Text(caption(results), "dim"))
    if results.dataset.generated:
        console.print(Text(results.dataset.generated, "bold red"))
    _print(console, "Table 4: accuracy and F1", *scores(results, paper, wide))
    if singles := single(results, paper):
        _print(console, "Table 5: one modality at test, accuracy in %", *singles)
    if results.pairs:
        _print(console, "Neighbours compared, accuracy in points", *compared(results))
        console.print(Text(_PAIRS, "dim"))
    console.print()
    for note in c.notes(results, paper):
        console.print(Text(note, "dim"))


_PAIRS = "Paired bootstrap over the test posts: the first row's accuracy less the second's, its 95% interval."


def caption(results: Results) -> str:
    """Return the run in a line: 325 test posts, 5 seeds."""
    seeds = max((c.seeds(row) for row in results.rows), default=0)
    tests = sum(c.tested(results.dataset).values())
    folds = results.dataset.folds
    told = [f"{tests:,} test posts", f"{seeds} seed{'s' * (seeds != 1)}"]
    return ", ".join([*told, f"{folds} folds"] if folds else told)


def scores(results: Results, paper: Paper | None, intervals: bool = True) -> tuple[list[str], Rows]:
    """Return the head and the rows of Table 4; `intervals` says whether F1 has its own."""
    beside = ["paper"] if paper else []
    head = ["Model", "Accuracy %", *beside, *(["diff."] if paper else [])]
    head += [cell for name in ("F1 macro", "F1 micro") for cell in (name, *beside)]
    rows = []
    for line in c.table4(results, paper):
        accuracy, *others = (line.cells[key] for key in c.METRICS)
        row = [line.title, c.accuracy(accuracy.ours)]
        row += [c.printed(accuracy, "accuracy"), c.points(accuracy.difference)] if paper else []
        for key, cell in zip(c.METRICS[1:], others, strict=True):
            plain = "–" if cell.ours is None else c.fraction(cell.ours.mean)
            row.append(c.f1(cell.ours) if intervals else plain)
            row += [c.printed(cell, key)] if paper else []
        rows.append(row)
    return head, rows


def single(results: Results, paper: Paper | None) -> tuple[list[str], Rows] | None:
    """Return the head and the rows of Table 5; None where there is but one modality."""
    head = ["Model"]
    for name in ("Image only", "Text only"):
        head += [name, "paper", "diff."] if paper else [name]
    rows = []
    for line in c.table5(results, paper):
        row = [line.title]
        for mode in c.SINGLE:
            cell = line.cells[mode]
            row.append(c.accuracy(cell.ours))
            row += [c.printed(cell, "accuracy"), c.points(cell.difference)] if paper else []
        rows.append(row)
    return (head, rows) if rows else None


def compared(results: Results) -> tuple[list[str], Rows]:
    """Return the head and the rows of the paired bootstrap."""
    titles = {row.model: row.title for row in results.rows}

    def row(pair: Pair) -> list[str]:
        low, high = c.points(pair.low), c.points(pair.high)
        name = f"{titles.get(pair.second, pair.second)} − {titles.get(pair.first, pair.first)}"
        given = "" if pair.mode == "both" else f" ({pair.mode} only)"
        return [name + given, c.points(pair.difference), f"{low} to {high}", probability(pair.p)]

    return ["Pair", "Difference", "95% interval", "p"], [row(pair) for pair in results.pairs]


def provenance(results: Results) -> tuple[list[str], Rows]:
    """Return what stands behind each row."""
    rows = [
        [
            row.title,
            " ".join(part for part in (row.backbone, row.weights) if part) or "–",
            row.vectors or "–",
            str(c.seeds(row)),
            "yes" if row.tuned else "no",
            f"{row.seconds:,.1f}",
        ]
        for row in results.rows
    ]
    return ["Model", "Backbone, weights", "Vectors", "Seeds", "Tuned", "Seconds"], rows


def probability(p: float) -> str:
    """Return a p-value: .016, <.001."""
    return "<.001" if p < 0.001 else c.fraction(p)


def _pipes(head: Sequence[str], rows: Rows) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(_safe(cell) for cell in line)} |" for line in lines)


def _safe(text: str) -> str:
    """Keep a name of the user's from becoming markup."""
    for sign in "\\|*<`_":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def _print(console: Console, title: str, head: Sequence[str], rows: Rows) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(Text(head[0]), ratio=None, min_width=16)
    for name in head[1:]:
        table.add_column(Text(name), justify="right", no_wrap=True, style="dim" if name == "paper" else None)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print()
    console.print(Text(title, "bold"))
    console.print(table)
