"""Faults of a recipe that are no faults of its types: repeated and empty values, labels that look alike.

A recipe.toml with one is refused. The recipe in the manifest of a release is not checked for them: what
earlier versions have built stays readable.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from affectory.core.errors import key_of, shown, some
from affectory.core.tables import Table

#: The most characters of a label.
LONGEST = 100

#: Joiners, which are invisible and belong to words of some scripts and to emoji.
_JOINERS = "\u200c\u200d"

#: Keys whose value may be anything: a space divides cells, and a column is joined to one of its own name.
_FREE = ("delimiter", "join_on")


def of_line(key: str, value: str) -> Iterator[str]:
    """Yield what is wrong in a text that stands on one line of the card and the report."""
    others = {one for one in value if not one.isprintable() and one not in _JOINERS}
    if any(unicodedata.category(one) != "Zs" for one in others):  # Zs: a no-break space
        yield f"{key} = {shown(value)}: write it on one line, without control characters"


def of_label_map(labels: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong in a `[labels]`."""
    for key, label in labels.items():
        if key != key.strip() or not key:
            yield f"labels.{shown(key)}: no post has this label: labels have no spaces around them"
        if label and (wrong := _name(label)):
            yield f"{key_of(('labels', key))} = {shown(label)}: {wrong}"
    yield from _alike("labels", [label for label in labels.values() if label])


def of_names(key: str, names: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong in a list of labels."""
    for label in names:
        if wrong := _name(label):
            yield f"{key} has {shown(label)}: {wrong}"
    yield from _alike(key, names)


def of_counts(key: str, named: Collection[str], labels: Sequence[str]) -> Iterator[str]:
    """Yield that a table of counts by label names others."""
    if unknown := sorted(set(named) - set(labels)):
        yield f"{key} has {some(unknown, shown)}: there is no such label; there are {some(labels, shown)}"


def of_values(value: object, place: tuple[object, ...] = (), default: object = None) -> Iterator[str]:
    """Yield what is wrong in the value of any key: a list with repeats, an empty string, a null character."""
    if place and place[-1] in _FREE:
        return
    if isinstance(value, Table):
        for name, field in type(value).model_fields.items():
            yield from of_values(getattr(value, name), (*place, name), field.default)
    elif isinstance(value, tuple):
        counted = Counter(map(_whole, value))
        if twice := [one for one in value if counted[_whole(one)] > 1]:
            yield f"{key_of(place)} has {shown(_plain(twice[0]))} twice: remove one"
        for number, one in enumerate(value):
            yield from of_values(one, (*place, number))
    elif isinstance(value, str):
        if "\0" in value:
            yield f"{key_of(place)} = {shown(value)}: it has a null character: remove it"
        elif not value.strip() and value != default:
            yield f"{key_of(place)} = {shown(value)}: it is empty: fill it in, or remove the key"


def _plain(value: object) -> object:
    """Return an item of a list; of a table, such as a filter, the keys that differ from their defaults."""
    return value.model_dump(exclude_defaults=True) if isinstance(value, Table) else value


def _whole(value: object) -> str:
    return repr(_plain(value))


def _name(label: str) -> str:
    """Return what is wrong with a label's name; "" if nothing is."""
    if not label.strip():
        return "it is empty: name the label"
    if label != label.strip():
        return "it has spaces around it: remove them"
    if not all(one.isprintable() or one in _JOINERS for one in label):
        return "it has a line break, or a character that can't be seen: remove it"
    return f"it has more than {LONGEST} characters: shorten it" if len(label) > LONGEST else ""


def _alike(key: str, labels: Sequence[str]) -> Iterator[str]:
    """Yield the labels that a reader takes for one: they differ in case, or in how accents are encoded."""
    seen: dict[str, str] = {}
    for label in labels:
        first = seen.setdefault(unicodedata.normalize("NFC", label).casefold(), label)
        if first != label:
            yield f"{key} has {shown(first)} and {shown(label)}, which look alike: write both in one way"
