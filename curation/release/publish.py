"""From rows with their splits to a release's files: Parquet, manifest, Croissant, report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from affectory.core.engine.engine import Engine
from affectory.core.errors import RecipeError, some
from affectory.core.generated import NOWHERE
from affectory.core.parquet_files import read_rows
from collectors.store import snapshot
from curation import report
from curation.duplicates import duplicates
from curation.manifest import manifest
from curation.manifest.attrition import Attrition
from curation.manifest.ledger import ledger
from curation.manifest.manifest import UNLABELLED, Dump, Manifest, Multilabel, Written
from curation.measure.masks import TOKENS
from curation.recipe.recipe import Recipe
from curation.release import dropped, published
from curation.release.exporters import EXPORTERS
from curation.release.exporters.exporter import Part, Release
from curation.release.published import ShardPart, Writing
from curation.splits import labelled, split


@dataclass(frozen=True, slots=True)
class Label:
    """The version of a release, the digest of its input, and the format of its rows and splits."""

    version: str
    input_digest: str
    format: int = manifest.FORMAT


@dataclass(frozen=True, slots=True)
class Draft:
    """A release before it is written: the rows kept, each with shard and row, and the rows dropped."""

    rows: pa.Table
    groups: np.ndarray  # duplicate group of each row
    assigned: split.Assigned
    lost: pa.Table
    attrition: Attrition
    stages: Sequence[str]  # in the order of the ledger
    notes: Sequence[str] = ()
    # Of a rebuilt release: the `labelled_…` columns, and the columns of `rows` that come from the ids.
    labelled: Mapping[str, Sequence[bool | None]] | None = None
    told: Sequence[str] = ()


def publish(draft: Draft, recipe: Recipe, store: Path, engine: Engine, label: Label, place: Path) -> None:
    """Write a release's files to `place/release`, from the rows and the snapshot in `place/scratch`."""
    out, rows, assigned = place / "release", draft.rows, draft.assigned
    unit = "images" if recipe.images.which == "all" else "posts"
    order = list(dict.fromkeys(draft.stages))
    with_images = recipe.publish.images and recipe.images.which != "none"
    multilabel = _multilabel(rows, assigned.splits, recipe)
    flags = _flags(draft, recipe)
    writing = Writing(
        place / "scratch",
        store,
        recipe.classes,
        with_images,
        recipe.publish.text,
        multilabel.names,
        list(flags),
        recipe.publish.source_label,
        recipe.text.ocr is not None,
        label.format,
    )
    with snapshot.opened(place / "scratch") as copied:
        dumps = [Dump(*one) for one in copied.dumps()]
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
        format=label.format,
        counts=_counts(rows, assigned.splits, recipe.classes),
        ledger=ledger(unit, len(rows) + len(draft.lost), draft.lost, order, len(rows)),
        duplicates=duplicates.counts(draft.groups),
        twins=assigned.twins,
        leakage=recipe.split.leakage,
        expected=recipe.expected,
        tools=manifest.tools(recipe.plain()),
        notes=[*draft.notes, *_images_alone(rows, unit), *assigned.notes],
        multilabel=multilabel,
        labelled=writing.labelled,
        generated=generated(rows),
        dumps=dumps,
        attrition=draft.attrition,
    )
    parts = _parts(rows, assigned.splits, _added(draft, flags), writing)
    lost = dropped.write(draft.lost, out, store, pictures=with_images, texts=recipe.publish.text)
    write(described, parts, lost, out, engine)


def write(described: Manifest, parts: Sequence[Part], lost: Written, out: Path, engine: Engine) -> None:
    """Write a release to `out` by all exporters, then its report, then its manifest, which completes it.

    `described` is the manifest without its files, `lost` the file of the dropped rows, which exists already.
    """
    files: list[Written] = []
    for export in EXPORTERS.values():
        files += export(Release(replace(described, files=files), parts, out, engine))
    finished = replace(described, files=files)
    text = replace(finished, files=[*files, lost], masked=_masked(finished, out)).text()
    report.write(out, text)
    (out / "manifest.json").write_text(text, encoding="utf-8")


