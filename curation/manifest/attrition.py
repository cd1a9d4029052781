"""Attrition: how the kept rows of a release differ from the collected ones, by class, host and year.

The manifest has counts and medians, no values of single posts: they stay right when a post is purged. Hosts
and medians of fewer than `FEWEST` rows aren't given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from affectory.core.numbers import number, percent

#: The fewest collected rows of a host with a part of its own, and the fewest rows of a median.
FEWEST = 10

#: The parts of rows that no other part has.
OTHER_HOSTS, NO_ADDRESS, NO_DATE = "other hosts", "no address", "no date"


@dataclass(frozen=True, slots=True)
class Medians:
    """The median of the collected rows and that of the kept ones; of two in the middle the lower one."""

    collected: int
    kept: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """How many rows of a class, host or year were collected and kept, and their medians."""

    name: str
    collected: int
    kept: int = 0
    score: Medians | None = None
    year: Medians | None = None

    @property
    def lost(self) -> int:
        """The rows that aren't kept."""
        return self.collected - self.kept


@dataclass(frozen=True, slots=True)
class Attrition:
    """The attrition of a release. There are no hosts or years if its kept rows have none."""

    all: Part
    classes: Sequence[Part]  # as the manifest's, then `UNLABELLED` if rows without a label were collected
    hosts: Sequence[Part]
    years: Sequence[Part]


def told(found: Attrition | None, classes: Sequence[str], unit: str) -> list[str]:
    """Return sentences on how kept and collected rows differ; none if all rows are kept."""
    if found is None or not found.all.lost:
        return []
    known = [part for part in found.classes if part.name in classes]
    return [*_classes(known, unit), *_medians(found.all, unit), *_hosts(found, unit)]


def _classes(known: Sequence[Part], unit: str) -> list[str]:
    known = [part for part in known if part.collected >= FEWEST]
    if len(known) < 2:
        return []
    most = max(known, key=lambda part: part.lost / part.collected)
    least = min(known, key=lambda part: part.lost / part.collected)
    collected, kept = sum(part.collected for part in known), sum(part.kept for part in known)
    moved = max(known, key=lambda part: abs(part.kept / max(kept, 1) - part.collected / collected))
    shares = percent(moved.collected, collected), percent(moved.kept, kept)
    lost = percent(most.lost, most.collected), percent(least.lost, least.collected)
    if lost[0] == lost[1]:
        return [f"Each class lost {lost[0]} of its collected {unit}."]
    change = f"the share of {moved.name} changed most, from {shares[0]} of the {unit} to {shares[1]}"
    return [f"{most.name} lost {lost[0]} of its collected {unit}, {least.name} {lost[1]}; {change}."]


def _medians(every: Part, unit: str) -> list[str]:
    said = []
    for name, one in (("score", every.score), ("year", every.year)):
        if one is not None and one.kept is not None:
            kept, collected = _value(name, one.kept), _value(name, one.collected)
            of = f"{kept} of the kept {unit} and {collected} of the collected ones"
            said.append(f"the median {name} is {f'{kept} of both' if kept == collected else of}")
    return [f"{'; '.join(said).capitalize()}."] if said else []


def _value(name: str, value: int) -> str:
    return str(value) if name == "year" else number(value)


def _hosts(found: Attrition, unit: str) -> list[str]:
    named = [
        part
        for part in found.hosts
        if part.name not in (OTHER_HOSTS, NO_ADDRESS)
        and part.collected >= found.all.collected / 100
        and part.lost * found.all.collected > part.collected * found.all.lost
    ]
    if len(found.hosts) < 2 or not named:
        return []
    worst = max(named, key=lambda part: part.lost / part.collected)
    share = percent(worst.lost, worst.collected)
    return [f"Of the linked hosts {worst.name} lost most: {share} of {worst.collected:,} {unit}."]
