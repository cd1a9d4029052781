"""The tables of a run as text: `table.md` beside `results.json`, and the same in a terminal.

write(Path("results/reddit-emotion/1.0.0"))     # -> …/table.md
show(results)                                    # the tables, their notes and the pairs
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from affectory.core import files
from baselines.results import comparison as c
from baselines.results.formatting import in_sentence, printed, probability, signed, written
from baselines.results.schema import Pair, Results, read

Rows = list[list[str]]

#: The least width of the column of names in a terminal: longer names are wrapped.
_NAMES = 16


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of text. `plain`: its cells without intervals; `strong`: those that are emphasised."""

    head: str
    kind: Literal["ours", "paper", "difference"]
    metric: str
    cells: tuple[str, ...]
    plain: tuple[str, ...]
    strong: tuple[bool, ...] = ()

    @property
    def width(self) -> int:
        return max(map(len, (self.head, *self.cells)))


def write(folder: Path) -> Path:
    """Write `table.md` from a run's `results.json`; return its path."""
    return files.write(folder / "table.md", markdown(read(folder)))


def markdown(results: Results) -> str:
    """Return the tables with everything that a reader has to know about them."""
    parts = [
        f"# {results.dataset.name} {results.dataset.version}",
        *([f"**{results.dataset.generated}**"] if results.dataset.generated else []),
        caption(results),
    ]
    for table in c.tables(results):
        columns = _columns(table)
        parts.append(f"## {table.heading}")
        rows = [[line.title, *(one.cells[i] for one in columns)] for i, line in enumerate(table.lines)]
        strong = [[False, *(bool(one.strong) and one.strong[i] for one in columns)] for i in range(len(rows))]
        parts.append(_pipes(["Model", *(one.head for one in columns)], rows, strong))
    if results.pairs:
        parts += ["## Neighbours compared", on_pairs(results), _pipes(*compared(results))]
    parts += ["## Notes", "\n".join(f"- {_safe(note)}" for note in c.notes(results))]
    parts += [
        "## Runs",
        _pipes(*provenance(results)),
        f"{results.date}, {results.device}: `{results.command}`",
    ]
    return "\n\n".join(parts) + "\n"


def show(results: Results, console: Console | None = None) -> None:
    """Print the tables, the pairs and the notes. A narrow terminal says which columns are left out."""
    console = console or Console()
    console.print(Text(f"{results.dataset.name} {results.dataset.version}", "bold"), end="  ")
    console.print(Text(caption(results), "dim"))
    if results.dataset.generated:
        console.print(Text(results.dataset.generated, "bold red"))
    for table in c.tables(results):
        columns, left_out = _fitted(_columns(table), console.width)
        _print(console, table.heading, [line.title for line in table.lines], columns)
        if left_out:
            text = f"Not shown in {console.width} columns: {'; '.join(left_out)}. table.md has everything."
            console.print(Text(text, "dim"))
    if results.pairs:
        head, rows = compared(results)
        cells = [tuple(row[i] for row in rows) for i in range(1, len(head))]
        columns = [_Column(name, "ours", "", one, one) for name, one in zip(head[1:], cells, strict=True)]
        _print(console, "Neighbours compared", [row[0] for row in rows], columns)
        console.print(Text(on_pairs(results), "dim"))
    console.print()
    for note in c.notes(results):
        console.print(Text(note, "dim"))


def caption(results: Results) -> str:
    """Return the run in a line: 325 test posts, 5 seeds."""
    most = max((c.seeds(row) for row in results.rows), default=0)
    told = [f"{c.tests(results.dataset):,} test posts", f"{most} seed{'s' * (most != 1)}"]
    return ", ".join([*told, f"{results.dataset.folds} folds"] if results.dataset.folds else told)


def _columns(table: c.Table) -> list[_Column]:
    """Return the columns of a table: each metric, and the papers' figures with the differences."""
    found = []
    for i, column in enumerate(table.columns):
        cells = [line.cells[i] for line in table.lines]
        ours = tuple(written(one.ours, percent=column.percent) for one in cells)
        plain = tuple(written(one.ours, percent=column.percent, spread=False) for one in cells)
        found.append(_Column(column.title, "ours", column.metric, ours, plain))
        for source in column.sources:
            theirs = tuple(printed(one.theirs.get(source), percent=column.percent) for one in cells)
            apart = tuple(signed(one.difference(source), percent=column.percent) for one in cells)
            strong = tuple(one.beyond(source) is not None for one in cells)
            found.append(_Column(source, "paper", column.metric, theirs, theirs))
            found.append(_Column("diff.", "difference", column.metric, apart, apart, strong))
    return found


