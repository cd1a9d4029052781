"""The Visual Sentiment Ontology's lists (Borth et al. 2013): adjective-noun pairs, and photos for them.

    3244ANPs.txt                                                  lists of photos, if any
    1. beautiful [sentiment: 1.00] [#images: 18,487,527]          beautiful_flower<TAB>8674318733
    <TAB>beautiful_flower [sentiment: 1.77] [#imgs: 2,380,000]    or beautiful_flower.txt of URLs or ids

A photo's label is the sign of its pair's sentiment. A photo found for pairs of both signs is a conflict: it
is counted, but not collected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from affectory.core.errors import InputError
from collectors.flickr.listed import CONFLICT, Listed
from collectors.flickr.lists import Lists
from collectors.flickr.urls import target_of
from collectors.store.record import Rejection

SENTIMENTS = ("positive", "negative")

# "brave_9/11 [sentiment: 1.43] [#imgs: 127]"
_PAIR = re.compile(r"([^\s_]+_\S+) \[sentiment: ([+-]?\d+(?:\.\d+)?)\]")


@dataclass(frozen=True, slots=True)
class Pair:
    """An adjective-noun pair, "beautiful_flower", and its sentiment from -2 to 2."""

    name: str
    sentiment: float

    @property
    def sign(self) -> str:
        """`positive` or `negative`."""
        return SENTIMENTS[self.sentiment < 0]

    @property
    def words(self) -> str:
        """The text of the search."""
        return self.name.replace("_", " ")


def read_pairs(path: Path) -> tuple[list[Pair], Lists]:
    """Read the list of pairs; bad rows are added to `rejected`. Raises `InputError` if it has no pair."""
    lists, pairs = Lists(list(SENTIMENTS)), dict[str, Pair]()
    for number, line in lists.lines(path):
        found = _PAIR.match(line.strip())
        if found is not None and float(found[2]) != 0:
            pairs.setdefault(found[1].lower(), Pair(found[1].lower(), float(found[2])))
        elif found is not None:
            lists.reject("neutral_pair", path, number, f"{found[1]!r} has sentiment 0")
        elif line.startswith("\t"):
            lists.reject("bad_row", path, number, f"no pair with its sentiment: {line.strip()[:60]!r}")
        # The list's head and its lines of adjectives ("1. beautiful [sentiment: 1.00] …") have no pair.
    if not pairs:
        raise InputError(
            f"--vso {str(path)!r} holds no line like 'beautiful_flower [sentiment: 1.77]': give VSO's list "
            "of adjective-noun pairs (3244ANPs.txt)"
        )
    return list(pairs.values()), lists


def read_photos(paths: Sequence[Path], pairs: Sequence[Pair], lists: Lists) -> Lists:
    """Add the photos that lists name for the pairs. Raises `InputError` if they name none."""
    by_name = {pair.name: pair for pair in pairs}
    before = len(lists.rejected)
    for path in paths:
        seen = lists.good + len(lists.rejected)
        for number, line in lists.lines(path):
            if line.strip() and not line.startswith("#"):
                _photo(lists, path, number, line, by_name)
        if lists.good + len(lists.rejected) == seen:
            lists.reject_empty(path)
    for photo_id, listed in list(lists.photos.items()):
        if listed.sentiment == CONFLICT:
            del lists.photos[photo_id]
            lists.rejected.append(Rejection(CONFLICT, f"{photo_id}: {', '.join(listed.pairs)}"))
    if not lists.photos:
        why = lists.rejected[before]
        raise InputError(f"no row of --photos gives a photo: {why.detail} ({why.reason.replace('_', ' ')})")
    return lists


def _photo(lists: Lists, path: Path, number: int, line: str, pairs: Mapping[str, Pair]) -> None:
    # "beautiful flower<tab>https://…" or "beautiful_flower https://…"
    cut = r"[\t,;]\s*" if re.search(r"[\t,;]", line.strip()) else r"\s+"
    fields = re.split(cut, line.strip())
    name, shown = (path.stem, fields[0]) if len(fields) == 1 else (fields[0], fields[1])
    pair = pairs.get(name.strip().lower().replace(" ", "_"))
    if pair is None:
        why = f"{name[:60]!r} is not a pair of the list"
        if len(fields) > 2 and cut == r"\s+":  # beautiful flower 123
            why += "; put a tab, comma or semicolon between pair and photo"
        return lists.reject("unknown_pair", path, number, why)
    target = target_of(shown)
    if target is None:
        return lists.reject("no_flickr_photo", path, number, f"{shown[:80]!r} is not a Flickr photo")
    return lists.add(Listed(target.photo_id, target.url, pairs=(pair.name,), sentiment=pair.sign))
