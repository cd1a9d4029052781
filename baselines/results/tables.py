"""The tables of a run as text: `table.md` beside `results.json`, and the same in a terminal.

write(Path("results/reddit-emotion/1.0.0"))     # -> …/table.md
show(results)                                    # the tables, their notes and the pairs
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from affectory.core import files
from affectory.core.numbers import count
from baselines.results import comparison as c
from baselines.results import notes
from baselines.results.curve import Curve, Point, curves
from baselines.results.formatting import (
    DAGGER,
    SELECTED,
    Theirs,
    in_sentence,
    printed,
    probability,
    signed,
    written,
)
from baselines.results.schema import Pair, Results, Row, read

Rows = list[list[str]]

#: The least width of the column of names in a terminal: longer names are wrapped.
_NAMES = 16


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of text. `strong`: the cells that are emphasised."""

    head: str
    kind: Literal["ours", "paper", "difference"]
    cells: tuple[str, ...]
    strong: tuple[bool, ...] = ()

    @property
    def width(self) -> int:
        """The least width, with the head wrapped."""
        return max(map(len, (*self.head.split(), *self.cells)))


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
        parts += [f"## {table.heading}", pipes(*scores(table))]
    if found := curves(results):
        parts += ["## Fewer pairs", on_curves(results)]
    for curve in found:
        parts += [f"### {curve_heading(results, curve)}", pipes(*points(results, curve))]
    if by_mode := neighbours(results):
        head, each = compared(results)
        rows = [row for mode in by_mode for row in each[mode]]
        parts += ["## Neighbours compared", on_pairs(results), pipes(head, rows)]
    parts += ["## Notes", "\n".join(f"- {safe(note)}" for note in notes.notes(results))]
    parts += [
        "## Runs",
        pipes(*provenance(results)),
        f"{results.date}, {results.device}: `{results.command}`",
    ]
    return "\n\n".join(parts) + "\n"


def show(results: Results, console: Console | None = None) -> None:
    """Print the tables, the pairs and the notes. In a narrow terminal a wide table is broken into several."""
    console = console or Console()
    console.print(Text(f"{results.dataset.name} {results.dataset.version}", "bold"), end="  ")
    console.print(Text(caption(results), "dim"))
    if results.dataset.generated:
        console.print(Text(results.dataset.generated, "bold red"))
    for table in c.tables(results):
        parts, left_out = _parts(_columns(table), console.width)
        for number, columns in enumerate(parts):
            heading = table.heading + ", continued" * bool(number)
            _print(console, heading, [line.title for line in table.lines], columns)
        if left_out:
            _say_left_out(console, left_out)
    if found := curves(results):
        for curve in (one for one in found if one.mode == "both"):
            print_rows(console, f"Fewer pairs: {curve_heading(results, curve)}", *points(results, curve))
        console.print(Text(on_curves(results), "dim"))
        if single := [one.title for one in found if one.mode != "both"]:
            console.print(Text(f"table.md also has the curves of {', '.join(single)}.", "dim"))
    if neighbours(results):
        head, each = compared(results)
        print_rows(console, "Neighbours compared", head, [row for rows in each.values() for row in rows])
        console.print(Text(on_pairs(results), "dim"))
    console.print()
    for note in notes.notes(results):
        console.print(Text(note, "dim"))


def scores(table: c.Table) -> tuple[list[str], Rows, list[list[bool]]]:
    """Return the head and the rows of a table, and which of the cells are emphasised."""
    columns = _columns(table)
    rows = [[line.title, *(one.cells[i] for one in columns)] for i, line in enumerate(table.lines)]
    strong = [[False, *(bool(one.strong) and one.strong[i] for one in columns)] for i in range(len(rows))]
    return ["Model", *(one.head for one in columns)], rows, strong


def caption(results: Results) -> str:
    """Return the run in a line: 325 test posts, 5 seeds, balanced classes."""
    most = max((c.seeds(row) for row in results.rows), default=0)
    told = [count(c.tests(results.dataset), "test post"), count(most, "seed")]
    told += [f"{results.dataset.folds} folds"] if results.dataset.folds else []
    told += ["balanced classes"] if any(row.balanced for row in results.rows) else []
    chosen = dict.fromkeys(row.select for row in results.rows if row.select)
    return ", ".join([*told, *(f"chosen by {SELECTED[select]}" for select in chosen)])


def _columns(table: c.Table) -> list[_Column]:
    """Return the columns of a table: each metric, and the papers' figures with the differences."""
    found = []
    for i, column in enumerate(table.columns):
        cells = [line.cells[i] for line in table.lines]
        marks = [DAGGER * one.collapsed for one in cells]
        ours = (
            written(one.ours, percent=column.percent) + mark for one, mark in zip(cells, marks, strict=True)
        )
        found.append(_Column(column.title, "ours", tuple(ours)))
        for source in column.sources:
            theirs = tuple(printed(one.theirs.get(source), percent=column.percent) for one in cells)
            apart = tuple(signed(one.difference(source), percent=column.percent) for one in cells)
            strong = tuple(one.beyond(source) is not None for one in cells)
            found.append(_Column(source, "paper", theirs))
            found.append(_Column("diff.", "difference", apart, strong))
    return found