#: What a narrow terminal leaves out, step by step: of all metrics but the first, then of all.
_STEPS: tuple[tuple[str, str, bool], ...] = (
    ("difference", "differences", False),
    ("ours", "±", False),
    ("paper", "the paper's figures", False),
    ("difference", "all differences", True),
    ("ours", "all ±", True),
    ("paper", "the paper's figures", True),
)


def _fitted(columns: list[_Column], width: int) -> tuple[list[_Column], list[str]]:
    """Return the columns that fit a terminal's width, and what was left out for it."""
    first = columns[0].metric
    others = dict.fromkeys(one.head for one in columns if one.kind == "ours" and one.metric != first)
    left_out = []
    for kind, name, of_all in _STEPS:
        if _NAMES + sum(2 + one.width for one in columns) <= width:
            break
        fewer = [
            one if one.kind != kind or (one.metric == first and not of_all) else replace(one, cells=one.plain)
            for one in columns
            if kind == "ours" or one.kind != kind or (one.metric == first and not of_all)
        ]
        if fewer != columns:
            columns = fewer
            left_out.append(name if of_all else f"{name} of {', '.join(map(in_sentence, others))}")
    return columns, left_out


def on_pairs(results: Results) -> str:
    """Return how the comparison of neighbouring rows is to be read."""
    metric = in_sentence(results.metrics[c.headline(results)].removesuffix(" %"))
    return (
        f"B − A: {metric} of B minus that of A, with both inputs, and its 95% interval by a paired bootstrap "
        "over seeds and test posts. Holm's p is corrected for the number of pairs."
    )


def compared(results: Results) -> tuple[list[str], Rows]:
    """Return the head and the rows of the paired bootstrap: the second row minus the first."""

    def row(pair: Pair) -> list[str]:
        percent = results.metrics[pair.metric].endswith("%")
        first, second = (c.title(results, results.rows[place]) for place in (pair.first, pair.second))
        given = "" if pair.mode == "both" else f" ({pair.mode} only)"
        bounds = (pair.interval.low, pair.interval.high) if pair.interval else ()
        return [
            f"{second} − {first}{given}",
            signed(pair.difference, percent=percent),
            " to ".join(signed(bound, percent=percent) for bound in bounds) or "–",
            probability(pair.p),
            probability(pair.p_holm),
        ]

    return ["B − A", "Difference", "95% interval", "p", "Holm's p"], [row(pair) for pair in results.pairs]


def provenance(results: Results) -> tuple[list[str], Rows]:
    """Return what stands behind each row."""
    rows = [
        [
            c.title(results, row),
            " ".join(part for part in (row.backbone, row.weights) if part) or "–",
            row.vectors or "–",
            row.preset,
            str(c.seeds(row)),
            "yes" if row.tuned else "no",
            f"{row.seconds:,.1f}",
        ]
        for row in results.rows
    ]
    return ["Model", "Backbone, weights", "Vectors", "Preset", "Seeds", "Tuned", "Seconds"], rows


def _pipes(head: Sequence[str], rows: Rows, strong: Sequence[Sequence[bool]] = ()) -> str:
    written_ = [[_safe(cell) for cell in line] for line in rows]
    for line, marks in zip(written_, strong, strict=False):
        line[:] = [f"**{cell}**" if mark else cell for cell, mark in zip(line, marks, strict=True)]
    lines = [[_safe(cell) for cell in head], ["---", *["---:"] * (len(head) - 1)], *written_]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _safe(text: str) -> str:
    """Keep a name of the user's from becoming markup."""
    for sign in "\\|*<`_":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def _print(console: Console, heading: str, names: Sequence[str], columns: Sequence[_Column]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(Text("Model"), ratio=None, min_width=_NAMES)
    for one in columns:
        style = "dim" if one.kind == "paper" else None
        table.add_column(Text(one.head), justify="right", no_wrap=True, style=style)
    for i, name in enumerate(names):
        cells = [Text(one.cells[i], "bold" if one.strong and one.strong[i] else "") for one in columns]
        table.add_row(Text(name), *cells)
    console.print()
    console.print(Text(heading, "bold"))
    console.print(table)
