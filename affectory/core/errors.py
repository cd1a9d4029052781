"""The errors that a person who runs a command can mend.

    AffectoryError(ValueError)      one line: what is wrong, the value, the next step
    ├── StoreError                  the crawl store can't be opened or written
    ├── InputError                  a file, a flag or a list given by the user
    ├── SourceError                 a source (Reddit, an archive, a dump) answered with a failure
    └── BaselineError               a release, weights, vectors or a setting can't be trained on or with

A command prints the message and exits with 2, or with 1 where a part of the work was done.
Nothing else is caught at the top: another exception is our own bug and keeps its traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class AffectoryError(ValueError):
    """A failure with a one-line message for the person who typed the command."""


class StoreError(AffectoryError):
    """The crawl store can't be opened, read or written."""


class InputError(AffectoryError):
    """A file, a flag or a list that the user gave can't be used."""


class SourceError(AffectoryError):
    """A source of posts answered with a failure."""


class BaselineError(AffectoryError):
    """A release, weights, vectors or a setting that the baselines can't use."""


def first_fault(error: ValidationError) -> str:
    """Return the first fault that pydantic found, on one line: key, value, what is allowed."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    value = "" if first["type"] == "missing" or not key else f" = {first['input']!r}"
    told = first["msg"].removeprefix("Value error, ")
    if first["type"] == "tuple_type":  # "Input should be a valid tuple": TOML has none
        told = "this is to be a list: put it in [ ]"
    return f"{key}{value}: {told}{more}" if key else f"{told}{more}"
