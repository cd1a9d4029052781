"""Collect the posts of an `ids` release into a crawl store, with the collector of their source.

Each collector is started as a command, with a list of ids as a user would write it. Labels and votes aren't
collected: the rebuilt release takes them from the ids.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from affectory.core.errors import AffectoryError
from affectory.core.generated import source_address

#: The columns of the ids that the lists are made of.
COLUMNS = ("post_id", "source", "community", "image_url")

NO_KEY = (
    "FLICKR_API_KEY is not set, and the photos come from Flickr's API: ask for a key at "
    "https://www.flickr.com/services/api/misc.api_keys.html and export it; or use what the store holds with "
    "--store-only"
)

Row = Mapping[str, Any]


def collect(rows: Sequence[Row], store: Path, sandbox_url: str | None) -> None:
    """Collect the posts of these rows (`COLUMNS`). Raises `AffectoryError` if a collector can't."""
    by_post = {row["post_id"]: row for row in rows}
    for source in sorted({row["source"] for row in rows}):
        own = [row for _, row in sorted(by_post.items()) if row["source"] == source]
        if source not in _COLLECTORS:
            raise AffectoryError(
                f"posts of {source!r} can't be collected by their ids: bring a store that holds them and run "
                "this command again with --store-only"
            )
        if source == "flickr" and not sandbox_url and not os.environ.get("FLICKR_API_KEY", "").strip():
            raise AffectoryError(
                NO_KEY
            )  # the collector's own message names options that hydrate doesn't have
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-m", *_COLLECTORS[source](own, Path(scratch)), "--store", str(store)]
            command += ["--sandbox-url", sandbox_url] if sandbox_url else []
            code = subprocess.run(command, check=False).returncode
        if code not in (0, 1):
            raise AffectoryError(
                "the posts could not be collected (see the message above): solve it, or use what the store "
                "holds with --store-only"
            )


def _reddit(rows: Sequence[Row], folder: Path) -> list[str]:
    listed = folder / "ids.txt"
    listed.write_text("".join(f"{_own_id(row)}\n" for row in rows))
    subs = sorted({row["community"] for row in rows})
    return ["collectors.reddit", "--source", "index", "--path", str(listed), "--subs", *subs]


def _flickr(rows: Sequence[Row], folder: Path) -> list[str]:
    """Write the photos with the address of the published image, so that the same file is fetched."""
    listed = folder / "ids.csv"
    with listed.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "url", "community"])
        table.writerows([_own_id(row), source_address(row["image_url"]), row["community"]] for row in rows)
    return ["collectors.flickr", "--ids", str(listed)]


def _own_id(row: Row) -> str:
    return str(row["post_id"]).partition(":")[2]


_COLLECTORS = {"reddit": _reddit, "flickr": _flickr}
