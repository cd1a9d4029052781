"""Collect Reddit posts by their ids, for the rebuild of a release from its ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def arguments(rows: Sequence[Mapping[str, Any]], folder: Path, *, sandboxed: bool) -> list[str]:
    """Write a list of the posts to `folder`; return the collector's arguments.

    `rows` have `post_id` and `community`. See `collectors.sites.Site.by_ids`.
    """
    listed = folder / "ids.txt"
    listed.write_text("".join(f"{row['post_id'].partition(':')[2]}\n" for row in rows))
    return ["--source", "index", "--path", str(listed), "--subs", *sorted({row["community"] for row in rows})]
