"""Ask the source of a release's posts for each of them again, so that the store knows which were deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from collectors.store import Store
from curation.hydration import recollect
from curation.hydration.rebuild import ids_of
from curation.manifest import manifest
from curation.release import dropped, versions


def refresh(folder: Path, version: str | None, store: Path | None, sandbox_url: str | None) -> None:
    """Collect the posts of a version into its store again, published and dropped ones.

    Raises `AffectoryError` if the version or the store isn't there, or its posts can't be asked for.
    """
    found = versions.find(folder, version)
    described = manifest.read(found / "manifest.json")
    rows: list[dict[str, Any]] = ids_of(found, described).to_pylist()
    for path in (found / file.path for file in described.files if file.split == "dropped"):
        lost = pq.read_table(path) if path.is_file() else None
        if lost is not None:
            buried = dropped.tombstones(lost).to_pylist()
            rows += [
                {
                    "post_id": post_id,
                    "source": post_id.partition(":")[0],
                    "community": community,
                    "image_url": None,
                }
                for post_id, community, gone in zip(
                    lost["post_id"].to_pylist(), lost["community"].to_pylist(), buried, strict=True
                )
                if not gone
            ]
    there = store or Path(described.recipe["source"]["store"])
    Store.open(there, create=False).close()  # the collector would make a new one
    recollect.collect(rows, there, sandbox_url, again=True)
