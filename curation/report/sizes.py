"""Sizes and formats of a release's images, read from the headers of all images or of a sample.

The sample is made of whole row groups, chosen by a hash of their number and their file's name, which
contains the digest of the file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from affectory.core.image_files import open_image
from curation.report.contents import Release, batches, open_file
from curation.report.picks import hashes

#: The sample has at least this many rows.
SAMPLE = 1500


@dataclass
class Sizes:
    """Width and height of the measured images, and the number of images by format."""

    sides: list[tuple[int, int]] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0


def measure(release: Release) -> Sizes:
    """Read the headers of about `SAMPLE` images, or of all if there are fewer."""
    found = Sizes()
    for file, group in _drawn(release):
        for batch in batches(release.data[file][1], ["image.bytes"], 16, row_groups=[group]):
            for value in batch.column(0).to_pylist():
                if value and value.get("bytes"):
                    _look(value["bytes"], found)
    return found


def _drawn(release: Release) -> list[tuple[int, int]]:
    """Return the row groups of the sample as (file, row group)."""
    groups: list[tuple[int, int, int]] = []
    names: list[str] = []
    for number, (_, path) in enumerate(release.data):
        with open_file(path, ["image"]) as file:
            for group in range(file.num_row_groups):
                groups.append((number, group, file.metadata.row_group(group).num_rows))
                names.append(f"{path.name}/{group}")
    order = sorted(range(len(groups)), key=hashes(names).tolist().__getitem__) if names else []
    chosen: list[tuple[int, int]] = []
    rows = 0
    for place in order:
        if rows >= SAMPLE:
            break
        chosen.append(groups[place][:2])
        rows += groups[place][2]
    return sorted(chosen)


def _look(data: bytes, found: Sizes) -> None:
    try:
        with open_image(data) as image:
            found.sides.append(image.size)
            found.formats[image.format or "unknown"] += 1
    except Exception:  # Pillow raises many kinds for hostile bytes
        found.unreadable += 1
