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

import os
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


def first_fault(error: ValidationError) -> str:
    """Return the first error that pydantic found, on one line: key, value, what is allowed."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    value = "" if first["type"] == "missing" or not key else f" = {first['input']!r}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "tuple_type":  # "Input should be a valid tuple": TOML has none
        message = "must be a list: put it in [ ]"
    return f"{key}{value}: {message}{more}" if key else f"{message}{more}"
