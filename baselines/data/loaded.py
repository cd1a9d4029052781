"""A release as the library `datasets` loads it, without torch.

release = loaded("met-meme")
release["train"][0]["text"]
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affectory.core import generated, mirrors
from affectory.core.addresses import Place
from affectory.core.errors import BaselineError, in_words
from affectory.core.html.notebook import snippet
from affectory.core.html.notebook import splits as splits_table
from affectory.core.parquet_files import readable
from baselines.data import built

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, repr=False)
class Loaded:
    """A release: the rows of each split as a `datasets.Dataset`, and the folder of the version.

    `generated` is the note on generated posts, "" where there are none.
    """

    name: str
    version: str
    folder: Path
    splits: dict[str, Any]
    generated: str = ""

    def __getitem__(self, split: str) -> Any:
        return self.splits[split]

    @property
    def labels(self) -> list[str]:
        """The classes, in the order of their numbers in the column `label`."""
        return list(self.splits["train"].features["label"].names)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the rows by split and class; those without a label are in none."""
        found = {}
        for split, rows in self.splits.items():
            counted = Counter(rows["label"])
            found[split] = {label: counted[number] for number, label in enumerate(self.labels)}
        return found

    def __str__(self) -> str:
        lines = [f"{self.name} {self.version}", *filter(None, [self.generated])]
        for split, by_label in self.counts().items():
            each = " · ".join(f"{label} {n:,}" for label, n in by_label.items())
            lines.append(f"{split:<11}{len(self.splits[split]):>9,}  {each}")
        return "\n".join([*lines, f"columns {', '.join(self.splits['train'].column_names)}"])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the splits by class, and the columns."""
        columns = f"columns: {', '.join(self.splits['train'].column_names)}"
        return snippet(
            f"{self.name} {self.version}",
            splits_table(self.counts()),
            notes=[*filter(None, [self.generated]), columns],
            paths={"release": self.folder},
        )


def loaded(
    name: str, folder: Place = Path("datasets"), *, version: str | None = None, cache: Path | None = None
) -> Loaded:
    """Load a release that `python -m curation.build` has built; `BaselineError` where there is none.

    Of an address the version's files are fetched first, to a local copy (`affectory.core.mirrors`).
    """
    where = _fetched(folder / name, built.find(name, folder, version), version)
    from datasets import get_dataset_default_config_name
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    version = get_dataset_default_config_name(str(where)) if version is None else version
    rows = _rows(where, version, cache)
    # A split without a row has no file, and the loader doesn't know it.
    rows = {split: rows[split] if split in rows else rows["train"].select([]) for split in SPLITS}
    return Loaded(name, version, where / version, rows, _generated(where / version / "manifest.json"))


def _fetched(dataset: Place, where: Path, version: str | None) -> Path:
    """Return the dataset's folder; of an address a copy with all files that the library looks for.

    These are the version's and, as it tells the format from them, those of the card's first config.
    """
    if isinstance(dataset, Path):
        return where
    wanted = {version, *built.configs(where)[:1]} - {None}
    return mirrors.fetch(dataset, *("*/ids-*" if one == "ids" else f"{one}/*.parquet" for one in wanted))


def _rows(where: Path, version: str, cache: Path | None) -> Any:
    """Return a version's rows by split. Raises `AffectoryError` for damaged files, and for a full disk."""
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError

    try:
        with readable(where / version):
            try:
                return load_dataset(str(where), version, cache_dir=str(cache) if cache else None)
            except DatasetGenerationError as error:
                raise error.__cause__ or error from None
    except OSError as error:
        raise BaselineError(
            f"{str(where)!r} {version} can't be loaded ({in_words(error)}): the loader makes a copy; name a "
            "folder with room for it with --cache"
        ) from None


def _generated(manifest: Path) -> str:
    """Return the note on the release's generated posts, which its manifest counts."""
    if not manifest.is_file():
        return ""
    try:
        found = json.loads(manifest.read_bytes())
        return generated.note(found.get("generated", 0), found["ledger"]["kept"], found["ledger"]["unit"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BaselineError(
            f"{str(manifest)!r} is damaged: restore it from a copy, or remove its folder and build again"
        ) from None
