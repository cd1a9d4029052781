"""Rebuild the full release from an `ids` release and a crawl store."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from affectory.core.errors import AffectoryError
from affectory.core.parquet_files import read_rows
from affectory.core.progress import Steps
from collectors.store import Store
from curation.duplicates import duplicates
from curation.duplicates.duplicates import Duplicates
from curation.filters.filter import Options
from curation.filters.image import HasImage
from curation.filters.removed import OPTED_OUT, Removed
from curation.filters.stage import DROPPED
from curation.filters.words import Words
from curation.hydration import recollect
from curation.hydration.matching import Match, match
from curation.manifest import manifest
from curation.manifest.manifest import REBUILT, Manifest
from curation.recipe import exclude
from curation.recipe.recipe import Recipe, recorded
from curation.release import card, versions
from curation.release.assemble import Built, damage_notes, digested, gather, identified, refetch
from curation.release.count_attrition import COLUMNS as COUNTED
from curation.release.count_attrition import attrition
from curation.release.publish import Draft, Label, publish
from curation.release.workplace import workplace
from curation.rows import shards
from curation.rows.pixels import lost_digests
from curation.rows.read import plan
from curation.splits import split, twins

#: What a rebuilt release takes from the ids instead of the store.
_TOLD = ("image_index", "label", "votes", "agreement")
_IDS = [*recollect.COLUMNS, *_TOLD, "duplicate_group", "image_sha256", "score", "created_at"]


def ids_of(folder: Path, described: Manifest) -> pa.Table:
    """Return the rows of an ids release, each with its split. Raises `AffectoryError` for a missing file."""
    tables = []
    extra = [*(["labels"] if described.multilabel.names else []), *described.labelled]
    for file in described.tables(ids=True):
        if not (folder / file.path).is_file():
            raise AffectoryError(f"{folder / file.path} is missing: download the release again")
        table = read_rows(folder / file.path, columns=[*_IDS, *extra])
        number = split.NAMES.index(file.split)
        tables.append(table.append_column("split", pa.array([number] * len(table), pa.int8())))
    return pa.concat_tables(tables)


def collect(folder: Path, version: str | None, store: Path, sandbox_url: str | None) -> None:
    """Collect the posts of an ids release into a store, with the collector of their source.

    Posts on the opt-out list in `folder` aren't asked for.
    """
    found = versions.find(folder, version)
    described = manifest.read(found / "manifest.json")
    if described.recipe["source"].get("local"):
        raise AffectoryError(
            f"{described.name} is made of files on disk: affectory collect local {described.name} "
            f"--path FOLDER --store {store}, then this command again with --store-only"
        )
    rows = ids_of(found, described).to_pylist()
    out = exclude.opted_out({row["post_id"] for row in rows}, exclude.beside(folder))
    recollect.collect([row for row in rows if row["post_id"] not in out], store, sandbox_url)


def check_room(folder: Path, version: str | None, out: Path) -> None:
    """Raise `AffectoryError` if a finished rebuild of this version exists in `out`."""
    there = out / versions.find(folder, version).name
    versions.check_free(there, unless=versions.unnamed(there))


def hydrate(folder: Path, *, store: Path, out: Path, version: str | None = None, workers: int = 1) -> Built:
    """Rebuild the full release of an ids release in `out`. Raises `AffectoryError`, also if it is there.

    Posts on the opt-out lists in `folder` and `out` are left out.
    """
    began = time.monotonic()
    found = versions.find(folder, version)
    described = manifest.read(found / "manifest.json")
    recipe = recorded(described.recipe, str(found))
    ids = ids_of(found, described)
    excluded = exclude.beside(folder, out)
    # The ids tell the duplicate groups.
    again = recipe.model_copy(
        update={"filters": _filters(recipe, ids), "duplicates": Duplicates(images=(), texts="off")}
    )
    with (
        Steps(f"rebuilding {described.name}"),
        Store.open(store, create=False) as source,
        workplace(out) as place,
        shards.engine(workers) as engine,
    ):
        scratch = place / "scratch"
        with Steps("loading"):
            pieces = plan(source, again, scratch, excluded)
        read = digested(again, engine, pieces, scratch)
        every = recipe.images.which != "none"
        rows, lost = gather(again, source.folder, engine, pieces, scratch, every_medium=every)
        draft = _matched(rows, lost, ids, described, excluded)
        _check(draft, store)
        damaged = lost_digests(draft.lost)
        # The splits are those of the ids, so their format is too.
        label = Label(described.version, _input(described, identified(read, damaged)), described.format)
        publish(draft, recipe, source.folder, engine, label, place)
        there = out / described.version
        if versions.unnamed(there):
            there.rename(place / "unfinished")
        (place / "release").rename(there)
        note = refetch(source, damaged)  # after the rename, as a build does
    exclude.carry(folder, out)
    card.write(out, folder / "card.md")
    built = manifest.read(out / described.version / "manifest.json")
    return Built(out / described.version, built, False, time.monotonic() - began, [note] if note else [])


def _input(described: Manifest, read: str) -> str:
    """Return the digest of a rebuild's input: the ids, and the rows of a store, which may be another one."""
    return hashlib.sha256(f"{described.input_digest}\n{read}".encode()).hexdigest()


