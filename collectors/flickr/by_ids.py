"""Collect Flickr photos by their ids, for the rebuild of a release from its ids."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from affectory.core.errors import InputError
from affectory.core.generated import source_address

NO_KEY = (
    "FLICKR_API_KEY is not set, and the photos come from Flickr's API: ask for a key at "
    "https://www.flickr.com/services/api/misc.api_keys.html and export it; or use what the store holds with "
    "--store-only"
)


def arguments(rows: Sequence[Mapping[str, Any]], folder: Path, *, sandboxed: bool) -> list[str]:
    """Write a list of the photos to `folder`; return the collector's arguments. Raises `InputError`.

    `rows` have `post_id`, `community` and `image_url`: the address of the published image, so that the same
    file is fetched. See `collectors.sites.Site.by_ids`.
    """
    if not sandboxed and not os.environ.get("FLICKR_API_KEY", "").strip():
        raise InputError(NO_KEY)  # the collector's own message names options that hydrate doesn't have
    listed = folder / "ids.csv"
    with listed.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "url", "community"])
        for row in rows:
            own_id = row["post_id"].partition(":")[2]
            table.writerow([own_id, source_address(row["image_url"]), row["community"]])
    return ["--ids", str(listed)]
