"""From rows with their splits to a release's files: Parquet, manifest, Croissant, report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from affectory.core.engine.engine import Engine
from affectory.core.generated import NOWHERE
from curation import report
from curation.duplicates import duplicates
from curation.recipe.recipe import Recipe
from curation.release import croissant, dropped, manifest, parquet
from curation.release.ledger import ledger
from curation.release.manifest import Manifest
from curation.release.parquet import Part, Writing
from curation.splits import labels, split


@dataclass(frozen=True, slots=True)
class Label:
    """What tells a release from others of its dataset."""

    version: str
    input_digest: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A release before it is written: its rows with the shard and row where each stands, and what went."""

    rows: pa.Table
    groups: np.ndarray  # duplicate group of each row
    assigned: split.Assigned
    lost: pa.Table
    stages: Sequence[str]  # in the order of the ledger
    notes: Sequence[str] = ()
    # Of a release hydrated: the `labelled_…` columns, and those columns of `rows` that the ids tell.
    labelled: Mapping[str, Sequence[bool | None]] | None = None
    told: Sequence[str] = ()


def publish(draft: Draft, recipe: Recipe, store: Path, engine: Engine, label: Label, place: Path) -> None:
    """Write a release's files to `place/release`: Parquet, manifest, Croissant and report."""
    out, rows, assigned = place / "release", draft.rows, draft.assigned
    unit = "images" if recipe.images.which == "all" else "posts"
    order = list(dict.fromkeys(draft.stages))
    book = ledger(unit, len(rows) + len(draft.lost), draft.lost, order, len(rows))
    with_images = recipe.publish.images and recipe.images.which != "none"
    multilabel = labels.described(rows, assigned.splits, recipe.multilabel) if recipe.multilabel else {}
    flags = _flags(draft, recipe)
    added = _added(draft, flags)
    writing = Writing(
        place / "scratch",
        out,
        store,
        recipe.classes,
        with_images,
        recipe.publish.text,
        multilabel.get("names", ()),
        list(flags),
    )
    files = list(engine.map(parquet.write, _parts(rows, assigned.splits, added), writing))
    texts = recipe.publish.text
    files.append(dropped.write(draft.lost, out, store, pictures=with_images, texts=texts))
    described = Manifest(
        name=recipe.name,
        version=label.version,
        title=recipe.title,
        summary=recipe.summary,
        paper=recipe.paper,
        classes=recipe.classes,
        recipe=recipe.plain(),
        recipe_digest=recipe.digest(),
        input_digest=label.input_digest,
        format=manifest.FORMAT,
        files=files,
        counts=_counts(rows, assigned.splits, recipe.classes),
        ledger=book,
        duplicates=duplicates.counts(draft.groups),
        twins=assigned.twins,
        leakage=recipe.split.leakage,
        expected=recipe.expected,
        tools=manifest.tools(),
        notes=[*draft.notes, *_images_alone(rows, unit), *assigned.notes],
        multilabel=multilabel,
        labelled=writing.labelled,
        generated=generated(rows),
    )
    describe(described, out)


def describe(described: Manifest, out: Path) -> None:
    """Write what goes with a release's Parquet files, the manifest last: what has one is whole."""
    text = described.text()
    croissant.write(out, described)
    report.write(out, text)
    (out / "manifest.json").write_text(text, encoding="utf-8")


def _flags(draft: Draft, recipe: Recipe) -> Mapping[str, Sequence[bool | None]]:
    """Return the columns `labelled_30`, … that say which training posts count as labelled."""
    if draft.labelled is None and recipe.labelled is not None:
        return labels.labelled(draft.rows, draft.assigned.splits, recipe.labelled)
    return draft.labelled or {}


def _added(draft: Draft, flags: Mapping[str, Sequence[bool | None]]) -> pa.Table:
    """Return the columns that aren't those of the shards: of all rows together, or told by the ids."""
    found = {"duplicate_group": pa.array(duplicates.names(draft.rows, draft.groups), pa.string())}
    found |= {name: pa.array(values, pa.bool_()) for name, values in flags.items()}
    return pa.table(found | {name: draft.rows[name] for name in draft.told})


def _parts(rows: pa.Table, splits: np.ndarray, added: pa.Table) -> list[Part]:
    """Deal the rows of each split to files; one without rows gets none, for it could not be loaded."""
    shard, row = rows["shard"].to_numpy(), rows["row"].to_numpy()
    sizes = rows["image_size"].fill_null(0).to_numpy()
    parts = []
    for number, name in enumerate(split.NAMES):
        mine = np.flatnonzero(splits == number)
        if not len(mine):
            continue
        for prefix, ids in (("", False), ("ids-", True)):
            cuts = parquet.cut(sizes[mine] if not ids else np.zeros(len(mine), np.int64))
            for i, (start, end) in enumerate(cuts):
                chosen = mine[start:end]
                stem = f"{prefix}{name}-{i:05}-of-{len(cuts):05}"
                parts.append(Part(stem, name, shard[chosen], row[chosen], added.take(pa.array(chosen)), ids))
    return parts


def _counts(rows: pa.Table, splits: np.ndarray, classes: Sequence[str]) -> dict[str, dict[str, int]]:
    named = rows["label"].fill_null(labels.UNLABELLED)
    shown = [*classes, *([labels.UNLABELLED] if rows["label"].null_count else [])]
    found = {}
    for number, name in enumerate(split.NAMES):
        counted = Counter(named.filter(pa.array(splits == number)).to_pylist())
        found[name] = {label: counted[label] for label in shown}
    return found


def generated(rows: pa.Table) -> int:
    """Return how many rows are of generated posts: a release marks them by their permalinks alone."""
    return int(pc.sum(pc.starts_with(rows["permalink"], NOWHERE)).as_py() or 0)


def _images_alone(rows: pa.Table, unit: str) -> list[str]:
    """Return the note on texts that were left out while their images stayed."""
    reasons = Counter(rows["text_lost"].drop_null().to_pylist())
    if not reasons:
        return []
    why = ", ".join(f"{reason.replace('_', ' ')}: {n:,}" for reason, n in sorted(reasons.items()))
    return [f"{reasons.total():,} {unit} stay as images alone, their texts left out ({why})"]
