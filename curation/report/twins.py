"""The duplicates in a release: their groups, how many leak from training, and which are shown."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.report.picks import Array, Place
from curation.splits import SPLITS

#: The most groups on the page, and the most members shown of one.
GROUPS, MEMBERS_SHOWN = 12, 6

_TRAIN = SPLITS.index("train")


@dataclass(frozen=True, slots=True)
class Group:
    """A group of duplicates on the page."""

    name: str
    size: int
    straddles: bool
    conflicts: bool
    places: tuple[Place, ...]


@dataclass
class Twins:
    """Totals over the groups. `leaks` has, by split, the number of posts with a duplicate in training."""

    groups: int = 0
    rows: int = 0
    largest: int = 0
    straddling: int = 0
    conflicting: int = 0
    leaks: dict[str, int] = field(default_factory=dict)
    shown: list[Group] = field(default_factory=list)
    flagged: set[str] = field(default_factory=set)


def find(members: pa.Table) -> Twins:
    """Summarise the rows that have a duplicate group (columns: `scan.MEMBERS`)."""
    if not len(members):
        return Twins(leaks={split: 0 for split in SPLITS if split != "train"})
    codes = members["group"].combine_chunks().dictionary_encode()
    names, code = codes.dictionary, np.asarray(codes.indices)
    split, label = (np.asarray(members[name]) for name in ("split", "label"))
    sizes = np.bincount(code)
    real = sizes > 1  # filters have dropped the other members of a group of one
    masks = np.zeros((len(sizes), len(SPLITS)), dtype=bool)
    masks[code, split] = True
    straddles = (masks.sum(axis=1) > 1) & real
    conflicts = _differ(code, label, len(sizes))
    twins = Twins(
        groups=int(real.sum()),
        rows=int(sizes[real].sum()),
        largest=int(sizes.max()) if real.any() else 0,
        straddling=int(straddles.sum()),
        conflicting=int(conflicts.sum()),
    )
    posts = np.asarray(members["post"])
    for number, name in enumerate(SPLITS):
        if name != "train":
            leaking = (split == number) & masks[code, _TRAIN]
            twins.leaks[name] = len(np.unique(posts[leaking]))
    flagged = np.unique(code[np.asarray(members["flagged"])])
    twins.flagged = set(names.take(pa.array(flagged)).to_pylist())
    order = np.lexsort((_ranks(names), -sizes, ~conflicts, ~straddles))
    for group in [int(g) for g in order if real[g]][:GROUPS]:
        rows = members.take(pa.array(np.flatnonzero(code == group)))
        twins.shown.append(
            Group(
                names[group].as_py(),
                int(sizes[group]),
                bool(straddles[group]),
                bool(conflicts[group]),
                _places(rows),
            )
        )
    return twins


def _differ(code: Array, label: Array, groups: int) -> Array:
    """Return whether each group has several labels (bool[groups]); unlabelled rows are ignored."""
    code, label = code[label >= 0], label[label >= 0]
    lowest, highest = np.full(groups, np.iinfo(np.int32).max), np.full(groups, -1)
    np.minimum.at(lowest, code, label)
    np.maximum.at(highest, code, label)
    return np.asarray(highest > lowest)


def _ranks(names: pa.Array) -> Array:
    """Return the rank of each name in sorted order (int64[n])."""
    ranks = np.empty(len(names), dtype=np.int64)
    ranks[np.asarray(pc.sort_indices(names))] = np.arange(len(names))
    return ranks


def _places(rows: pa.Table) -> tuple[Place, ...]:
    """Return up to `MEMBERS_SHOWN` members, first one of each split and label, then a second one."""
    seen: dict[tuple[int, int], int] = {}
    ranked: list[tuple[int, int, Place]] = []
    for number, row in enumerate(rows.to_pylist()):
        kind = (row["split"], row["label"])
        seen[kind] = seen.get(kind, 0) + 1
        ranked.append((seen[kind], number, (row["file"], row["row"])))
    chosen = sorted(ranked)[:MEMBERS_SHOWN]
    return tuple(place for _, _, place in sorted(chosen, key=lambda one: one[1]))
