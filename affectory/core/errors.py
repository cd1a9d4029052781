"""The errors that the user of a command can fix.

    AffectoryError(ValueError)      one line: what is wrong, the value, the next step
    ├── InputError                  an option, a file or a list that the user gave
    │   └── RecipeError             a recipe.toml
    ├── StoreError                  the crawl store can't be opened, read or written
    ├── SourceError                 a source of posts (Reddit, Flickr, an archive) answered with a failure
    ├── ReleaseError                a release is missing, incomplete or damaged, or can't be written
    └── BaselineError               a release, weights, word vectors or a setting can't be used for training

Packages derive their own classes from these, where a caller tells them apart. `affectory.core.command` prints
the message and chooses the exit code; so it does for an `OSError`. Any other exception is a bug of ours and
keeps its traceback.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, time
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class AffectoryError(ValueError):
    """A failure with a one-line message for the user of the command."""


class StoreError(AffectoryError):
    """The crawl store can't be opened, read or written."""


class InputError(AffectoryError):
    """An option, a file or a list that the user gave can't be used."""


class RecipeError(InputError):
    """A recipe.toml can't be used."""


class SourceError(AffectoryError):
    """A source of posts answered with a failure."""


class ReleaseError(AffectoryError):
    """A release is missing, incomplete or damaged, or can't be written."""


class BaselineError(AffectoryError):
    """A release, weights, word vectors or a setting can't be used for training."""


def in_words(error: OSError) -> str:
    """Return the system's error on one line: the file, if it names one, and the reason."""
    # An OSError of pyarrow has no errno, and a message of several lines, of which the first says enough.
    why = os.strerror(error.errno) if error.errno else str(error).partition("\n")[0]
    return f"{error.filename!r}: {why}" if error.filename is not None else why


#: The most values of a list, and characters of a string, that a message shows.
MOST, LONGEST = 8, 80


def some(values: Collection[object], show: Callable[[object], str] = repr, most: int = MOST) -> str:
    """Return the values as a message lists them, the first ones of many: 'a', 'b', … and 3 more."""
    more = len(values) - most
    listed = ", ".join(map(show, islice(values, most)))
    return f"{listed}, … and {more:,} more" if more > 0 else listed


def meant(given: str, known: Collection[str]) -> str:
    """Return what a message on an unknown name ends with: the nearest name there is, else all of them."""
    lower = {name.lower(): name for name in known}
    if near := difflib.get_close_matches(given.lower(), lower, 1):
        return f"did you mean {lower[near[0]]}?"
    return f"it is one of {', '.join(known)}" if known else "there is none"


def shown(value: object, depth: int = 2) -> str:
    """Return a value of a TOML file as a message shows it, on one line and not too long."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            cut = f"… ({len(value):,} characters)" if len(value) > LONGEST else ""
            return f"{value[:LONGEST]!r}{cut}"
        case date() | time():
            return str(value)
        case Mapping() if depth:
            pairs = [(key, value[key]) for key in islice(value, MOST + 1)]
            more = f", … and {len(value) - MOST:,} more" if len(value) > MOST else ""
            said = ", ".join(f"{shown(key)}: {shown(one, depth - 1)}" for key, one in pairs[:MOST])
            return f"{{{said}{more}}}"
        case list() | tuple() if depth:
            return f"[{some(value, lambda one: shown(one, depth - 1))}]"
        case Mapping() | list() | tuple():
            return "…"
    return repr(value)


def key_of(parts: Iterable[object]) -> str:
    """Return the place of a value as a message names it: `filters.0.min`, `labels.'a b'`."""
    return ".".join(
        str(part) if isinstance(part, int) or _BARE.fullmatch(str(part)) else shown(part) for part in parts
    )


#: A key that TOML writes without quotes.
_BARE = re.compile(r"[A-Za-z0-9_-]{1,80}")


def first_fault(error: ValidationError) -> str:
    """Return the first error that pydantic found, on one line: key, value, what is allowed."""
    first = error.errors()[0]
    key = key_of(first["loc"])
    more = f" (and {error.error_count() - 1:,} more)" if error.error_count() > 1 else ""
    value = "" if first["type"] == "missing" or not key else f" = {shown(first['input'])}"
    message = _OF_TOML.get(first["type"], first["msg"].removeprefix("Value error, "))
    return f"{key}{value}: {message}{more}" if key else f"{message}{more}"


#: What pydantic says about Python's types, in TOML's words.
_OF_TOML = {
    "tuple_type": "must be a list: put it in [ ]",
    "too_short": "must list at least one",
    "model_type": "must be a table: write its keys below its name in [ ]",
    "dict_type": "must be a table: write its keys below its name in [ ]",
}
