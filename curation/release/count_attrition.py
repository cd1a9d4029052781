"""Counts of the collected and kept rows by class, host and year: `curation.manifest.attrition`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from affectory.core.generated import NOWHERE
from curation.manifest.attrition import (
    FEWEST,
    NO_ADDRESS,
    NO_DATE,
    OTHER_HOSTS,
    Attrition,
    Medians,
    Part,
)
from curation.manifest.manifest import UNLABELLED

#: The columns that are counted. Of working rows `label` is a name, of published ones a number.
COLUMNS = ["label", "score", "created_at", "image_url"]

#: The most hosts with a part of their own.
HOSTS = 12

#: The key of all rows among those of the classes. No label is empty.
_ALL = ""


def attrition(collected: pa.Table, kept: pa.Table, classes: Sequence[str]) -> Attrition:
    """Count rows (`COLUMNS`): those collected and, of them, those kept."""
    found = _tally(collected, classes)
    names = [*classes, *([UNLABELLED] if found.labels[UNLABELLED] else [])]
    hosts = [(-rows, host) for host, rows in found.hosts.items() if host is not None and rows >= FEWEST]
    large = [host for _, host in sorted(hosts)[:HOSTS]]
    by_host = _folded(found.hosts, large)
    ranked = [name for name in (*large, OTHER_HOSTS, NO_ADDRESS) if by_host[name]]
    by_year = _named(found.years)
    before = Attrition(
        all=_collected("all", _ALL, found),
        classes=[_collected(name, name, found) for name in names],
        hosts=[Part(name, by_host[name]) for name in ranked if _has(kept["image_url"])],
        years=[Part(name, by_year[name]) for name in sorted(by_year) if _has(kept["created_at"])],
    )
    return of_kept(before, kept, classes)


def _has(column: pa.ChunkedArray) -> bool:
    return bool(column.null_count < len(column))


def of_kept(before: Attrition, kept: pa.Table, classes: Sequence[str]) -> Attrition:
    """Return the attrition with its kept rows counted anew, as after a purge."""
    found = _tally(kept, classes)
    by_host = _folded(found.hosts, [part.name for part in before.hosts])
    by_year = _named(found.years)
    return Attrition(
        all=_kept(before.all, _ALL, found),
        classes=[_kept(part, part.name, found) for part in before.classes],
        hosts=[replace(part, kept=by_host[part.name]) for part in before.hosts],
        years=[replace(part, kept=by_year[part.name]) for part in before.years],
    )


@dataclass(frozen=True, slots=True)
class _Tally:
    """Rows by label, host and year (None: unknown), and medians by label; `_ALL` is the label of all."""

    labels: Counter[str]
    hosts: Counter[str | None]
    years: Counter[int | None]
    scores: Mapping[str, int]
    dates: Mapping[str, int]


def _tally(rows: pa.Table, classes: Sequence[str]) -> _Tally:
    labels = rows["label"]
    if pa.types.is_integer(labels.type):
        labels = pa.array(classes, pa.string()).take(labels)
    labels = labels.fill_null(UNLABELLED)
    years = pc.year(rows["created_at"].cast(pa.timestamp("s")))
    counted = _counts(labels)
    scores: dict[str, int] = {}
    dates: dict[str, int] = {}
    for name in [_ALL, *counted]:
        here = None if name == _ALL else pc.equal(labels, name)
        for medians, column in ((scores, rows["score"]), (dates, years)):
            values = (column if here is None else column.filter(here)).drop_null()
            if len(values) >= FEWEST:
                medians[name] = pc.quantile(values, 0.5, interpolation="lower")[0].as_py()
    counted[_ALL] = len(rows)
    return _Tally(counted, _counts(_hosts(rows["image_url"])), _counts(years), scores, dates)


def _counts(column: pa.ChunkedArray) -> Counter[Any]:
    return Counter({one["values"]: one["counts"] for one in pc.value_counts(column).to_pylist()})


def _hosts(addresses: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the host of each address; of generated posts, whose addresses lead nowhere, the real hosts."""
    plain = pc.replace_substring(addresses, NOWHERE, "https://", max_replacements=1)
    found = pc.extract_regex(plain, r"^https?://(?:[^/?#@]*@)?(?P<host>[^/?#:]+)")
    return pc.utf8_lower(pc.struct_field(found, "host"))


def _folded(hosts: Mapping[str | None, int], named: Collection[str]) -> Counter[str]:
    """Return the rows of these hosts, of all others together, and of none."""
    folded = Counter[str]()
    for host, rows in hosts.items():
        folded[NO_ADDRESS if host is None else host if host in named else OTHER_HOSTS] += rows
    return folded


def _named(years: Mapping[int | None, int]) -> Counter[str]:
    return Counter({NO_DATE if year is None else str(year): rows for year, rows in years.items()})


def _collected(name: str, label: str, found: _Tally) -> Part:
    medians = [Medians(one[label]) if label in one else None for one in (found.scores, found.dates)]
    return Part(name, found.labels[label], 0, *medians)


def _kept(part: Part, label: str, found: _Tally) -> Part:
    medians = [
        None if one is None else replace(one, kept=of.get(label))
        for one, of in ((part.score, found.scores), (part.year, found.dates))
    ]
    return Part(part.name, part.collected, found.labels[label], *medians)
