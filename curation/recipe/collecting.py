"""The command that collects what a recipe reads."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

#: Of stores that recipes name, the command that makes them. Others are Reddit's, of the recipe's communities.
_FLICKR = {"data/flickr": "flickr --votes FILE …", "data/vso": "flickr --vso FILE"}


def command(name: str, store: Path, communities: Sequence[str], *, local: bool) -> str:
    """Return the command that collects the communities of the recipe `name` to its store.

    `local`: they are those of a folder or table of one's own.
    """
    if local:
        return f"affectory collect local {name} --path FOLDER"
    site = _FLICKR.get(store.as_posix(), f"reddit --subs {' '.join(map(shlex.quote, communities))}")
    return f"affectory collect {site}"
