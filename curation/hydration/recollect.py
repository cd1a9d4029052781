"""Collect the posts of an `ids` release into a crawl store, by the collector of their source.

The collectors are started as commands: each gets the lists that it takes from a user, written of the ids.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from affectory.core.errors import AffectoryError
from affectory.core.generated import source_address

#: Of a row of the ids: what the lists are made of.
COLUMNS = ("post_id", "source", "community", "votes", "agreement", "image_url")

NO_KEY = (
    "FLICKR_API_KEY is not set, and the photos come from Flickr's API: ask for a key at "
    "https://www.flickr.com/services/api/misc.api_keys.html and export it; or use what the store holds with "
    "--store-only"
)

Row = Mapping[str, Any]


def collect(rows: Sequence[Row], store: Path, sandbox_url: str | None) -> None:
    """Collect the posts of these rows (`COLUMNS`). Raises `AffectoryError` where a collector can't."""
    by_post = {row["post_id"]: row for row in rows}
    for source in sorted({row["source"] for row in rows}):
        own = [row for _, row in sorted(by_post.items()) if row["source"] == source]
        if source not in _COLLECTORS:
            raise AffectoryError(
                f"posts of {source!r} can't be collected by their ids: bring a store that holds them and run "
                "this command again with --store-only"
            )
        if source == "flickr" and not sandbox_url and not os.environ.get("FLICKR_API_KEY", "").strip():
            raise AffectoryError(NO_KEY)  # the collector's own words name flags that hydrating hasn't
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-m", *_COLLECTORS[source](own, Path(scratch)), "--store", str(store)]
            command += ["--sandbox-url", sandbox_url] if sandbox_url else []
            code = subprocess.run(command, check=False).returncode
        if code not in (0, 1):
            raise AffectoryError(
                "the posts could not be collected (the message stands above): mend it, or use what the store "
                "holds with --store-only"
            )


def _reddit(rows: Sequence[Row], folder: Path) -> list[str]:
    listed = folder / "ids.txt"
    listed.write_text("".join(f"{_own_id(row)}\n" for row in rows))
    subs = sorted({row["community"] for row in rows})
    return ["collectors.reddit", "--source", "index", "--path", str(listed), "--subs", *subs]


def _flickr(rows: Sequence[Row], folder: Path) -> list[str]:
    """Write vote tables, or where nobody voted a list of photos for two pairs, one of either sign."""
    if all(row["votes"] != "{}" for row in rows):
        tables = _vote_tables(rows)
        for emotion, table in tables.items():
            _write(folder / f"{emotion}_ids.csv", table)
        return ["collectors.flickr", "--votes", str(folder)]
    pairs, photos = folder / "pairs.txt", folder / "photos.csv"
    pairs.write_text("\tpositive_photo [sentiment: 1.00]\n\tnegative_photo [sentiment: -1.00]\n")
    _write(photos, ([f"{row['community']}_photo", _photo(row)] for row in rows))
    return ["collectors.flickr", "--vso", str(pairs), "--photos", str(photos)]


def _vote_tables(rows: Sequence[Row]) -> dict[str, list[list[object]]]:
    """Return rows of number, url, disagree, agree by emotion; `agreement` tells how many were asked."""
    tables: dict[str, list[list[object]]] = {}
    for row in rows:
        votes = json.loads(row["votes"])
        asked = round(max(votes.values()) / row["agreement"])
        for emotion, agree in votes.items():
            table = tables.setdefault(emotion, [])
            table.append([len(table), _photo(row), max(0, asked - agree), agree])
    return tables


def _photo(row: Row) -> str:
    """Return the address of a photo's file, so that the same file is fetched; else its id."""
    return source_address(row["image_url"]) if row["image_url"] else _own_id(row)


def _own_id(row: Row) -> str:
    return str(row["post_id"]).partition(":")[2]


def _write(path: Path, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


_COLLECTORS = {"reddit": _reddit, "flickr": _flickr}
