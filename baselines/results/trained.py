"""What a run of the baselines leaves: its results, and the folder of their files."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import to_builtins
from rich.console import Console

from affectory.core.errors import BaselineError, some
from affectory.core.html.notebook import snippet, table
from baselines.results import comparison, tables
from baselines.results.schema import Results

#: The width of the tables as text, where nothing says how wide the window is.
WIDTH = 100


@dataclass(frozen=True, slots=True, repr=False)
class Trained:
    """The results of a run, and the folder that holds them with table.md, results.html and checkpoints."""

    results: Results
    folder: Path

    @property
    def exit_code(self) -> int:
        """1 if a seed's training failed, else 0."""
        return 1 if any(row.stopped for row in self.results.rows) else 0

    @property
    def page(self) -> Path:
        """The page with tables and charts."""
        return self.folder / "results.html"

    @property
    def table(self) -> Path:
        """The tables as Markdown."""
        return self.folder / "table.md"

    @property
    def index(self) -> Path:
        """The page that lists all results."""
        return self.folder.parent.parent / "index.html"

    def checkpoint(self, model: str, seed: int = 0) -> Path:
        """Return the checkpoint of a network, for `Predictor.load`. Raises `BaselineError` without one."""
        path = self.folder / "checkpoints" / f"{model}-seed{seed}.pt"
        if not path.is_file():
            there = sorted(one.stem for one in path.parent.glob("*.pt"))
            raise BaselineError(
                f"there is no checkpoint {path.stem!r} in {str(path.parent)!r}: {some(there, str)}"
            )
        return path

    def __str__(self) -> str:
        text = io.StringIO()
        tables.show(self.results, Console(file=text, width=WIDTH))
        return text.getvalue().rstrip("\n")

    __repr__ = __str__

    def as_json(self) -> dict[str, Any]:
        """Return what results.json holds, and the paths of page and tables."""
        return {"results": to_builtins(self.results), "page": str(self.page), "table": str(self.table)}

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the tables beside the papers' figures."""
        dataset = self.results.dataset
        parts = [(found.heading, *tables.scores(found)[:2]) for found in comparison.tables(self.results)]
        return snippet(
            f"{dataset.name} {dataset.version}: {tables.caption(self.results)}",
            *(table(head, rows, heading) for heading, head, rows in parts),
            notes=[dataset.generated] if dataset.generated else [],
            paths={"page": self.page, "table": self.table},
        )
