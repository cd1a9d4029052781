"""Recall and false positives of the masks of names, addresses and numbers, on planted lines.

    uv run python -m benchmarks.masks [--texts FILE.csv …]

The lines are those of `benchmarks/_planted.py`: 500 for choosing the rules, 500 of other forms for reporting.
Recall is the share of planted lines that keep nothing of what was planted. A false positive is a line in
which something is masked that wasn't planted. With `--texts` the lines of CSV files are masked, too, and what
is masked there is printed, for reading. Lines/s are by processor time, on one core.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import tyro
from phonenumbers import Leniency, PhoneNumberMatcher

from benchmarks._measure import machine, show
from benchmarks._planted import Line, lines
from curation.measure import masks
from curation.measure.masks import TOKENS, Mask, masked

ALL: tuple[Mask, ...] = get_args(Mask)


def main(texts: Sequence[Path] = (), missed: bool = False) -> None:
    """Print the tables.

    Args:
        texts: Files whose lines are masked, for reading what is found.
        missed: Print the planted and the negative lines that go wrong, too.
    """
    print(machine())
    choosing, reporting = lines()
    choose(choosing)
    report("the half for choosing", choosing, missed=missed)
    report("the half for reporting", reporting, missed=missed)
    speed([line.text for line in choosing + reporting])
    for path in texts:
        read(path)


def choose(half: Sequence[Line]) -> None:
    """Print what each leniency and list of countries finds of the phone numbers."""
    rows = []
    for leniency in (Leniency.POSSIBLE, Leniency.VALID, Leniency.STRICT_GROUPING, Leniency.EXACT_GROUPING):
        for regions in ({}, {"US": ""}, {"US": "", "GB": "0"}):
            found = sum(bool(_phones(line.text, leniency, regions)) for line in half if line.kind == "phones")
            false = sum(bool(_phones(line.text, leniency, regions)) for line in half if not line.kind)
            name = ("POSSIBLE", "VALID", "STRICT_GROUPING", "EXACT_GROUPING")[leniency]
            chosen = " (chosen)" * (leniency == Leniency.STRICT_GROUPING and regions == masks.REGIONS)
            rows.append((name + chosen, ", ".join(regions) or "none: only with +", found, false))
    show("Phone numbers, the half for choosing", ["leniency", "countries", "of 75", "false, of 250"], rows)


def _phones(text: str, leniency: int, regions: dict[str, str]) -> bool:
    return any(
        one.raw_string.lstrip("( ").startswith(first)
        for region, first in (regions or {"ZZ": ""}).items()
        for one in PhoneNumberMatcher(text, region, leniency=leniency)
    )


def report(title: str, half: Sequence[Line], *, missed: bool) -> None:
    """Print recall and false positives by kind."""
    planted, found, false = Counter[str](), Counter[str](), Counter[str]()
    for line in half:
        left = masked(line.text, ALL)
        planted[line.kind] += 1
        whole = not any(secret in left for secret in line.secrets)
        found[line.kind] += bool(line.kind) and whole
        wrong = [kind for kind, token in TOKENS.items() if token in left and kind != line.kind]
        for kind in wrong:
            false[kind] += 1
        if missed and (wrong or not whole):
            print(f"{line.kind or 'negative'}: {line.text!r} -> {left!r}")
    rows = []
    for kind in TOKENS:
        of = planted[kind]
        others = len(half) - of
        rows.append(
            (kind, f"{found[kind]} of {of}", f"{100 * found[kind] / of:.1f}%", f"{false[kind]} of {others}")
        )
    show(f"Masks, {title}", ["kind", "masked", "recall", "false positives"], rows)


def speed(texts: list[str]) -> None:
    """Print how many texts are masked per second."""
    masked("", ALL)
    began = time.process_time()
    for _ in range(10):
        for text in texts:
            masked(text, ALL)
    print(f"{10 * len(texts) / (time.process_time() - began):,.0f} of these lines/s and core")


def read(path: Path) -> None:
    """Print the lines of a file in which something is masked, and how many there are."""
    rows = path.read_text(encoding="utf-8", errors="replace").splitlines()
    began = time.process_time()
    found = [(row, left) for row in rows if (left := masked(row, ALL)) != row]
    seconds = time.process_time() - began
    for _, left in found:
        print(
            "  ",
            *(
                left[max(0, at - 30) : at + 30]
                for at in [min(filter(_there, map(left.find, TOKENS.values())))]
            ),
        )
    counts = {kind: sum(left.count(token) for _, left in found) for kind, token in TOKENS.items()}
    print(f"{path}: {len(found):,} of {len(rows):,} lines, {counts}, {len(rows) / seconds:,.0f} lines/s")


def _there(place: int) -> bool:
    return place >= 0


if __name__ == "__main__":
    tyro.cli(main)
