"""Collect the posts of a release by their ids into a crawl store, with the collector of their source.

Each collector is started as a command, with a list of ids as a user would write it. Labels and votes aren't
collected: the rebuilt release takes them from the ids.
"""

from __future__ import annotations

import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from affectory.core.errors import AffectoryError
from collectors.sites import SITES

#: The columns of the ids that the lists are made of.
COLUMNS = ("post_id", "source", "community", "image_url")


def collect(
    rows: Sequence[Mapping[str, Any]], store: Path, sandbox_url: str | None, *, again: bool = False
) -> None:
    """Collect the posts of these rows (`COLUMNS`).

    Raises `AffectoryError` if a collector can't collect them, or not all of them: what would be made of half
    a collection takes the other half for gone.

    With `again`, posts are asked for that the store has, so that it knows which were deleted since; images
    are left as they are.
    """
    by_post = {row["post_id"]: row for row in rows}
    for source in sorted({row["source"] for row in rows}):
        own = [row for _, row in sorted(by_post.items()) if row["source"] == source]
        site = SITES.get(source)
        if site is None or site.command is None or site.by_ids is None or (again and not site.asks_again):
            raise AffectoryError(
                f"posts of {source!r} can't be asked for again by their ids: leave out --refresh"
                if again
                else f"posts of {source!r} can't be collected by their ids: bring a store that holds them "
                "and run this command again with --store-only"
            )
        arguments = pkgutil.resolve_name(site.by_ids)
        with tempfile.TemporaryDirectory() as scratch:
            listed = arguments(own, Path(scratch), sandboxed=sandbox_url is not None)
            command = [sys.executable, "-m", site.command, *listed, "--store", str(store)]
            command += ["--no-media"] if again else []
            command += ["--sandbox-url", sandbox_url] if sandbox_url else []
            code = subprocess.run(command, check=False).returncode
        if code:
            raise AffectoryError(
                f"{'not all posts could be asked for' if again else 'not all could be collected'} (see the "
                "message above): run this command again to resume, or use what the store holds "
                f"{'without --refresh' if again else 'with --store-only'}"
            )
