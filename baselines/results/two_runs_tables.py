"""The comparison of two runs as text: its tables and sentences, which the page has too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from baselines.results import comparison as c
from baselines.results.formatting import DAGGER, in_sentence, number, probability, signed, written
from baselines.results.schema import Interval
from baselines.results.tables import Rows, print_rows
from baselines.results.two_runs import Compared, Setting, Side, TwoRuns

#: A difference with a corrected p of at most this is named as one.
_CLEAR = 0.05


def show(found: TwoRuns, console: Console | None = None) -> None:
    """Print the comparison."""
    console = console or Console()
    for place, side in enumerate((found.first, found.second), 1):
        console.print(Text(f"{place}  {described(side)}"))
        if side.generated:
            console.print(Text(f"   {side.generated}", "bold red"))
    console.print()
    console.print(Text(finding(found), "bold"))
    for mode in modes(found):
        print_rows(console, heading(found, mode), *_brief(*rows(found, mode)), whole="compare.html (--out)")
    if found.rows:
        console.print(Text(on_rows(found), "dim"))
    for sentence in lone(found):
        console.print(Text(sentence))
    console.print()
    if not found.settings:
        console.print("No settings differ.")
        return
    console.print(Text("Settings that differ: 1 → 2", "bold"))
    for line in _lines(settings(found)[1], console.width):
        console.print(Text(line))


def _brief(head: list[str], told: Rows) -> tuple[list[str], Rows]:
    """Return a table without the p that isn't corrected, for which a terminal has no room."""
    shown = [place for place, name in enumerate(head) if name != "p"]
    return [head[place] for place in shown], [[row[place] for place in shown] for row in told]