def _parts(columns: Sequence[_Column], width: int) -> tuple[list[list[_Column]], list[str]]:
    """Return the tables into which a table is broken to fit a terminal, and what was left out all the same.

    A metric stays with the papers' figures and the differences from them, unless these alone are too wide:
    then the differences are left out, and of the papers those that come last.
    """
    if _NAMES + _width(columns) <= width:
        return [list(columns)], []
    starts = [i for i, one in enumerate(columns) if one.kind == "ours"]
    parts: list[list[_Column]] = []
    left_out = []
    for start, end in zip(starts, [*starts[1:], len(columns)], strict=True):
        block, metric = list(columns[start:end]), in_sentence(columns[start].head)
        if _NAMES + _width(block) > width and len(block) > 1:
            block = [one for one in block if one.kind != "difference"]
            left_out.append(f"differences of {metric}")
        while _NAMES + _width(block) > width and len(block) > 1:
            left_out.append(f"{block.pop().head} of {metric}")
        if parts and _NAMES + _width([*parts[-1], *block]) <= width:
            parts[-1] += block
        else:
            parts.append(block)
    return parts, left_out


def _width(columns: Sequence[_Column]) -> int:
    return sum(2 + one.width for one in columns)


def on_pairs(results: Results) -> str:
    """Return how the comparison of neighbouring rows is to be read, and which test is which."""
    metric = in_sentence(results.metrics[c.headline(results)].removesuffix(" %"))
    alone = list(neighbours(results)) == ["both"]
    inputs = "with both inputs" if alone else "with both inputs unless one is named"
    told = (
        f"B − A: {metric} of B minus that of A, {inputs}, and its 95% interval by a paired bootstrap "
        "over seeds and test posts."
    )
    if _has_t(results):
        told += (
            " p is that of the bootstrap. p (t-test) is that of a paired t-test over seeds, which leaves the "
            "choice of test posts out."
        )
    told += f" Holm's p is {'p ' * _has_t(results)}corrected for the number of pairs."
    every = [pair for pairs in neighbours(results).values() for pair in pairs]
    if any(c.collapsed(results.rows[place], pair.mode) for pair in every for place in _sides(pair)):
        told += (
            f" {DAGGER} marks a row that answers every post alike in some seeds: there the other row is "
            "compared with a constant."
        )
    return told


def _sides(pair: Pair) -> tuple[int, int]:
    return pair.first, pair.second


def neighbours(results: Results) -> dict[str, list[Pair]]:
    """Return the pairs by mode. Those of two points of a curve stand under the curve."""
    found: dict[str, list[Pair]] = {mode: [] for mode in c.MODES}
    for pair in results.pairs:
        if any(c.tabled(results.rows[place]) for place in _sides(pair)):
            found[pair.mode].append(pair)
    return {mode: pairs for mode, pairs in found.items() if pairs}


def compared(results: Results) -> tuple[list[str], dict[str, Rows]]:
    """Return the head, and by mode the rows, of the comparison: the second row minus the first."""
    with_t = _has_t(results)

    def row(pair: Pair) -> list[str]:
        percent = results.metrics[pair.metric].endswith("%")
        first, second = (_called(results.rows[place], pair.mode) for place in _sides(pair))
        return [
            f"{second} − {first}{c.given(pair.mode)}",
            signed(pair.difference, percent=percent),
            _between(pair, percent=percent),
            probability(pair.p),
            *([probability(pair.p_t)] if with_t else []),
            probability(pair.p_holm),
        ]

    head = ["B − A", "Difference", "95% interval", "p", *(["p (t-test)"] if with_t else []), "Holm's p"]
    return head, {mode: [row(pair) for pair in pairs] for mode, pairs in neighbours(results).items()}


def _called(row: Row, mode: str) -> str:
    return c.called(row, mode) + f" {DAGGER}" * bool(c.collapsed(row, mode))


def _has_t(results: Results) -> bool:
    return any(pair.p_t is not None for pair in results.pairs)


def _between(pair: Pair | None, *, percent: bool) -> str:
    bounds = (pair.interval.low, pair.interval.high) if pair and pair.interval else ()
    return " to ".join(signed(bound, percent=percent) for bound in bounds) or "–"


def curve_heading(results: Results, curve: Curve) -> str:
    """Return "Cm, accuracy %"."""
    return f"{curve.title}, {in_sentence(results.metrics[curve.metric])}"


def on_curves(results: Results) -> str:
    """Return how the curves of fewer pairs are to be read."""
    known = curves(results)
    told = (
        "Training kept a share of the pairs. With unpaired posts, it also had one half of the other pairs as "
        "texts and one half as images, and the release's own unpaired posts; pairs alone had none of these."
    )
    if any(point.together for curve in known for point in curve.points):
        told += " At 100% the two are one row."
    told += (
        " The difference is with unpaired posts − pairs alone; its 95% interval and p are those of the "
        "paired bootstrap over seeds and test posts"
    )
    if any(map(_has_curve_t, known)):
        told += ", and p (t-test) is that of a paired t-test over seeds"
    return f"{told}."


