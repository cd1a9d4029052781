"""Remove what shows posts from the results of training on a dataset, `results/NAME/VERSION…`.

Predictions, masks and pages name posts, checkpoints contain their words, and a projection has a point for
each post. Scores, counts and settings show no post: `results.json` without its projections, `table.md`,
`missing.json`, `missing.md`, `tuned….json` and comparisons of runs stay.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from affectory.core import files
from affectory.core.parquet_files import read_rows

PREDICTIONS, MASKS = "predictions.parquet", "masks.json"

_KEPT = re.compile(r"results\.json|table\.md|missing\.(json|md)|compare\.(json|html)|tuned(-[\w.-]+)?\.json")


def of(results: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Yield the dataset's version and the folder of each of its runs: 1.0.0, 1.0.0-folds5, …"""
    for folder in sorted((results / name).glob("*")):
        if folder.is_dir():
            yield folder.name.partition("-")[0], folder


def hold_posts(folder: Path) -> bool:
    """Return whether a run's folder contains anything that shows posts."""
    return bool(_projections(folder)) or any(not _KEPT.fullmatch(path.name) for path in folder.iterdir())


def predict(folder: Path, posts: Collection[str]) -> bool:
    """Return whether a run has predicted one of these posts, or its masks name one."""
    path = folder / PREDICTIONS
    if not path.is_file():
        return not _in_masks(folder).isdisjoint(posts)
    found = read_rows(path, columns=["post_id"])["post_id"]
    return bool(pc.any(pc.is_in(found, pa.array(sorted(posts), pa.string()))).as_py())


def _in_masks(folder: Path) -> set[str]:
    """Return the ids that the masks of a run name; of "a1#2", a later image of a post, both forms."""
    try:
        masks = json.loads((folder / MASKS).read_bytes())["masks"]
        names = {name for mask in masks for modality in ("image", "text") for name in mask[modality]}
    except (OSError, ValueError, KeyError, TypeError):  # missing, or no file of `baselines.missing`
        return set()
    return names | {name.rpartition("#")[0] for name in names}


def clear(folder: Path) -> None:
    """Remove what shows posts. Predictions and masks go last: with them, `predict` finds the run again."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name in (PREDICTIONS, MASKS)):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name == "results.json":
            _without_projections(path)
        elif not _KEPT.fullmatch(path.name):
            path.unlink(missing_ok=True)  # results.json.tmp of a killed purge goes with results.json


def _projections(folder: Path) -> list[object]:
    try:
        found: list[object] = json.loads((folder / "results.json").read_bytes()).get("projections", [])
    except (OSError, ValueError):  # missing, or of a run that was killed
        return []
    return found


def _without_projections(path: Path) -> None:
    if not _projections(path.parent):
        return
    found = json.loads(path.read_bytes()) | {"projections": []}
    files.write(path, json.dumps(found, indent=1, ensure_ascii=False))
