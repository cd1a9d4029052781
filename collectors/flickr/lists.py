"""The result of reading a user's lists: photos, and the rejected rows with their file and line."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from affectory.core.errors import InputError
from collectors.bounded_lines import TOO_LONG, bounded_lines
from collectors.crawl.shard import ELSEWHERE, Shard
from collectors.flickr.listed import Listed
from collectors.store.record import Rejection

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(slots=True)
class Lists:
    """The photos of lists by their id, in the lists' order; `communities` are those of the lists.

    `skipped` counts rows that add nothing new, by reason.
    """

    communities: list[str] = field(default_factory=list)
    photos: dict[str, Listed] = field(default_factory=dict)
    rejected: list[Rejection] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> int:
        """The number of rows so far that name a photo, repeats included."""
        return len(self.photos) + self.skipped.total()

    def add(self, listed: Listed) -> None:
        """Add a photo, or merge what another list says about it."""
        known = self.photos.get(listed.photo_id)
        if known is not None:
            self.skipped["rows_of_a_photo_listed_before"] += 1
        self.photos[listed.photo_id] = known.and_then(listed) if known is not None else listed

    def reject(self, reason: str, path: Path, number: int, why: str) -> None:
        """Add a row that names no photo to `rejected`."""
        self.rejected.append(Rejection(reason, f"{path.name}, line {number}: {why}"))

    def reject_empty(self, path: Path) -> None:
        """Add a file without rows to `rejected`."""
        self.rejected.append(Rejection("empty_list", f"{path.name} holds no row"))

    @contextmanager
    def reading(self, flag: str, path: Path) -> Iterator[None]:
        """Read a list in this context. Rejects an empty list; raises `InputError` if all rows are bad."""
        good, bad = self.good, len(self.rejected)
        yield
        if self.good == good and len(self.rejected) > bad:
            why = self.rejected[bad].detail
            raise InputError(f"no row of {flag} {str(path)!r} gives a photo: {why}")
        if self.good == good:
            self.reject_empty(path)

    def rows(self, path: Path) -> Iterator[tuple[int, str, list[str]]]:
        """Yield the rows of a CSV file: their line's number, the line, its values without outer spaces.

        Empty lines are skipped. Raises `InputError` as `lines` does.
        """
        for number, line in self.lines(path):
            if not line.strip():
                continue
            try:
                fields = next(csv.reader([line], strict=True), [])
            except csv.Error as error:  # a quote that isn't closed, or a value of more than 128 kB
                self.reject("bad_row", path, number, f"{error}: {line[:60]!r}")
                continue
            yield number, line, [one.strip() for one in fields]

    def lines(self, path: Path) -> Iterator[tuple[int, str]]:
        """Yield the lines of a text file with their numbers from 1; a line that isn't UTF-8 is rejected.

        Raises `InputError` for a file that can't be read, is UTF-16, or has no UTF-8 line.
        """
        good, fault = 0, ""
        try:
            with path.open("rb") as file:
                for number, raw in enumerate(bounded_lines(file), 1):
                    if raw is None:
                        self.reject("bad_row", path, number, TOO_LONG)
                        continue
                    try:
                        line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                    except UnicodeDecodeError as error:
                        if number == 1 and raw.startswith(_UTF_16):  # its other lines may be valid UTF-8
                            raise InputError(f"{str(path)!r} is UTF-16 text, not UTF-8: convert it") from None
                        fault = f"byte {error.start + 1} of the line, 0x{raw[error.start]:02x}, is not UTF-8"
                        self.reject("bad_row", path, number, fault)
                        continue
                    good += 1
                    yield number, line.rstrip("\r\n")
        except OSError as error:
            raise InputError(f"{str(path)!r} can't be read: {error.strerror}") from None
        if fault and not good:
            raise InputError(f"{str(path)!r} is not UTF-8 text: convert it")

    def keep(self, shard: Shard) -> None:
        """Keep the photos of a shard."""
        others = [photo_id for photo_id, one in self.photos.items() if not shard.has(one.post_id)]
        for photo_id in others:
            del self.photos[photo_id]
        if others:
            self.skipped[ELSEWHERE] += len(others)

    def cut(self, limit: int) -> None:
        """Keep the first `limit` photos of each list."""
        kept: Counter[str] = Counter()
        for photo_id, listed in list(self.photos.items()):
            kept[listed.community] += 1
            if kept[listed.community] > limit:
                del self.photos[photo_id]
                self.skipped[f"outside_the_first_{limit}"] += 1


def named_after(path: Path) -> str:
    """Return the emotion that a file is named after: `amusement` for amusement_agg.csv."""
    found = re.match(r"[a-z]+", path.stem.lower())
    if found is None:
        raise InputError(f"{str(path)!r} is not named after an emotion, as amusement_….csv is: rename it")
    return found[0]