def _check(draft: Draft, store: Path) -> None:
    """Raise `AffectoryError` if no post is left, as with a store of other posts."""
    if len(draft.rows):
        return
    reasons = Counter(draft.lost["reason"].to_pylist())
    why = ", ".join(f"{reason}: {n:,}" for reason, n in reasons.most_common())
    raise AffectoryError(
        f"the store {str(store)!r} gives none of the posts that the ids name ({why}): name their --store, or "
        "leave out --store-only to collect them"
    )


def _filters(recipe: Recipe, ids: pa.Table) -> tuple[Options, ...]:
    """Return a rebuild's filters, which drop what is gone by now. The ids lack what the recipe dropped."""
    filters: list[Options] = [Removed(use="removed")]
    if recipe.images.which != "none" and not ids["image_sha256"].null_count:
        filters.append(HasImage(use="image"))
    # The release left out short texts, and so does the rebuild.
    filters += [f for f in recipe.filters if isinstance(f, Words) and f.otherwise == "image-only"]
    return tuple(filters)


def _matched(rows: pa.Table, lost: pa.Table, ids: pa.Table, described: Manifest, excluded: Set[str]) -> Draft:
    """Keep the rows that the ids name, with the ids' columns, split and group; account for each id.

    `rows` and `lost` have every medium of a post, and their `image_index` is its position.
    """
    named = ids.to_pylist()
    out = exclude.opted_out(ids["post_id"].to_pylist(), excluded)
    found = [
        Match(reason=OPTED_OUT, detail=OPTED_OUT)
        if one["post_id"] in out and matched.row is None and matched.lost is None  # not in the store
        else matched
        for one, matched in zip(named, match(named, rows, lost), strict=True)
    ]
    kept = sorted((n for n, one in enumerate(found) if one.row is not None), key=lambda n: _place(named[n]))
    gone = [n for n, one in enumerate(found) if one.row is None]
    rows = rows.take(pa.array([found[n].row for n in kept], pa.int64()))
    counted = attrition(ids.select(COUNTED), ids.take(pa.array(kept, pa.int64())), described.classes)
    dropped = _dropped([named[n] for n in gone], [found[n] for n in gone], lost)
    named = [named[n] for n in kept]
    rows = _with_votes(_with_labels(_with_index(rows, named), named, described), named)
    splits = np.array([one["split"] for one in named], np.int8)
    groups = duplicates.from_names([one["duplicate_group"] for one in named])
    count = twins(splits, rows["post_id"], groups)
    assigned = split.Assigned(splits, {"test": count.test, "validation": count.validation}, ())
    stages = ["removed", "image", "words", "pixels", "hydrate"]
    note = f"{REBUILT} {described.version}: {len(rows):,} of {len(ids):,} rows"
    notes = [note, *damage_notes(lost_digests(dropped))]
    flags = {name: [one[name] for one in named] for name in described.labelled}
    told = [*_TOLD, *(["labels"] if described.multilabel.names else [])]
    return Draft(rows, groups, assigned, dropped, counted, stages, notes, flags, told)


def _place(one: Mapping[str, Any]) -> tuple[str, int]:
    return one["post_id"], one["image_index"]


def _with_index(rows: pa.Table, named: Sequence[Mapping[str, Any]]) -> pa.Table:
    place = rows.schema.get_field_index("image_index")
    values = pa.array([one["image_index"] for one in named], pa.int16())
    return rows.set_column(place, rows.schema.field(place), values)


def _with_labels(rows: pa.Table, named: Sequence[Mapping[str, Any]], described: Manifest) -> pa.Table:
    """Return the rows with the labels that the ids give them."""
    label = [None if one["label"] is None else described.classes[one["label"]] for one in named]
    rows = rows.set_column(rows.column_names.index("label"), "label", pa.array(label, pa.string()))
    if not described.multilabel.names:
        return rows
    names = described.multilabel.names
    several = [None if one["labels"] is None else [names[i] for i in one["labels"]] for one in named]
    kind = rows.schema.field("labels").type
    return rows.set_column(rows.column_names.index("labels"), "labels", pa.array(several, kind))


def _with_votes(rows: pa.Table, named: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return the rows with the votes that the ids give them."""
    for name, kind in (("votes", pa.string()), ("agreement", pa.float32())):
        if name in rows.column_names:  # read for the split rule
            rows = rows.drop_columns(name)
        rows = rows.append_column(name, pa.array([one[name] for one in named], kind))
    return rows


def _dropped(named: Sequence[Mapping[str, Any]], found: Sequence[Match], lost: pa.Table) -> pa.Table:
    """Return ids without a row as dropped rows: with the reason of a filter, or else that of the match."""
    theirs = [(one, match.lost) for one, match in zip(named, found, strict=True) if match.lost is not None]
    table = lost.take(pa.array([row for _, row in theirs], pa.int64()))
    table = _with_index(table, [one for one, _ in theirs])
    ours = [
        {
            "post_id": one["post_id"],
            "image_index": one["image_index"],
            "community": one["community"],
            "stage": "hydrate",
            "reason": match.reason,
            "detail": match.detail,
        }
        for one, match in zip(named, found, strict=True)
        if match.lost is None
    ]
    return pa.concat_tables([table, pa.Table.from_pylist(ours, schema=DROPPED)])
