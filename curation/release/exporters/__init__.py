"""The exporters of a release, one a file: each writes the release in a format.

To add an exporter, write a file with its function, and add a line to `EXPORTERS`.
"""

from __future__ import annotations

from curation.release.exporters import croissant, parquet
from curation.release.exporters.exporter import Exporter

#: The exporters that write each release, in their order.
EXPORTERS: dict[str, Exporter] = {
    "parquet": parquet.write,
    "croissant": croissant.write,
}
