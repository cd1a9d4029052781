"""Compare two crawl stores, for example of one subreddit from two sources.

    affectory diff data/reddit data/archive
    affectory diff data/reddit data/archive --json > differences.json

It counts, by community, the posts that only one of the stores has, and among the posts of both those with
another score, those that only one has as removed, and those with other images (by sha256). The first ids of
each are listed, with `--json` all of them. Neither store is changed. The exit code is 0 even if they differ.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from affectory.core.arguments import read_options
from affectory.core.command import finish
from affectory.core.numbers import number

if TYPE_CHECKING:
    from collectors.store.reading import Reader, Record

#: Differences of a kind that are listed one by one.
SHOWN = 5

#: The columns of the table: posts, then the kinds of differences.
KINDS = {
    "both": "in both",
    "only_first": "only in 1",
    "only_second": "only in 2",
    "score": "score",
    "removed": "removed",
    "images": "images",
}


@dataclass(frozen=True)
class Options:
    """Compare two crawl stores: posts that only one has, and scores, deletions and images that differ."""

    first: Positional[Annotated[Path, arg(metavar="STORE")]]
    """A crawl store."""

    second: Positional[Annotated[Path, arg(metavar="STORE")]]
    """The other one."""


@dataclass(slots=True)
class Difference:
    """The differences of two stores: counts by community, and each difference by its kind."""

    first: Path
    second: Path
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    found: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {kind: [] for kind in KINDS if kind != "both"}
    )

    def add(self, kind: str, community: str, post_id: str, **values: object) -> None:
        """Count a difference of a post, and keep its values in both stores."""
        self.counts[community][kind] += 1
        self.found[kind].append({"post_id": post_id, **values})

    def __str__(self) -> str:
        lines = [f"1  {self.first}", f"2  {self.second}", "", *self._counts()]
        for kind, differences in self.found.items():
            if differences:
                lines += ["", f"{_TITLES[kind]}: {len(differences):,}"]
                lines += [f"  {_line(one)}" for one in differences[:SHOWN]]
                if len(differences) > SHOWN:
                    lines.append(f"  and {len(differences) - SHOWN:,} more: --json lists all")
        if not any(self.found.values()):
            lines += ["", "no difference"]
        return "\n".join(lines)

    def _counts(self) -> list[str]:
        """Return a table of the counts; on a terminal that is narrower, the counts below each community."""
        rows = sorted(self.counts.items())
        if len(rows) > 1:
            rows.append(("all", sum((counts for _, counts in rows), Counter())))
        cells = [["", *KINDS.values()]]
        cells += [[name, *(f"{counts[kind]:,}" for kind in KINDS)] for name, counts in rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        table = [
            "  ".join([name.ljust(widths[0]), *map(str.rjust, figures, widths[1:])])
            for name, *figures in cells
        ]
        if not sys.stdout.isatty() or len(table[0]) <= shutil.get_terminal_size().columns:
            return table
        below = []
        for name, *figures in cells[1:]:
            below += [name, "  " + ", ".join(map("{} {}".format, KINDS.values(), figures))]
        return below

    def as_json(self) -> dict[str, Any]:
        """Return all of it, as `--json` prints it."""
        return {
            "first": str(self.first),
            "second": str(self.second),
            "communities": {
                name: {kind: counts[kind] for kind in KINDS} for name, counts in sorted(self.counts.items())
            },
            "differences": self.found,
        }


#: What stands above the first differences of a kind.
_TITLES = {
    "only_first": "posts only in 1",
    "only_second": "posts only in 2",
    "score": "other scores",
    "removed": "removed in one of them",
    "images": "other images",
}


def main(arguments: list[str] | None = None, *, prog: str = "affectory diff") -> int:
    """Run the command with these arguments (default: those it was started with); return its exit code."""
    return finish(lambda: _diff(read_options(Options, arguments, prog, __doc__)))


def _diff(options: Options) -> Difference:
    from collectors.store.reading import reading

    with reading(options.first) as first, reading(options.second) as second:
        return compare(first, second)


def compare(first: Reader, second: Reader) -> Difference:
    """Compare the posts of two stores, and their images."""
    found = Difference(first.folder, second.folder)
    for one, other in _pairs(first.records(), second.records()):
        either = one or other
        assert either is not None
        post_id, community = either.post["post_id"], either.post["community"]
        if one is None or other is None:
            found.add("only_second" if one is None else "only_first", community, post_id)
            continue
        found.counts[community]["both"] += 1
        if one.is_removed != other.is_removed:
            found.add("removed", community, post_id, first=one.post["removed"], second=other.post["removed"])
        if one.is_removed or other.is_removed:
            continue
        if one.post["score"] != other.post["score"]:
            found.add("score", community, post_id, first=one.post["score"], second=other.post["score"])
        if (mine := _images(one)) != (theirs := _images(other)):
            found.add("images", community, post_id, first=mine, second=theirs)
    return found


def _pairs(
    first: Iterator[Record], second: Iterator[Record]
) -> Iterator[tuple[Record | None, Record | None]]:
    """Yield the posts of both, in the order of their ids; None for a post that a store hasn't."""
    one, other = next(first, None), next(second, None)
    while one is not None or other is not None:
        mine, theirs = (None if record is None else str(record.post["post_id"]) for record in (one, other))
        takes_one = mine is not None and (theirs is None or mine <= theirs)
        takes_other = theirs is not None and (mine is None or theirs <= mine)
        yield one if takes_one else None, other if takes_other else None
        one = next(first, None) if takes_one else one
        other = next(second, None) if takes_other else other


def _images(record: Record) -> list[str]:
    """Return the digests of a post's stored images, in its order."""
    return [row["sha256"] for row in record.media if row["status"] == "stored"]


def _line(difference: dict[str, Any]) -> str:
    """Return a difference in words: reddit:3svmej  7,724 | 7,701."""
    if "first" not in difference:
        return str(difference["post_id"])
    return f"{difference['post_id']}  {_value(difference['first'])} | {_value(difference['second'])}"


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(digest[:12] for digest in value) or "none"
    return number(value) if isinstance(value, int) else str(value or "none")