def _has_curve_t(curve: Curve) -> bool:
    return any(point.pair and point.pair.p_t is not None for point in curve.points)


def points(results: Results, curve: Curve) -> tuple[list[str], Rows]:
    """Return the head and the rows of a curve's table: a row per share of pairs."""
    percent = results.metrics[curve.metric].endswith("%")
    with_t = _has_curve_t(curve)

    def theirs(*figures: Theirs | None) -> list[str]:
        return [printed(one, percent=percent) for one in figures] if curve.compares else []

    def row(point: Point) -> list[str]:
        p, p_t = (point.pair.p, point.pair.p_t) if point.pair else (None, None)
        return [
            f"{100 * point.share:g}%",
            written(point.unpaired, percent=percent),
            *theirs(point.their_unpaired),
            written(point.alone, percent=percent),
            *theirs(point.their_alone),
            signed(point.difference, percent=percent),
            _between(point.pair, percent=percent),
            probability(p),
            *([probability(p_t)] if with_t else []),
        ]

    paper = ["paper"] if curve.compares else []
    head = ["Pairs", "With unpaired posts", *paper, "Pairs alone", *paper, "Difference", "95% interval", "p"]
    return [*head, *(["p (t-test)"] if with_t else [])], [row(point) for point in curve.points]


def provenance(results: Results) -> tuple[list[str], Rows]:
    """Return what stands behind each row; the text encoder only where a row has one."""
    encoded = any(row.text_encoder for row in results.rows)
    rows = [
        [
            c.title(results, row),
            " ".join(part for part in (row.backbone, row.weights) if part) or "–",
            row.vectors or "–",
            *([row.text_encoder or "–"] if encoded else []),
            row.preset,
            str(c.seeds(row)),
            "yes" if row.tuned else "no",
            f"{row.seconds:,.1f}",
        ]
        for row in results.rows
    ]
    inputs = ["Backbone, weights", "Vectors", *(["Text encoder"] if encoded else [])]
    return ["Model", *inputs, "Preset", "Seeds", "Tuned", "Seconds"], rows


def pipes(head: Sequence[str], rows: Rows, strong: Sequence[Sequence[bool]] = ()) -> str:
    """Return a table of Markdown; `strong`: the cells that are emphasised."""
    written_ = [[safe(cell) for cell in line] for line in rows]
    for line, marks in zip(written_, strong, strict=False):
        line[:] = [f"**{cell}**" if mark else cell for cell, mark in zip(line, marks, strict=True)]
    lines = [[safe(cell) for cell in head], ["---", *["---:"] * (len(head) - 1)], *written_]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def safe(text: str) -> str:
    """Keep a name of the user's from becoming markup."""
    for sign in "\\|*<`_":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def _say_left_out(console: Console, left_out: Sequence[str], whole: str = "table.md") -> None:
    text = f"Not shown in {console.width} columns: {'; '.join(left_out)}. {whole} has everything."
    console.print(Text(text, "dim"))


#: What a narrow terminal leaves out of a comparison, in this order, by the head of the column.
_LEFT_OUT = {"paper": "the paper's figures", "p (t-test)": "p of the t-test", "Holm's p": "Holm's p"}


def print_rows(
    console: Console, heading: str, head: Sequence[str], rows: Rows, whole: str = "table.md"
) -> None:
    """Print rows of text. In a narrow terminal heads are wrapped, and columns are left out and named.

    `whole`: what has all of them.
    """
    columns = list(zip(head, *rows, strict=True))
    widths = [max(map(len, (*name.split(), *cells))) for name, *cells in columns]
    widths[0] = min(max(map(len, columns[0])), _NAMES)
    shown = list(range(len(head)))
    left_out = []
    for name in _LEFT_OUT:
        if sum(2 + widths[i] for i in shown) <= console.width:
            break
        if name in head:
            shown = [i for i in shown if head[i] != name]
            left_out.append(_LEFT_OUT[name])
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for i in shown:
        table.add_column(Text(head[i]), justify="right" if i else "left", min_width=widths[i])
    for row in rows:
        table.add_row(*(Text(row[i]) for i in shown))
    console.print()
    console.print(Text(heading, "bold"))
    console.print(table)
    if left_out:
        _say_left_out(console, left_out, whole)


def _print(console: Console, heading: str, names: Sequence[str], columns: Sequence[_Column]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(Text("Model"), ratio=None, min_width=_NAMES)
    wraps = _NAMES + sum(2 + max(one.width, len(one.head)) for one in columns) > console.width
    for one in columns:
        head = textwrap.fill(one.head, one.width) if wraps else one.head
        style = "dim" if one.kind == "paper" else None
        table.add_column(Text(head), justify="right", no_wrap=True, style=style)
    for i, name in enumerate(names):
        cells = [Text(one.cells[i], "bold" if one.strong and one.strong[i] else "") for one in columns]
        table.add_row(Text(name), *cells)
    console.print()
    console.print(Text(heading, "bold"))
    console.print(table)
