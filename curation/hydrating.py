"""From an `ids` release and a crawl store to the full release that the ids stand for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from affectory.core.errors import AffectoryError
from collectors.store import Store
from curation import card, collecting, duplicates, manifest, split, versions
from curation.filter_options import Filter, HasImage, Removed, Words
from curation.manifest import Manifest
from curation.publish import Draft, Label, publish
from curation.read import plan
from curation.recipe import Recipe
from curation.release import Built, gather
from curation.shards import Engine
from curation.splits import twins
from curation.stage import DROPPED, separate
from curation.workplace import workplace

_IDS = [*collecting.COLUMNS, "image_index", "label", "duplicate_group", "image_sha256"]


def ids_of(folder: Path, described: Manifest) -> pa.Table:
    """Return the rows of an ids release, each with its split. Raises `AffectoryError` for a missing file."""
    tables = []
    for file in described.files:
        if file.path.startswith("ids-"):
            if not (folder / file.path).is_file():
                raise AffectoryError(f"{folder / file.path} is missing: download the release again")
            extra = [*(["labels"] if described.multilabel else []), *described.labelled]
            table = pq.read_table(folder / file.path, columns=[*_IDS, *extra])
            number = split.NAMES.index(file.split)
            tables.append(table.append_column("split", pa.array([number] * len(table), pa.int8())))
    return pa.concat_tables(tables)


def collect(folder: Path, version: str | None, store: Path, sandbox_url: str | None) -> None:
    """Collect the posts of an ids release into a store, by the collector of their source."""
    found = versions.find(folder, version)
    described = manifest.read(found / "manifest.json")
    if described.recipe["source"].get("local"):
        raise AffectoryError(
            f"{described.name} is made of files on disk: python -m collectors.local {described.name} "
            f"--path FOLDER --store {store}, then this command again with --store-only"
        )
    collecting.collect(ids_of(found, described).to_pylist(), store, sandbox_url)


def check_room(folder: Path, version: str | None, out: Path) -> None:
    """Raise `AffectoryError` where a rebuild of this version stands in `out` already."""
    there = out / versions.find(folder, version).name
    if there.exists():
        raise AffectoryError(f"{str(there)!r} stands already: remove it, or name another --out")


def hydrate(folder: Path, *, store: Path, out: Path, version: str | None = None, workers: int = 1) -> Built:
    """Rebuild the full release of an ids release in `out`, where none may stand. Raises `AffectoryError`."""
    began = time.monotonic()
    found = versions.find(folder, version)
    described = manifest.read(found / "manifest.json")
    recipe = Recipe.model_validate(described.recipe)
    ids = ids_of(found, described)
    again = recipe.model_copy(update={"filters": _filters(recipe, ids)})
    label = Label(described.version, described.input_digest)
    with Store.open(store, create=False) as source, workplace(out) as place, Engine(workers) as engine:
        rows, lost = gather(again, source.folder, engine, plan(source, again), place / "scratch")
        draft = _matched(rows, lost, ids, described)
        _check(draft, store)
        publish(draft, recipe, source.folder, engine, label, place)
        (place / "release").rename(out / described.version)
    card.write(out, folder / "card.md")
    built = manifest.read(out / described.version / "manifest.json")
    return Built(out / described.version, built, False, time.monotonic() - began)


def _check(draft: Draft, store: Path) -> None:
    """Raise `AffectoryError` where none of the posts is left, as with a store of others."""
    if len(draft.rows):
        return
    reasons = Counter(draft.lost["reason"].to_pylist())
    why = ", ".join(f"{reason}: {n:,}" for reason, n in reasons.most_common())
    raise AffectoryError(
        f"the store {str(store)!r} gives none of the posts that the ids name ({why}): name their --store, or "
        "leave out --store-only to collect them"
    )


def _filters(recipe: Recipe, ids: pa.Table) -> tuple[Filter, ...]:
    """Return a rebuild's filters: what the recipe dropped is out already, what has gone since goes now."""
    filters: list[Filter] = [Removed(use="removed")]
    if recipe.images.which != "none" and not ids["image_sha256"].null_count:
        filters.append(HasImage(use="image"))
    # Short texts were left out of the release, and are again.
    filters += [f for f in recipe.filters if isinstance(f, Words) and f.otherwise == "image-only"]
    return tuple(filters)


def _matched(rows: pa.Table, lost: pa.Table, ids: pa.Table, described: Manifest) -> Draft:
    """Keep the rows that the ids name, with the ids' label, split and group; account for all others."""
    wanted = {(row["post_id"], row["image_index"]): row for row in ids.to_pylist()}
    keys = list(zip(rows["post_id"].to_pylist(), rows["image_index"].to_pylist(), strict=True))
    rows = rows.filter(pa.array([key in wanted for key in keys], pa.bool_()))
    named_posts = pa.array(sorted({post_id for post_id, _ in wanted}), pa.string())
    lost = lost.filter(pc.is_in(lost["post_id"], named_posts))
    named = [wanted[key] for key in keys if key in wanted]
    digests = rows["image_sha256"].to_pylist()
    same = [
        one["image_sha256"] is None or one["image_sha256"] == digest
        for one, digest in zip(named, digests, strict=True)
    ]
    reasons = ["image_gone" if digest is None else "image_changed" for digest in digests]
    rows, changed = separate(rows, same, "hydrate", reasons, [one["image_sha256"] for one in named])
    named = [one for one, kept in zip(named, same, strict=True) if kept]
    there = set(keys) | set(zip(lost["post_id"].to_pylist(), lost["image_index"].to_pylist(), strict=True))
    missing = _missing([one for key, one in wanted.items() if key not in there], described)
    rows = _with_labels(rows, named, described)
    splits = np.array([one["split"] for one in named], np.int8)
    groups = duplicates.from_names([one["duplicate_group"] for one in named])
    count = twins(splits, rows["post_id"], groups)
    assigned = split.Assigned(splits, {"test": count.test, "validation": count.validation}, ())
    stages = ["removed", "image", "words", "pixels", "hydrate"]
    note = f"rebuilt from the ids of version {described.version}: {len(rows):,} of {len(ids):,} rows"
    flags = {name: [one[name] for one in named] for name in described.labelled}
    return Draft(rows, groups, assigned, pa.concat_tables([lost, changed, missing]), stages, [note], flags)


def _with_labels(rows: pa.Table, named: Sequence[Mapping[str, Any]], described: Manifest) -> pa.Table:
    """Return the rows with the labels that the ids give them."""
    label = [None if one["label"] is None else described.classes[one["label"]] for one in named]
    rows = rows.set_column(rows.column_names.index("label"), "label", pa.array(label, pa.string()))
    if not described.multilabel:
        return rows
    names = described.multilabel["names"]
    several = [None if one["labels"] is None else [names[i] for i in one["labels"]] for one in named]
    kind = rows.schema.field("labels").type
    return rows.set_column(rows.column_names.index("labels"), "labels", pa.array(several, kind))


def _missing(rows: list[dict[str, object]], described: Manifest) -> pa.Table:
    """Return ids that the store doesn't know as dropped rows."""
    return pa.Table.from_pylist(
        [
            {
                "post_id": row["post_id"],
                "image_index": row["image_index"],
                "community": row["community"],
                "stage": "hydrate",
                "reason": "not_in_store",
                "detail": "not collected",
            }
            for row in rows
        ],
        schema=DROPPED,
    )