def _masked(described: Manifest, out: Path) -> dict[str, int]:
    """Count what is masked in published texts, by kind; empty if the recipe masks nothing."""
    found = dict.fromkeys(described.mask, 0)
    for file in described.tables(ids=False) if found else ():
        texts = read_rows(out / file.path, columns=["title", "body", *(["ocr_text"] * bool(described.ocr))])
        for kind in found:
            for column in texts.columns:
                found[kind] += pc.sum(pc.count_substring(column, TOKENS[kind])).as_py() or 0
    return found


def _multilabel(rows: pa.Table, splits: np.ndarray, recipe: Recipe) -> Multilabel:
    """Count the rows of each label of a multi-label dataset.

    Raises `RecipeError` for a label that the recipe doesn't name.
    """
    options = recipe.multilabel
    if options is None:
        return Multilabel()
    found: dict[str, Counter[str]] = {name: Counter() for name in split.NAMES}
    for number, holds in zip(splits.tolist(), rows["labels"].to_pylist(), strict=True):
        found[split.NAMES[number]].update(holds or ())
    if unknown := sorted({label for one in found.values() for label in one} - set(options.names)):
        raise RecipeError(
            f"posts hold the label {unknown[0]!r}, which multilabel.names lacks: it has {some(options.names)}"
        )
    counts = {name: {label: held[label] for label in options.names} for name, held in found.items()}
    return Multilabel(options.names, counts, options.expected)


def _flags(draft: Draft, recipe: Recipe) -> Mapping[str, Sequence[bool | None]]:
    """Return the columns `labelled_30`, … that say which training posts count as labelled."""
    if draft.labelled is None and recipe.labelled is not None:
        return labelled.labelled(draft.rows, draft.assigned.splits, recipe.labelled)
    return draft.labelled or {}


def _added(draft: Draft, flags: Mapping[str, Sequence[bool | None]]) -> pa.Table:
    """Return the columns that aren't in the shards: those computed from all rows, and those of the ids."""
    found = {"duplicate_group": pa.array(duplicates.names(draft.rows, draft.groups), pa.string())}
    found |= {name: pa.array(values, pa.bool_()) for name, values in flags.items()}
    return pa.table(found | {name: draft.rows[name] for name in draft.told})


def _parts(rows: pa.Table, splits: np.ndarray, added: pa.Table, writing: Writing) -> list[ShardPart]:
    """Divide each split's rows into parts; none for an empty split, because an empty file can't be loaded."""
    shard, row = rows["shard"].to_numpy(), rows["row"].to_numpy()
    sizes = rows["image_size"].fill_null(0).to_numpy()
    parts = []
    for number, name in enumerate(split.NAMES):
        mine = np.flatnonzero(splits == number)
        if not len(mine):
            continue
        for prefix, ids in (("", False), ("ids-", True)):
            cuts = published.cut(sizes[mine] if not ids else np.zeros(len(mine), np.int64))
            for i, (start, end) in enumerate(cuts):
                chosen = mine[start:end]
                stem = f"{prefix}{name}-{i:05}-of-{len(cuts):05}"
                more = added.take(pa.array(chosen))
                parts.append(ShardPart(stem, name, shard[chosen], row[chosen], more, writing, ids))
    return parts


def _counts(rows: pa.Table, splits: np.ndarray, classes: Sequence[str]) -> dict[str, dict[str, int]]:
    named = rows["label"].fill_null(UNLABELLED)
    shown = [*classes, *([UNLABELLED] if rows["label"].null_count else [])]
    found = {}
    for number, name in enumerate(split.NAMES):
        counted = Counter(named.filter(pa.array(splits == number)).to_pylist())
        found[name] = {label: counted[label] for label in shown}
    return found


def generated(rows: pa.Table) -> int:
    """Return the number of rows of generated posts, which a release marks by their permalinks only."""
    return int(pc.sum(pc.starts_with(rows["permalink"], NOWHERE)).as_py() or 0)


def _images_alone(rows: pa.Table, unit: str) -> list[str]:
    """Return the note on texts that were left out while their images stayed."""
    reasons = Counter(rows["text_lost"].drop_null().to_pylist())
    if not reasons:
        return []
    why = ", ".join(f"{reason.replace('_', ' ')}: {n:,}" for reason, n in sorted(reasons.items()))
    return [f"{reasons.total():,} {unit} stay as images alone, their texts left out ({why})"]
