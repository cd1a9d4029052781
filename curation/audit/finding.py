"""What an audit finds: a kind, one sentence, counts, and the rows it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: The kinds of findings by the names that `--fail-on` takes, in the order of the page.
KINDS: Mapping[str, str] = {
    "leaks": "Copies across splits",
    "conflicts": "Copies with contradicting labels",
    "shortcuts": "Shortcuts",
    "errors": "Likely label errors",
    "files": "Images that can’t be decoded",
    "exif": "Metadata in images",
    "quality": "Image quality",
    "balance": "Class balance",
}


#: The kinds that need images, and those that need labels.
OF_IMAGES = ("files", "exif", "quality")
OF_LABELS = ("conflicts", "shortcuts", "errors", "balance")


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Kinds that weren't looked for, or not in full, and why."""

    kinds: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at: `count` of `of` rows (of shortcuts: of the values that were tested).

    `groups` are the rows that it is about, those to look at first first: copies together, others each alone.
    `captions` are of the groups, as many or none. `head` and `table` are its figures, if it has some.
    """

    kind: str
    name: str
    says: str
    count: int
    of: int
    groups: Sequence[Sequence[int]] = ()
    captions: Sequence[str] = ()
    head: Sequence[str] = ()
    table: Sequence[Sequence[str | int | float]] = ()
