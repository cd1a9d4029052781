"""The errors that a person who runs a command can mend.

    AffectoryError(ValueError)      one line: what is wrong, the value, the next step
    ├── StoreError                  the crawl store can't be opened or written
    ├── InputError                  a file, a flag or a list given by the user
    └── SourceError                 a source (Reddit, an archive, a dump) answered with a failure

A command prints the message and exits with 2, or with 1 where a part of the work was done.
Nothing else is caught at the top: another exception is our own bug and keeps its traceback.
"""

from __future__ import annotations


class AffectoryError(ValueError):
    """A failure with a one-line message for the person who typed the command."""


class StoreError(AffectoryError):
    """The crawl store can't be opened, read or written."""


class InputError(AffectoryError):
    """A file, a flag or a list that the user gave can't be used."""


class SourceError(AffectoryError):
    """A source of posts answered with a failure."""
