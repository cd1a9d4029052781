"""The audits that were made in a folder: `affectory trace` and `purge` name those that show a post."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

#: Where audits are written by default, and their file that lists rows.
AUDITS, LISTED = Path("audit"), "audit.json"


def showing(posts: Collection[str]) -> Iterator[Path]:
    """Yield the folder of each audit in `AUDITS` that lists one of these posts."""
    wanted = set(posts)
    for path in sorted(AUDITS.glob(f"*/{LISTED}")):
        if not wanted.isdisjoint(_listed(json.loads(path.read_bytes()))):
            yield path.parent


def _listed(audit: dict[str, Any]) -> Iterator[str]:
    for finding in audit["findings"]:
        for group in finding.get("groups", ()):
            yield from (row["id"] for row in group)