def _lines(told: Rows, width: int) -> Iterator[str]:
    """Yield a setting a line; one whose values are too long for it has each on a line of its own."""
    names = min(max(len(name) for name, *_ in told), width // 2)
    for name, first, second in told:
        line = f"{name:<{names}}  {first} → {second}"
        if len(line) <= width:
            yield line
        else:
            yield from (name, f"  1  {first}", f"  2  {second}")


def title(found: TwoRuns) -> str:
    """Return "met-meme 1.0.0 and met-meme 1.0.0-folds5"."""
    first, second = (
        f"{one.dataset} {Path(one.folder).name or one.version}" for one in (found.first, found.second)
    )
    return f"{first} and {second}"


def described(side: Side) -> str:
    """Return a run in a line: "results/met-meme/1.0.0: met-meme 1.0.0, 391 test posts, 2026-11-29"."""
    return f"{side.folder}: {side.dataset} {side.version}, {side.posts:,} test posts, {side.date}"


def finding(found: TwoRuns) -> str:
    """Return in a sentence how many rows are clearly apart; if the runs aren't paired, why."""
    if not found.rows:
        return "No row is in both runs."
    compared = len(found.rows)
    told = f"{compared} row{'s' * (compared != 1)} in both runs"
    if found.unpaired:
        return f"{told}; no intervals, because {found.unpaired}."
    known = [row for row in found.rows if row.p_holm is not None]
    if not known:
        return f"{told}; no intervals: they need three seeds in both runs and ten groups of test posts."
    clear = [row.difference for row in known if row.p_holm is not None and row.p_holm <= _CLEAR]
    higher, lower = sum(one > 0 for one in clear), sum(one < 0 for one in clear)
    metric = in_sentence(found.metrics[found.headline].removesuffix(" %"))
    counts = f"a higher {metric} in {higher or 'none'} and a lower one in {lower or 'none'}"
    sentence = f"Of {told}, run 2 has {counts} (Holm's p at most .05)"
    if left := len(known) - higher - lower:
        sentence += f"; the other{f' {left}' * (left > 1)} may be due to chance"
    if bare := compared - len(known):
        sentence += f"; {bare} without an interval"
    return f"{sentence}."


def modes(found: TwoRuns) -> list[str]:
    """Return the modes that have rows, all inputs first."""
    return [mode for mode in c.MODES if any(row.mode == mode for row in found.rows)]


def heading(found: TwoRuns, mode: str) -> str:
    """Return "Accuracy %"; of one modality at test "Accuracy %, image only"."""
    metric = found.metrics[found.headline]
    return metric if mode == "both" else f"{metric}, {c.MODES[mode].lower()}"


def rows(found: TwoRuns, mode: str) -> tuple[list[str], Rows]:
    """Return the head and the rows of a mode; without intervals where none has one."""
    paired = any(row.interval for row in found.rows)
    told = [_row(found, row, paired=paired) for row in found.rows if row.mode == mode]
    return ["Model", "1", "2", "2 − 1", *(["95% interval", "p", "Holm's p"] if paired else [])], told


def _row(found: TwoRuns, row: Compared, *, paired: bool) -> list[str]:
    values, percent = row.metrics[found.headline], found.percent
    figures = zip((values.first, values.second), row.collapsed, strict=True)
    cells = [written(one, percent=percent) + DAGGER * alike for one, alike in figures]
    p = [between(row.interval, percent=percent), probability(row.p), probability(row.p_holm)]
    return [row.title, *cells, signed(row.difference, percent=percent), *(p if paired else [])]


def between(interval: Interval | None, *, percent: bool) -> str:
    """Return "−3.0 to +0.6"; "–" for none."""
    if interval is None:
        return "–"
    return " to ".join(signed(bound, percent=percent) for bound in (interval.low, interval.high))


def on_rows(found: TwoRuns) -> str:
    """Return how the table is to be read."""
    told = []
    shown = (row.metrics[found.headline] for row in found.rows)
    if any(one.first.interval or one.second.interval for one in shown):
        told.append("± is the 95% interval over seeds.")
    if any(row.interval for row in found.rows):
        told.append(
            "The difference, its 95% interval and p are those of the paired bootstrap over seeds and test "
            "posts; Holm's p is the p corrected for the number of rows."
        )
        if not found.grouped:
            told.append(
                "Near-duplicates count as separate posts: both runs are of an earlier version; repeat their "
                "commands."
            )
        if any(row.seeds is not None and row.seeds < _most_seeds(found, row) for row in found.rows):
            told.append("A difference is over the seeds that both runs have.")
    if any(any(row.collapsed) for row in found.rows):
        told.append(f"{DAGGER} marks a run in which some seeds of the row answer every post alike.")
    return " ".join(told)


def _most_seeds(found: TwoRuns, row: Compared) -> int:
    values = row.metrics[found.headline]
    return max(len(values.first.values), len(values.second.values))


def lone(found: TwoRuns) -> list[str]:
    """Return the rows that only one run has: "Only in 1: Late fusion 82.5"."""
    told = []
    for run in (1, 2):
        own = [one for one in found.lone if one.run == run]
        names = [
            one.title + (f" {number(one.figure.mean, percent=found.percent)}" if one.figure else "")
            for one in own
        ]
        told += [f"Only in {run}: {'; '.join(names)}"] if names else []
    return told


def metrics(found: TwoRuns) -> tuple[list[str], Rows]:
    """Return the differences of the other metrics, in both runs, with all inputs."""
    others = [name for name in found.metrics if name != found.headline]
    head = ["Model", *(part for name in others for part in (found.metrics[name], "2 − 1"))]
    told = []
    for row in (row for row in found.rows if row.mode == "both"):
        cells: list[str] = []
        for name in others:
            values, percent = row.metrics.get(name), found.metrics[name].endswith("%")
            if values is None:
                cells += ["–", "–"]
                continue
            one, other = (number(figure.mean, percent=percent) for figure in (values.first, values.second))
            apart = values.second.mean - values.first.mean
            cells += [f"{one} → {other}", signed(apart, percent=percent)]
        told.append([row.title, *cells])
    return head, told if others else []


def settings(found: TwoRuns) -> tuple[list[str], Rows]:
    """Return the settings that differ: of the release, of options, rows and packages."""
    return ["Setting", "1", "2"], [_setting(one) for one in found.settings]


def _setting(one: Setting) -> list[str]:
    of = f" of {', '.join(one.models)}" if one.models else ""
    name = one.name if one.kind == "option" else f"{one.kind}: {one.name}{of}"
    return [name, one.first or "–", one.second or "–"]
